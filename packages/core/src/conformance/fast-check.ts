import type * as fc from 'fast-check';
import { NotVerified } from './violation.ts';

export type { AsyncCommand } from 'fast-check';

type FastCheck = typeof fc;

let loaded: FastCheck | undefined;
let attempted = false;

/** Loads fast-check if it is installed. Called before the rules, for a virtual clock does not wait for a disk. */
export async function loadFastCheck(): Promise<void> {
  if (attempted) return;
  attempted = true;
  try {
    loaded = await import('fast-check');
  } catch {
    // An optional peer: the rules that need it say that they could not be verified.
  }
}

/** @throws {NotVerified} if fast-check is not installed. */
export function fastCheck(): FastCheck {
  if (loaded === undefined) throw new NotVerified('fast-check is not installed: npm install --save-dev fast-check');
  return loaded;
}
