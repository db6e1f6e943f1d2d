import { describe, expect, test } from 'vitest';
import { openQueue } from './support/queue.ts';
import { refusalOf } from './support/refusal.ts';
import { answerTo, speaker } from './support/speaker.ts';

const apiVersions = 18;

/** That there is all that a client asks for, in the versions that it knows: of all requests, up to the last of them. */
function everything(): Buffer {
  const count = 40;
  const answer = Buffer.alloc(6 + 6 * count + 4);
  answer.writeInt32BE(count, 2);
  for (let api = 0; api < count; api++) {
    answer.writeInt16BE(api, 6 + 6 * api);
    answer.writeInt16BE(api === apiVersions ? 0 : 7, 10 + 6 * api);
  }
  return answer;
}

/** That there are two billion brokers, the first of which has a host of such a length that the next one is the same again. */
function endlessBrokers(): Buffer {
  const answer = Buffer.alloc(4 + 4 + 12);
  answer.writeInt32BE(2 ** 31 - 1, 4);
  answer.writeInt16BE(-12, 12);
  return answer;
}

describe('an answer that kafkajs reads', () => {
  test('is refused if it goes back to where it was, for that has no end', async () => {
    await using server = await speaker((client, asked) => {
      const answer = asked.readInt16BE(4) === apiVersions ? everything() : endlessBrokers();
      client.write(answerTo(asked.readInt32BE(8), answer));
    });
    const brokers = [`127.0.0.1:${server.port}`];
    const { told } = await refusalOf(() => openQueue({ brokers } as never, { openTimeoutMs: 5000 }));
    expect(told).toBe(
      'NQ_BACKEND Cannot open a Kafka queue: what Kafka has sent cannot be read: a length is below zero',
    );
  });
});
