import { unreadable } from '../wire-reader.ts';

/** What reads the answers of brokers, from their begin. */
interface Decoder {
  offset: number;
  [place]?: number;
}

const place = Symbol('place');

/**
 * Has what reads answers refuse to go back. kafkajs believes every length: one below zero moves it to where it was, and what
 * is there says again how often it is to be read, until the memory is full. Nothing in an answer is in front of what was read.
 * It is so for every client of kafkajs in this process.
 */
export function guardDecoder({ prototype }: { readonly prototype: object }): void {
  if (Object.hasOwn(prototype, 'offset')) return;
  Object.defineProperty(prototype, 'offset', {
    get(this: Decoder): number {
      return this[place] ?? 0;
    },
    set(this: Decoder, offset: number) {
      if (!(offset >= this.offset)) throw unreadable('a length is below zero');
      this[place] = offset;
    },
  });
}
