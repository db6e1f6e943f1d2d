// What a stranger writes for `node --test`: plain JavaScript, a queue that is sound or one that is not.
import { createQueue } from '@nq/core';
import { testConformance } from '@nq/core/conformance/node-test';
import { memoryDriver } from '@nq/core/testing';

const broken = process.argv.includes('--broken');

let opened = 0;

function open() {
  // `node --test` passes no arguments on.
  if (process.env['EXITING'] !== undefined && ++opened > 1) process.exit(0);
  if (process.argv.includes('--unreachable')) throw new Error('no such host');
  const driver = memoryDriver();
  if (broken) {
    // Every event comes out as another one.
    const encode = driver.encode.bind(driver);
    driver.encode = (event) => encode({ ...event, id: `${event.id}?` });
  }
  const queue = createQueue(driver);
  if (!process.argv.includes('--throwing')) return queue;
  const push = queue.push.bind(queue);
  return Object.assign(queue, {
    push(...call) {
      setTimeout(() => {
        throw new Error('thrown in a timer');
      });
      return push(...call);
    },
  });
}

/** A folder that cannot be made, because there is a file of that name. */
const reportFolder = process.argv.includes('--unwritable') ? import.meta.filename : undefined;

/** Leaves something behind, until that is said. */
function start() {
  if (!process.argv.includes('--lingering')) return;
  const timer = setInterval(() => {}, 1000);
  const { error } = console;
  console.error = (...words) => {
    clearInterval(timer);
    error(...words);
  };
}

const namespace = () => ({ open, dispose() {} });
testConformance(
  { name: 'a queue', namespace, timing: { patienceMs: 500 }, start },
  { only: ['0.1', '0.2', '0.3', '0.4'], reportFolder },
);
