import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const folder = fileURLToPath(new URL('.', import.meta.url));

/** Runs `program` in a process of its own. @returns what it printed, once it has ended by itself within ten seconds. */
function run(program: string): Promise<string> {
  const imports = `import { createDispatcher } from '@nq/core'; import { channelQueue } from '@nq/channel';`;
  const args = ['--conditions=@nq/source', '--input-type=module', '--eval', imports + program];
  return new Promise((resolve, reject) => {
    execFile(process.execPath, args, { cwd: folder, timeout: 10_000 }, (error, stdout) =>
      error === null ? resolve(stdout.trim()) : reject(error),
    );
  });
}

describe('a process', () => {
  test.each([
    [
      'after stop(), with a handler that never returns',
      `const dispatcher = createDispatcher(10, { handlerTimeoutMs: 60_000 });
       const called = new Promise((resolve) => dispatcher.on('t', () => (resolve(), new Promise(() => {}))));
       await dispatcher.start(2);
       await dispatcher.dispatch({ type: 't' });
       await called;
       console.log(JSON.stringify(await dispatcher.stop({ deadlineMs: 10 })));`,
      '{"completed":0,"returned":0,"abandoned":1,"deadLetters":0}',
    ],
    [
      'after stop(), with retries that wait',
      `const dispatcher = createDispatcher(10, { retry: { inPlaceDelayMs: 60_000, delayMs: 60_000 } });
       const called = new Promise((resolve) => dispatcher.on('t', () => { resolve(); throw new Error('no'); }));
       await dispatcher.start(1);
       await dispatcher.dispatch({ type: 't' });
       await called;
       console.log(JSON.stringify(await dispatcher.stop({ deadlineMs: 10 })));`,
      '{"completed":0,"returned":0,"abandoned":1,"deadLetters":0}',
    ],
    [
      'after close(), with calls that waited for long and a delivery that is open',
      `const queue = channelQueue({ capacity: 1 });
       await queue.push({ type: 't' });
       await queue.pop();
       await queue.push({ type: 't' });
       const { signal } = new AbortController();
       const waiting = [queue.push({ type: 't' }, { timeoutMs: 60_000, signal }), queue.push({ type: 't' })];
       const ends = Promise.allSettled(waiting);
       console.log(JSON.stringify(await queue.close()), (await ends).map(({ reason }) => reason.code).join());`,
      '{"returned":0,"abandoned":2,"deadLetters":0} NQ_CLOSED,NQ_CLOSED',
    ],
    [
      'without close(), if it has nothing else to do, although a delivery is open and calls waited once',
      `const queue = channelQueue({ leaseMs: 60_000 });
       const pop = queue.pop({ timeoutMs: 60_000 });
       await queue.push({ type: 't', data: 5 });
       console.log((await pop).event.data);`,
      '5',
    ],
    [
      'without stop(), if all its events are handled',
      `const dispatcher = createDispatcher(10);
       dispatcher.on('t', async (event) => console.log(event.data));
       await dispatcher.start(2);
       await dispatcher.dispatch({ type: 't', data: 5 });`,
      '5',
    ],
  ])('ends by itself %s', async (_when, program, printed) => {
    expect(await run(program)).toBe(printed);
  });

  test('stays as long as an event waits for its next attempt', async () => {
    const printed = await run(
      `const dispatcher = createDispatcher(10, { retry: { inPlace: 0, delayMs: 50 } });
       dispatcher.on('t', (event, { attempt }) => { if (attempt < 3) throw new Error('no'); console.log(attempt); });
       await dispatcher.start(2);
       await dispatcher.dispatch({ type: 't' });`,
    );
    expect(printed).toBe('3');
  });

  test('is told of the first failure of each type, and of a drain() that nothing was started for, if nobody listens', async () => {
    const warned = await run(
      `process.on('warning', ({ name, message }) => console.log(name + ': ' + message));
       const dispatcher = createDispatcher(10, { retry: { maxAttempts: 2, inPlace: 0, delayMs: 1 } });
       dispatcher.on('u', () => { throw new Error('no'); });
       await dispatcher.drain();
       await dispatcher.start();
       await dispatcher.dispatch({ type: 't', id: 'e1' });
       await dispatcher.dispatch({ type: 'u', id: 'e2' });
       await dispatcher.dispatch({ type: 'u', id: 'e3' });
       await dispatcher.drain();
       await dispatcher.stop();`,
    );
    const hint = '(told once per type: set onError to hear of every failure)';
    expect(warned.split('\n')).toEqual([
      'NqWarning: drain() waits, but the dispatcher is not started',
      `NqWarning: handle of event "e1" of type "t": No handler is registered for events of type "t" ${hint}`,
      `NqWarning: handle of event "e2" of type "u": no ${hint}`,
    ]);
  });

  test('tells on stderr what nobody listens to', async () => {
    const warned = await run(
      `process.on('warning', ({ name, message }) => console.log(name + ': ' + message));
       const queue = channelQueue({ deadLetterCapacity: 0 });
       const dispatcher = createDispatcher({ queue }, { retry: { maxAttempts: 1, inPlace: 0, maxDelayMs: 1 } });
       const called = new Promise((resolve) => dispatcher.on('t', () => { resolve(); throw new Error('no'); }));
       await dispatcher.start();
       await dispatcher.dispatch({ type: 't', id: 'e1' });
       await called;
       await dispatcher.stop();
       await queue.close();`,
    );
    expect(warned).toContain(
      'NqWarning: dead-letter of event "e1" of type "t": Cannot give the event up: its queue keeps no dead letters and no deadLetterQueue is set (kept: it is handed out again in 1 ms)',
    );
  });
});
