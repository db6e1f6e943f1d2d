import { describe, expect, test } from 'vitest';
import { freePort } from '../src/free-port.ts';
import { Link, until } from '../src/index.ts';
import { Client } from './client.ts';
import { type EchoServer, echoServer } from './echo-server.ts';

describe('a link', () => {
  test('carries bytes both ways, and counts them', async () => {
    await using server = await echoServer();
    await using link = await Link.open(server);
    using client = new Client(link);
    await client.send('hello').reads('hello');
    expect(server.received()).toBe('hello');
    expect(link.counts).toEqual({ open: 1, accepted: 1, bytesToServer: 5, bytesToClient: 5, droppedBytes: 0 });
  });

  test('carries much more than fits into its buffers, unchanged', async () => {
    await using server = await echoServer();
    await using link = await Link.open(server);
    using client = new Client(link);
    const bytes = Buffer.alloc(48 * 1024 * 1024);
    for (let i = 0; i < bytes.length; i += 4) bytes.writeUInt32LE(i, i);
    client.send(bytes);
    await until('all bytes to come back', () => client.socket.bytesRead === bytes.length);
    expect(client.bytes.equals(bytes)).toBe(true);
  });

  test('passes the end of each half on, and forgets the connection when both have ended', async () => {
    await using server = await echoServer();
    await using link = await Link.open(server);
    using client = new Client(link);
    client.send('last').socket.end();
    expect(await client.closes()).toBe('closed');
    expect(client.text).toBe('last');
    expect(server.ended()).toBe(1);
    await until('the link to forget the connection', () => link.counts.open === 0);
  });

  test('resets a client where no server listens', async () => {
    await using link = await Link.open({ host: '127.0.0.1', port: await freePort() });
    using client = new Client(link);
    expect(await client.closes()).toBe('ECONNRESET');
    expect(link.counts).toMatchObject({ open: 0, accepted: 1 });
  });

  test('passes a reset on, from either side', async () => {
    await using server = await echoServer();
    await using link = await Link.open(server);
    using client = new Client(link);
    await client.send('a').reads('a');
    server.sockets[0]?.resetAndDestroy();
    expect(await client.closes()).toBe('ECONNRESET');

    using other = new Client(link);
    await other.send('b').reads('b');
    other.socket.resetAndDestroy();
    await until('the server to notice', () => server.sockets[1]?.errored);
    expect(server.sockets[1]?.errored).toMatchObject({ code: 'ECONNRESET' });
    expect(link.counts.open).toBe(0);
  });

  test('resets what is open when it closes, and can be closed twice', async () => {
    await using server = await echoServer();
    const link = await Link.open(server);
    using client = new Client(link);
    await client.send('a').reads('a');
    const { port } = link;
    await Promise.all([link.close(), link.close()]);
    expect(await client.closes()).toBe('ECONNRESET');
    using late = new Client({ host: '127.0.0.1', port });
    expect(await late.closes()).toBe('ECONNREFUSED');
  });
});

describe('cut()', () => {
  test('resets every connection, and new ones, until heal()', async () => {
    await using server = await echoServer();
    await using link = await Link.open(server);
    using one = new Client(link);
    using two = new Client(link);
    await Promise.all([one.send('a').reads('a'), two.send('b').reads('b')]);
    link.cut();
    expect(link.isCut).toBe(true);
    expect([await one.closes(), await two.closes()]).toEqual(['ECONNRESET', 'ECONNRESET']);
    using during = new Client(link);
    expect(await during.closes()).toBe('ECONNRESET');
    expect(server.sockets).toHaveLength(2);

    link.heal();
    using after = new Client(link);
    await after.send('c').reads('c');
  });
});

describe('delay()', () => {
  test('delays every request and every answer', async () => {
    await using server = await echoServer();
    await using link = await Link.open(server);
    using client = new Client(link);
    await client.send('a').reads('a');
    link.delay(40);
    const startedAt = performance.now();
    await client.send('b').reads('b');
    // Timers may fire a millisecond early by this clock.
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(78);
    link.delay(0);
    await client.send('c').reads('c');
    expect(client.text).toBe('abc');
  });

  test('keeps the order when it becomes shorter while bytes are under way', async () => {
    await using server = await echoServer();
    await using link = await Link.open(server);
    using client = new Client(link);
    link.delay(60);
    client.send('slow');
    // The link has read these once it has connected to the server, which it does when it has accepted the client.
    await until('the way to the server', () => server.sockets.length === 1);
    link.delay(1);
    client.send('fast').socket.end();
    await client.closes();
    expect(client.text).toBe('slowfast');
  });

  test('is taken back by heal(), and what is under way then arrives at once', async () => {
    await using server = await echoServer();
    await using link = await Link.open(server);
    using client = new Client(link);
    await client.send('a').reads('a');
    link.delay(60_000);
    client.send('b');
    await roundTrips(server);
    expect(server.received()).not.toContain('b');
    link.heal();
    await client.reads('b');
  });

  test('refuses a delay below 0', async () => {
    await using link = await Link.open({ host: '127.0.0.1', port: 1 });
    expect(() => link.delay(-1)).toThrow('Cannot delay: ms must be >= 0, got -1');
    expect(() => link.delay(Number.NaN)).toThrow(RangeError);
  });
});

