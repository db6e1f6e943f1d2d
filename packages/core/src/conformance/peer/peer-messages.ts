import type { OpenOptions } from '../harness.ts';
import type { Taken, Taking } from './worker.ts';

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
  const { nq, number, error } = (message ?? {}) as Partial<PeerAnswer>;
  return nq === 'answer' && typeof number === 'number' && (error === undefined || typeof error === 'string');
}

/** Whether `value` is what a push is answered with: the ids of what is stored. */
export function areIds(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((id) => typeof id === 'string');
}

/** Whether `value` is what a take is answered with. */
export function areTaken(value: unknown): value is readonly Taken[] {
  return (
    Array.isArray(value) &&
    value.every((one: Partial<Taken> | null) => typeof one?.id === 'string' && typeof one.attempt === 'number')
  );
}

/** Whether `value` is what a replay is answered with: how many there were. */
export function isCount(value: unknown): value is number {
  return typeof value === 'number';
}
