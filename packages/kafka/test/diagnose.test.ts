import { describe, expect, test } from 'vitest';
import { openQueue } from './support/queue.ts';
import { refusalOf } from './support/refusal.ts';
import { answerTo, speaker } from './support/speaker.ts';

/** The numbers of the request for mechanisms of SASL, and of the error that says that there are others. */
const [saslHandshake, otherMechanism] = [17, 33];

/** An answer to who asks which mechanisms there are. */
function mechanisms(count: number, ...names: readonly (readonly [length: number, name: string])[]): Buffer {
  const head = Buffer.alloc(6);
  head.writeInt16BE(otherMechanism, 0);
  head.writeInt32BE(count, 2);
  const told = names.map(([length, name]) => {
    const bytes = Buffer.alloc(2);
    bytes.writeInt16BE(length);
    return Buffer.concat([bytes, Buffer.from(name)]);
  });
  return Buffer.concat([head, ...told]);
}

/** How a queue is refused by who hangs up on what is no question without a name, and answers that `answer`. */
async function refusedBy(answer: Buffer): Promise<string> {
  await using server = await speaker((client, asked) => {
    const isQuestion = asked[0] === 0 && asked.readInt16BE(12) === -1;
    if (!isQuestion) client.destroy();
    else client.write(answerTo(1, asked.readInt16BE(4) === saslHandshake ? answer : Buffer.alloc(6)));
  });
  const brokers = [`127.0.0.1:${server.port}`];
  const { told } = await refusalOf(() => openQueue({ brokers } as never, { openTimeoutMs: 5000 }));
  return told.replaceAll(brokers[0] as string, 'that');
}

describe('a broker that hangs up and is asked which users it wants', () => {
  test('is told to want those that it names', async () => {
    expect(await refusedBy(mechanisms(2, [5, 'PLAIN'], [13, 'SCRAM-SHA-256']))).toBe(
      'NQ_CONFIG Cannot open a Kafka queue: the broker at that wants a user, by PLAIN, SCRAM-SHA-256: open the queue with sasl',
    );
  });

  test.each([
    ['one whose name is of a length below zero, again and again', mechanisms(2 ** 31 - 1, [-2, ''])],
    ['one whose name is longer than the answer', mechanisms(1, [2 ** 15 - 1, 'PLAIN'])],
    ['more than there are', mechanisms(2 ** 31 - 1, [5, 'PLAIN'])],
    ['nothing', Buffer.alloc(0)],
  ])('is told to have hung up if it names %s', async (_, answer) => {
    expect(await refusedBy(answer)).toBe('NQ_UNAVAILABLE Cannot open a Kafka queue: the broker at that has hung up');
  });
});
