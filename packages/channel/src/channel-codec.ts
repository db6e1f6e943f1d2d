import { decodeEvent, encodeEvent, type QueueEvent } from '@nq/core';

/** What a channel stores of an event: the event itself, or its encoding when consumers get copies. */
export type Stored<Data> = QueueEvent<Data> | string;

/** What is stored of an event, and what consumers get of it. */
export interface ChannelCodec<Data> {
  /** @throws {NqError} `NQ_PAYLOAD` if the event cannot be stored. */
  encode(event: QueueEvent<Data>): Stored<Data>;
  decode(stored: Stored<Data>): QueueEvent<Data>;
}

/** Consumers get the object that the producer pushed. */
export class ReferenceCodec<Data> implements ChannelCodec<Data> {
  encode(event: QueueEvent<Data>): Stored<Data> {
    return event;
  }

  decode(stored: Stored<Data>): QueueEvent<Data> {
    return stored as QueueEvent<Data>;
  }
}

/** Consumers get a fresh copy at each hand-out, of the event as it was when it was pushed. */
export class CopyCodec<Data> implements ChannelCodec<Data> {
  readonly #maxBytes: number;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  encode(event: QueueEvent<Data>): Stored<Data> {
    return encodeEvent(event, { maxBytes: this.#maxBytes });
  }

  decode(stored: Stored<Data>): QueueEvent<Data> {
    return decodeEvent(stored as string) as QueueEvent<Data>;
  }
}
