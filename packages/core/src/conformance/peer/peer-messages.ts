import type { OpenOptions } from '../harness.ts';
import type { Taking } from './worker.ts';

/** What the kit asks of another process. Events travel as CloudEvents JSON, so that they survive every kind of channel. */
export type PeerCall =
  | { readonly verb: 'open'; readonly options: OpenOptions; readonly clockAheadMs: number }
  | { readonly verb: 'push'; readonly events: readonly string[]; readonly timeoutMs: number }
  | { readonly verb: 'take'; readonly taking: Taking }
  | { readonly verb: 'replay'; readonly ids: readonly string[] | undefined }
  | { readonly verb: 'close' };

/** A call with its number, among whatever else the two processes say to each other. */
export interface PeerRequest {
  readonly nq: 'request';
  readonly number: number;
  readonly call: PeerCall;
}

/** What became of the call of that number: a value, or what went wrong. */
export interface PeerAnswer {
  readonly nq: 'answer';
  readonly number: number;
  readonly value?: unknown;
  readonly error?: string;
}

export function isPeerRequest(message: unknown): message is PeerRequest {
  return (message as PeerRequest | null | undefined)?.nq === 'request';
}

export function isPeerAnswer(message: unknown): message is PeerAnswer {
  return (message as PeerAnswer | null | undefined)?.nq === 'answer';
}
