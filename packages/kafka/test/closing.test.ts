import { isNqError, type MessageQueue, type NackOptions } from '@nq/core';
import { kafkaOffer, until } from 'nq-testbed';
import { describe, expect, test } from 'vitest';
import { newTopic, openQueue, take } from './support/queue.ts';
import { type Fate, names, useWatchedKafka } from './support/watched-kafka.ts';

const offer = await kafkaOffer();
const produce = 0;
const unknown = 'rejects NQ_OUTCOME_UNKNOWN';
const options = { createTopic: { partitions: 1, replicationFactor: 1 }, retryTopic: true, retryAfterMs: 1 };

describe.skipIf(offer.missing !== undefined || !offer.ours)(
  `an event that is on its way to another topic when its queue is closed, on ${offer.name},`,
  () => {
    const watched = useWatchedKafka(offer);

    /** Gives an event back, which makes a record of it in the topic `place`, and closes the queue while that has no answer. */
    const closeMeanwhile = async (
      place: 'dead' | 'retry',
      fate: (isClosing: () => boolean) => Fate | Promise<Fate>,
    ): Promise<Found> => {
      const topic = newTopic();
      const queue = await openQueue(watched().server, { ...options, topic });
      await queue.push({ id: 'event', type: 'event' });
      const delivery = await take(queue);
      let [isOnItsWay, isClosing] = [false, false];
      watched().fate = (asked) => {
        if (asked.api !== produce || !names(asked, `${topic}.tests.${place}`)) return undefined;
        isOnItsWay = true;
        return fate(() => isClosing);
      };
      const back: NackOptions = place === 'dead' ? { deadLetter: true } : { delayMs: 10 };
      const answer = delivery.nack(back).then(
        () => 'resolves',
        (error: unknown) => `rejects ${isNqError(error) ? error.code : String(error)}`,
      );
      await until('it to be on its way', () => isOnItsWay);
      const closed = queue.close();
      isClosing = true;
      await closed;
      watched().fate = () => undefined;
      await using next = await openQueue(watched().server, { ...options, topic });
      return { answer: await answer, handedOut: await handedOutOf(next), dead: await next.deadLetters.count() };
    };

    test.for<[string, 'dead' | 'retry', Found]>([
      ['the dead-letter topic', 'dead', { answer: 'resolves', handedOut: 0, dead: 1 }],
      ['the retry topic', 'retry', { answer: 'resolves', handedOut: 1, dead: 0 }],
    ])('is in %s alone, if that has it soon', async ([, place, found]) => {
      const late = async (isClosing: () => boolean): Promise<Fate> => {
        await until('close()', isClosing);
        return undefined;
      };
      expect(await closeMeanwhile(place, late)).toEqual(found);
    });

    // In its own topic it is handed out in any case, for nobody knows of the other one.
    test.for<[string, 'dead' | 'retry', Fate, Found]>([
      ['to the dead letters never arrived', 'dead', 'isLost', { answer: unknown, handedOut: 1, dead: 0 }],
      ['to the dead letters has no answer', 'dead', 'answerIsLost', { answer: unknown, handedOut: 1, dead: 1 }],
      ['to the retry topic never arrived', 'retry', 'isLost', { answer: unknown, handedOut: 1, dead: 0 }],
      ['to the retry topic has no answer', 'retry', 'answerIsLost', { answer: unknown, handedOut: 2, dead: 0 }],
    ])(
      'stays in its own, and nobody is told that it has moved, if what was sent %s',
      async ([, place, fate, found]) => {
        expect(await closeMeanwhile(place, () => fate)).toEqual(found);
      },
    );
  },
);

/** What was answered, how often the event was handed out afterwards, and how many dead letters there are. */
interface Found {
  readonly answer: string;
  readonly handedOut: number;
  readonly dead: number;
}

/** Handles everything that is left. @returns how much that was. */
async function handedOutOf(queue: MessageQueue): Promise<number> {
  let count = 0;
  await until('nothing to be left', async () => {
    for (const delivery of await queue.popMany(10, { timeoutMs: 100 })) {
      count++;
      await delivery.ack();
    }
    const { ready, inFlight, delayed } = await queue.size();
    return ready + inFlight + delayed === 0;
  });
  return count;
}
