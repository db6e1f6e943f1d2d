/** What kafkajs writes requests with: one writes the request, another its head, and a third its length in front of both. */
interface Encoder {
  buf: Buffer;
  offset: number;
  writeEncoder(encoder: object): this;
  [written]?: WrittenRequest;
}

/** The request of ours that an encoder has become. */
const written = Symbol('written');

/**
 * A request that is written already, and is sent from where it is: kafkajs would copy it twice, each time into memory that it
 * clears first, of up to twice the size. To kafkajs it is an encoder, and one that is sent once.
 */
export class WrittenRequest {
  readonly [written] = this;
  readonly #bytes: Buffer;
  /** Where it begins: what is in front of that is free. */
  #start: number;

  /** @param roomBefore how many bytes of its memory are free in front of `body`. */
  constructor(body: Buffer, roomBefore: number) {
    this.#start = roomBefore;
    this.#bytes = Buffer.from(body.buffer, body.byteOffset - roomBefore, roomBefore + body.length);
  }

  get buf(): Buffer {
    return this.#bytes;
  }

  get buffer(): Buffer {
    return this.#bytes.subarray(this.#start);
  }

  /** Puts `bytes` in front. @returns whether there was room. */
  prepend(bytes: Uint8Array): boolean {
    if (bytes.length > this.#start) return false;
    this.#start -= bytes.length;
    this.#bytes.set(bytes, this.#start);
    return true;
  }

  /** Has `encoder` be this request, behind what it has written. @returns whether there was room for that. */
  takeOver(encoder: Encoder): boolean {
    if (!this.prepend(encoder.buf.subarray(0, encoder.offset))) return false;
    encoder.buf = this.buffer;
    encoder.offset = encoder.buf.length;
    encoder[written] = this;
    return true;
  }
}

const isTaught = Symbol('isTaught');

/** Has every client of kafkajs in this process send requests that are written already as they are; only we have such. */
export function sendWritten({ prototype }: { readonly prototype: object }): void {
  const encoders = prototype as Encoder & { [isTaught]?: boolean };
  if (encoders[isTaught] === true) return;
  const copy = encoders.writeEncoder;
  encoders.writeEncoder = function (this: Encoder, encoder: { readonly [written]?: WrittenRequest }): Encoder {
    return encoder?.[written]?.takeOver(this) === true ? this : copy.call(this, encoder);
  };
  encoders[isTaught] = true;
}