describe('dropReplies()', () => {
  test('lets requests through and loses their answers; heal() resets the connections that lost one, and no other', async () => {
    await using server = await echoServer();
    await using link = await Link.open(server);
    using loser = new Client(link);
    using other = new Client(link);
    await Promise.all([loser.send('a').reads('a'), other.send('b').reads('b')]);
    link.dropReplies();
    loser.send('lost');
    await until('the answer to be dropped', () => link.counts.droppedBytes === 4);
    expect(server.received()).toContain('lost');
    expect([loser.text, loser.closed]).toEqual(['a', undefined]);

    link.heal();
    expect(await loser.closes()).toBe('ECONNRESET');
    await other.send('c').reads('c');
  });
});

describe('freeze()', () => {
  test('lets nothing travel and closes nothing, until heal(); then everything arrives', async () => {
    await using server = await echoServer();
    await using link = await Link.open(server);
    using before = new Client(link);
    await before.send('a').reads('a');
    link.freeze();
    before.send('b');
    using during = new Client(link);
    during.send('c').socket.end();
    await roundTrips(server);
    expect(server.received()).toBe('a..........');
    expect([before.text, before.ended, before.closed, during.text, during.closed]).toEqual([
      'a',
      false,
      undefined,
      '',
      undefined,
    ]);

    link.heal();
    await before.reads('b');
    await during.reads('c');
    expect(await during.closes()).toBe('closed');
    expect(before.text).toBe('ab');
  });

  test('tells neither side that the other has ended or was reset, until heal()', async () => {
    await using server = await echoServer();
    await using link = await Link.open(server);
    using ending = new Client(link);
    await ending.send('a').reads('a');
    using reset = new Client(link);
    await reset.send('b').reads('b');
    using left = new Client(link);
    await left.send('c').reads('c');
    const [endingSide, resetSide, leftSide] = server.sockets;
    link.freeze();
    ending.socket.end();
    reset.socket.resetAndDestroy();
    leftSide?.resetAndDestroy();
    await roundTrips(server);
    expect([endingSide?.readableEnded, resetSide?.destroyed, left.closed]).toEqual([false, false, undefined]);

    link.heal();
    await until('the server to see the end', () => endingSide?.readableEnded);
    await until('the server to see the reset', () => resetSide?.errored);
    expect(await left.closes()).toBe('ECONNRESET');
  });
});

describe('silence()', () => {
  test('lets nothing travel on the connections that are open, and neither side know; new ones work, and heal() resets the old', async () => {
    await using server = await echoServer();
    await using link = await Link.open(server);
    using before = new Client(link);
    await before.send('a').reads('a');
    using ending = new Client(link);
    await ending.send('b').reads('b');
    const [beforeSide, endingSide] = server.sockets;
    link.silence();
    before.send('c');
    ending.socket.end();
    using after = new Client(link);
    await after.send('d').reads('d');
    await roundTrips(server);
    expect(server.received()).toBe('abd..........');
    expect([before.text, before.ended, before.closed, endingSide?.readableEnded]).toEqual([
      'a',
      false,
      undefined,
      false,
    ]);

    link.heal();
    expect(await before.closes()).toBe('ECONNRESET');
    await until('the server to see the reset', () => beforeSide?.errored);
    await after.send('e').reads('e');
  });
});

describe('halfClose()', () => {
  test('ends the half of the server: the client reads the end, and its requests still arrive', async () => {
    await using server = await echoServer();
    await using link = await Link.open(server);
    using client = new Client(link);
    await client.send('a').reads('a');
    link.halfClose();
    await client.ends();
    client.send('b');
    await until('the server to get it', () => server.received() === 'ab');
    expect([client.text, client.closed]).toEqual(['a', undefined]);

    using next = new Client(link);
    await next.send('c').reads('c');
  });
});

/** Ten requests and answers past the link: whatever was on its way through the link could have arrived meanwhile. */
async function roundTrips(server: EchoServer): Promise<void> {
  using direct = new Client(server);
  for (let i = 1; i <= 10; i++) {
    direct.send('.');
    await until('a direct answer', () => direct.text.length === i);
  }
}
