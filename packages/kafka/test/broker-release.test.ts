import { describe, expect, test } from 'vitest';
import type { BrokerRelease } from '../src/kafka-driver.ts';
import { releaseOf } from '../src/kafkajs/broker-release.ts';
import type { Broker } from '../src/kafkajs/internals.ts';
import { answerTo, connectionsTo, speaker } from './support/speaker.ts';

/** The request for what a broker has, which tells of features from this version on. */
const apiVersions = 18;
const versions = { [apiVersions]: { minVersion: 0, maxVersion: 3 } };

/** The release of a broker that says `answer` of itself. */
async function releaseBy(answer: Buffer): Promise<BrokerRelease> {
  await using server = await speaker((client, asked) => client.write(answerTo(asked.readInt32BE(8), answer)));
  const connectionPool = await connectionsTo(server.port);
  try {
    return await releaseOf({ versions, connectionPool } as unknown as Broker);
  } finally {
    connectionPool.pool[0].socket?.destroy();
  }
}

const bytes = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');
const hex = (text: string | Buffer): string => Buffer.from(text as string).toString('hex');
/** No error, one request with its versions and no tags, and that there is no pause to be made. */
const head = '0000 02 0012 0000 0003 00 00000000';
/** Two features with their versions and no tags; names have their length plus one in front, and lists too. */
const features = bytes(`03 06${hex('group')} 0000 0001 00 11${hex('metadata.version')} 0001 0007 00`);

describe('what a broker says of itself', () => {
  test('is of which level its metadata is, among what else there is', async () => {
    // One that nobody knows is in front of it.
    const tags = `02 05 01 ff 00 ${hex(Buffer.from([features.length]))} ${hex(features)}`;
    expect(await releaseBy(bytes(`${head} ${tags}`))).toEqual({ atLeast: '3.3', mayBeNewer: false });
  });

  const many = 'ffffffff0f';
  test.each([
    ['more requests than it names', `0000 ${many}`],
    ['more tags than it has', `${head} ${many}`],
    ['more tags of a request than it has', `0000 02 0012 0000 0003 ${many}`],
    ['a tag that is longer than the answer', `${head} 01 00 ${many}`],
    ['more features than it names', `${head} 01 00 05 ${many}`],
    ['a name that is longer than the answer', `${head} 01 00 06 02 ${many}`],
    ['a number that is too long', `${head} ffffffffff01`],
  ])('is refused if it says that there are %s', async (_, answer) => {
    await expect(releaseBy(bytes(answer))).rejects.toMatchObject({ kind: 'unreadable' });
  });
});
