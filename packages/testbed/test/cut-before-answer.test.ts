import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Link, until } from '../src/index.ts';
import { Client } from './client.ts';
import { echoServer } from './echo-server.ts';

test('cutBeforeAnswer() lets the next request reach the server, and none of its answer back, whatever chunks it comes in', async () => {
  const seen: boolean[] = [];
  await using server = await echoServer({
    answer: async (chunk, socket) => {
      for (const byte of chunk) {
        socket.write(Buffer.from([byte]));
        await nextTurn();
      }
      seen.push(link.isCut);
    },
  });
  await using link = await Link.open(server);
  using client = new Client(link);
  using idle = new Client(link);
  await Promise.all([client.send('one').reads('one'), idle.send('two').reads('two')]);

  link.cutBeforeAnswer();
  client.send('three');
  expect([await client.closes(), await idle.closes()]).toEqual(['ECONNRESET', 'ECONNRESET']);
  expect(client.text).toBe('one');
  expect(server.received()).toContain('three');

  using during = new Client(link);
  expect(await during.closes()).toBe('ECONNRESET');
  link.heal();
  using after = new Client(link);
  await after.send('four').reads('four');
});

test('cutBeforeAnswer() leaves alone what was asked before it, and counts a request that comes in many chunks as one', async () => {
  let answerLater = (): void => {};
  await using server = await echoServer({
    answer: (chunk, socket) => {
      if (chunk.toString() === 'wait') answerLater = () => void socket.write('late');
      else if (chunk.toString().endsWith('\n')) socket.write('done');
    },
  });
  await using link = await Link.open(server);
  using waiting = new Client(link);
  using asking = new Client(link);
  waiting.send('wait');
  await until('the server to have the request', () => server.received() === 'wait');

  link.cutBeforeAnswer();
  answerLater();
  await waiting.reads('late');
  for (const part of ['a', 'b', 'c']) {
    asking.send(part);
    await until('the server to have the part', () => server.received().endsWith(part));
  }
  expect(link.isCut).toBe(false);
  asking.send('\n');
  expect(await asking.closes()).toBe('ECONNRESET');
  expect([asking.text, link.isCut]).toEqual(['', true]);
});

test('cutBeforeAnswer() on a connection with several requests under way cuts at the first answer, after all were acted on', async () => {
  const acted: string[] = [];
  let go = (): void => {};
  const released = new Promise<void>((resolve) => (go = resolve));
  await using server = await echoServer({
    // Like those that are meant: acts on requests one after the other, on none when the connection is gone, and closes its
    // side when it has acted on all that came before the end of the other.
    keepsHalfOpen: true,
    answer: async (chunk, socket) => {
      await released;
      for (const request of chunk.toString()) {
        for (let turn = 0; turn < 20; turn++) await nextTurn();
        if (socket.destroyed) return;
        acted.push(request);
        socket.write('.');
      }
      if (socket.readableEnded) socket.end();
    },
  });
  await using link = await Link.open(server);
  using client = new Client(link);
  client.send('1');
  await until('the server to have the first request', () => server.received() === '1');
  link.cutBeforeAnswer();
  client.send('23');
  await until('the server to have them all', () => server.received() === '123');
  go();
  expect(await client.closes()).toBe('ECONNRESET');
  expect([client.text, acted]).toEqual(['', ['1', '2', '3']]);
});

test('cutBeforeAnswer() first sends on what a delay still holds, and cuts although the server keeps the connection', async () => {
  await using server = await echoServer({ keepsHalfOpen: true });
  await using link = await Link.open(server);
  using client = new Client(link);
  await client.send('a').reads('a');
  link.delay(300);
  link.cutBeforeAnswer();
  client.send('b');
  await until('the server to act on the request', () => server.received() === 'ab');
  // Its answer, and this, are now held for 300 ms each: the answer is due first.
  client.send('c');
  expect(await client.closes()).toBe('ECONNRESET');
  expect([client.text, server.received()]).toEqual(['a', 'abc']);
});

test('cutBeforeAnswer() that was healed and called again leaves alone what was asked in between', async () => {
  let answerLater = (): void => {};
  await using server = await echoServer({
    answer: (_chunk, socket) => (answerLater = () => void socket.write('late')),
  });
  await using link = await Link.open(server);
  using client = new Client(link);
  link.cutBeforeAnswer();
  client.send('wait');
  await until('the server to have the request', () => server.received() === 'wait');
  link.heal();
  link.cutBeforeAnswer();
  answerLater();
  await client.reads('late');
  expect(link.isCut).toBe(false);
});

test('heal() disarms cutBeforeAnswer()', async () => {
  await using server = await echoServer();
  await using link = await Link.open(server);
  using client = new Client(link);
  await client.send('a').reads('a');
  link.cutBeforeAnswer();
  link.heal();
  await client.send('b').reads('b');
  expect([client.text, link.isCut]).toEqual(['ab', false]);
});
