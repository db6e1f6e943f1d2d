import type { Redis } from 'ioredis';

/** A connection of the measurement itself, beside those of what is measured. */
export type Control = Redis;

/** Opens one, and empties the server. */
export async function openControl(address: string): Promise<Control> {
  const { Redis } = await import('ioredis');
  const control = new Redis(address);
  // What a process before had under way must not be done after the server was emptied.
  await control.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
  await control.flushall();
  return control;
}

/** How much CPU time the server has taken so far, in microseconds. */
export async function serverCpuUs(control: Control): Promise<number> {
  const info = await control.info('cpu');
  return (readNumber(info, 'used_cpu_user') + readNumber(info, 'used_cpu_sys')) * 1e6;
}

/** How much memory the server uses, in bytes. */
export async function usedMemory(control: Control): Promise<number> {
  return readNumber(await control.info('memory'), 'used_memory');
}

function readNumber(info: string, name: string): number {
  const text = new RegExp(`^${name}:([\\d.]+)`, 'm').exec(info)?.[1];
  if (text === undefined) throw new Error(`The server does not say ${name}`);
  return Number(text);
}
