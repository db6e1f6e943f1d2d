import { NqError, type QueueType } from '@nq/core';
import type { RedisQueueOptions } from './redis-options.ts';
import { redisQueue } from './redis-queue.ts';

/**
 * How a queue on Redis is opened from configuration: `redis://localhost:6379/0?queueKey=notification:events`,
 * `rediss://…` for TLS, or
 * `{ type: 'redis', bufferSize: 5000, extra: { addr, password, db, queue_key } }`.
 */
export const queueType: QueueType = {
  type: 'redis',
  options: {
    queueKey: 'text',
    mode: ['list', 'stream'],
    group: 'text',
    startFrom: ['earliest', 'latest'],
    retain: 'count',
    addr: 'text',
    url: 'text',
    username: 'text',
    password: 'text',
    db: 'count',
    tls: 'value',
    sentinel: 'value',
    cluster: 'value',
    client: 'value',
    leaseMs: 'ms',
    maxPayloadBytes: 'count',
    foreignKey: 'text',
    durability: 'value',
    openTimeoutMs: 'ms',
    requestTimeoutMs: 'ms',
    onWarning: 'value',
  },
  aliases: { queue_key: 'queueKey' },
  secure: true,
  readAddress: (url) => {
    const { host, pathname } = url;
    return {
      ...(host === '' ? {} : { addr: host }),
      ...readUser(url),
      ...(url.protocol === 'rediss:' ? { tls: true } : {}),
      ...(pathname === '' || pathname === '/' ? {} : { db: readDatabase(pathname.slice(1)) }),
    };
  },
  open(options) {
    if (options['queueKey'] === undefined) {
      const where = '?queueKey=orders in a URL, or queue_key in extra';
      throw new NqError('NQ_CONFIG', `Cannot open a queue of type redis: queueKey is missing, which is ${where}`);
    }
    return redisQueue(options as unknown as RedisQueueOptions);
  },
};

/** Nothing of it is shown, for it holds a password. */
function readUser({ username, password }: URL): Readonly<Record<string, string>> {
  try {
    return {
      ...(username === '' ? {} : { username: decodeURIComponent(username) }),
      ...(password === '' ? {} : { password: decodeURIComponent(password) }),
    };
  } catch {
    throw new NqError(
      'NQ_CONFIG',
      'Cannot open a queue of type redis: the user or the password in the URL is not percent-encoded, as encodeURIComponent() does',
    );
  }
}

function readDatabase(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new NqError(
    'NQ_CONFIG',
    'Cannot open a queue of type redis: the path of the URL must be the number of a database; a "/" in the user or the password is percent-encoded, as encodeURIComponent() does',
  );
}
