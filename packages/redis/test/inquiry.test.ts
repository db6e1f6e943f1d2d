import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { systemClock } from '@nq/core';
import { until } from 'nq-testbed';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Connection } from '../src/connection.ts';
import { inquire } from '../src/inquiry.ts';
import { clientMaker } from '../src/open-client.ts';
import { clients, codeOf } from './support/queue.ts';

describe.each(clients)('whoever asks a Sentinel why there is no connection, with $name,', ({ make }) => {
  /** What was sent: of each command its name and its first argument. */
  const asked: string[] = [];
  let sentinel: Server;
  beforeEach(async () => {
    asked.length = 0;
    // It wants a password, whatever it is told, and knows only the second version of the protocol.
    sentinel = createServer((socket) => {
      socket.on('error', () => {});
      socket.on('data', (chunk) => {
        const commands = chunk.toString().matchAll(/^\*\d+\r\n\$\d+\r\n(\w+)(?:\r\n\$\d+\r\n([\w-]+))?/gm);
        for (const [, command = '', argument] of commands) {
          asked.push(`${command} ${argument}`.toLowerCase());
          const isHello = /^hello$/i.test(command);
          socket.write(isHello ? "-ERR unknown command 'HELLO'\r\n" : '-NOAUTH Authentication required.\r\n');
        }
      });
    }).listen(0, '127.0.0.1');
    await once(sentinel, 'listening');
  });
  afterEach(() => void sentinel.close());

  const client = () => {
    const { port } = sentinel.address() as AddressInfo;
    return make({ sentinels: [{ host: '127.0.0.1', port }], name: 'anybody' });
  };

  test('is told the reason, unless it has ended that', async () => {
    const reasons: unknown[] = [];
    const tell = (reason: unknown): void => void reasons.push(reason);
    await inquire(client(), tell).done;
    expect(reasons.map(String)).toEqual([expect.stringContaining('NOAUTH')]);
    const ended = inquire(client(), tell);
    ended.stop();
    await ended.done;
    expect(reasons).toHaveLength(1);
  });

  test('does not ask again what it knows already, however long it lasts', async () => {
    const connection = new Connection(clientMaker({ queueKey: 'q', client: client() }), 'test', systemClock);
    try {
      expect(await codeOf(connection.ready(10_000, 'test'))).toBe('NQ_CONFIG');
      const count = (command: string): number => asked.filter((one) => one === command).length;
      const before = count('sentinel masters');
      const tries = asked.length;
      await until('some more tries', () => asked.length > tries + 5);
      expect(before).toBeGreaterThan(0);
      expect(count('sentinel masters')).toBe(before);
    } finally {
      connection.close();
    }
  });
});
