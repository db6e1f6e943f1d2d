import type { Budget } from '../harness/budget.ts';
import type { Column, Readings } from '../harness/case.ts';
import { formatNumber, formatRate } from '../harness/format.ts';
import { measurePasses, type Operation, type Pass, timed } from '../harness/measure-throughput.ts';
import { median } from '../harness/statistics.ts';
import { type Control, openControl, serverCpuUs, usedMemory } from './control.ts';

/** What {@link serverThroughput} reads. */
export const serverThroughputColumns: readonly Column[] = [
  { heading: 'messages/s', keys: ['opsPerSecond'], format: formatRate },
  { heading: 'client CPU, µs/message', keys: ['clientCpuUs'], format: formatNumber },
  { heading: 'server CPU, µs/message', keys: ['serverCpuUs'], format: formatNumber },
];

/** What is done in a pass. */
export interface ServerOperation {
  /** Done before, and not timed. */
  readonly prepare?: (count: number) => Promise<unknown>;
  readonly run: Operation;
  /** Done afterwards, and not timed. @throws if messages were lost. */
  readonly check: (count: number) => Promise<void>;
}

/** Measures how fast an operation on a server is, and how much CPU time it costs on both sides. */
export function serverThroughput(
  open: (address: string, control: Control) => Promise<ServerOperation>,
): (budget: Budget, address: string) => Promise<Readings> {
  return async (budget, address) => {
    const control = await openControl(address);
    const operation = await open(address, control);
    const { count, passes } = await measurePasses(budget, (many) => onePass(operation, many, control));
    return {
      opsPerSecond: (count / median(passes.map(({ wallMs }) => wallMs))) * 1000,
      clientCpuUs: median(passes.map(({ cpuUs }) => cpuUs)) / count,
      serverCpuUs: median(passes.map((pass) => pass.serverCpuUs)) / count,
    };
  };
}

interface ServerPass extends Pass {
  readonly serverCpuUs: number;
}

async function onePass({ prepare, run, check }: ServerOperation, count: number, control: Control): Promise<ServerPass> {
  await prepare?.(count);
  const before = await serverCpuUs(control);
  const pass = await timed(run, count);
  const after = await serverCpuUs(control);
  await check(count);
  return { ...pass, serverCpuUs: after - before };
}

/** What {@link queuedMemory} reads. */
export const queuedMemoryColumns: readonly Column[] = [
  { heading: 'server memory, bytes/message', keys: ['bytesPerMessage'], format: formatNumber },
];

/** A tenth of what is held in memory of this process, and as many as are put in before anything is counted. */
const parts = 10;
const warmUpMessages = 1000;

/**
 * Measures what the server needs for each message that waits.
 *
 * @param open resolves with what puts in the messages from one number up to another one.
 */
export function queuedMemory(
  open: (address: string, control: Control) => Promise<(from: number, end: number) => Promise<unknown>>,
): (budget: Budget, address: string) => Promise<Readings> {
  return async ({ heldEvents }, address) => {
    const control = await openControl(address);
    const fill = await open(address, control);
    const count = heldEvents / parts;
    // What is made once, at first use, is not for any message.
    await fill(0, warmUpMessages);
    const before = await usedMemory(control);
    await fill(warmUpMessages, warmUpMessages + count);
    return { bytesPerMessage: ((await usedMemory(control)) - before) / count };
  };
}
