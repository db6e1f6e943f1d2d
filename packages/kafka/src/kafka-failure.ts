import type { NqErrorCode } from '@nq/core';

/**
 * What a failed request means for whoever made it:
 *
 * - `away`: there is no way to the broker that can do it at the moment. It was not done; try again.
 * - `unsure`: it has no answer. It may have been done; try again where that does no harm.
 * - `identity`: the brokers do not know the producer any more, or expect another number of it. It was not done; go on with
 *   a new identity.
 * - `tooLarge`: a record, or all of them together, are larger than the broker takes.
 * - `moved`: the group is about to deal out its partitions again. It was not done, and may be after that.
 * - `fenced`: the membership that it was made for has ended.
 * - `outOfRange`: there is no such offset any more, or not yet.
 * - `missing`: there is no such topic.
 * - `refused`: the user, the settings or the version of the broker do not allow it, and no time mends that.
 * - `unreadable`: what the broker has sent is not what it should be, such as records with a wrong checksum.
 * - `codec`: records are compressed, and what reads them is not installed.
 * - `other`: the broker has said something else.
 */
export type FailureKind =
  | 'away'
  | 'unsure'
  | 'identity'
  | 'tooLarge'
  | 'moved'
  | 'fenced'
  | 'outOfRange'
  | 'missing'
  | 'refused'
  | 'unreadable'
  | 'codec'
  | 'other';

/** The code that callers see. */
export const failureCodes: Readonly<Record<FailureKind, NqErrorCode>> = {
  away: 'NQ_UNAVAILABLE',
  unsure: 'NQ_OUTCOME_UNKNOWN',
  identity: 'NQ_BACKEND',
  tooLarge: 'NQ_PAYLOAD',
  moved: 'NQ_UNAVAILABLE',
  fenced: 'NQ_LEASE_LOST',
  outOfRange: 'NQ_BACKEND',
  missing: 'NQ_CONFIG',
  refused: 'NQ_CONFIG',
  unreadable: 'NQ_BACKEND',
  codec: 'NQ_NOT_INSTALLED',
  other: 'NQ_BACKEND',
};

/** How a {@link KafkaDriver} tells that a request has failed. What the client said is its `cause`. */
export class KafkaFailure extends Error {
  override readonly name = 'KafkaFailure';
  readonly kind: FailureKind;
  /** What it means, in a few words without payload. */
  readonly meaning: string;

  constructor(kind: FailureKind, meaning: string, cause?: unknown) {
    super(meaning, { cause });
    this.kind = kind;
    this.meaning = meaning;
  }
}
