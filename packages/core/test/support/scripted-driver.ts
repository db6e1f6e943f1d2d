import { defineCapabilities, type Capabilities, type Clock, type QueueDriver } from '../../src/index.ts';
import { memoryDriver, type MemoryDriverOptions } from '../../src/testing.ts';

type Method = 'encode' | 'push' | 'pop' | 'ack' | 'nack' | 'extend' | 'size' | 'close' | 'classify';

/** A call that the queue made of its driver. */
interface DriverCall {
  readonly method: Method;
  readonly args: readonly unknown[];
}

export interface ScriptedDriverOptions extends MemoryDriverOptions {
  readonly clock: Clock;
  /** What is declared otherwise than by the memory driver. */
  readonly capabilities?: Partial<Capabilities>;
}

export interface ScriptedDriver {
  readonly driver: QueueDriver<string>;
  /** The memory driver behind it. */
  readonly backend: QueueDriver<string>;
  /** Every call of the queue, in order. */
  readonly calls: DriverCall[];
  /** The arguments of the calls of one method. */
  callsOf(method: Method): readonly (readonly unknown[])[];
}

/** A memory driver of which a test writes some methods anew; all calls are recorded. */
export function scriptedDriver(
  options: ScriptedDriverOptions,
  script: (backend: QueueDriver<string>) => Partial<QueueDriver<string>> = () => ({}),
): ScriptedDriver {
  const { capabilities, ...memory } = options;
  const backend = memoryDriver(memory);
  const own = script(backend);
  const calls: DriverCall[] = [];

  const call = <Args extends readonly unknown[], Result>(
    method: Method,
    standard: (...args: Args) => Result,
    scripted: ((...args: Args) => Result) | undefined,
  ): ((...args: Args) => Result) => {
    const answer = scripted ?? standard;
    return (...args) => {
      calls.push({ method, args });
      return answer(...args);
    };
  };

  const driver: QueueDriver<string> = {
    // The backend outlives the queue: tests look into it after the queue has closed.
    capabilities: defineCapabilities({ ...backend.capabilities, durable: 'process', ...capabilities }),
    capacity: own.capacity ?? backend.capacity,
    encode: call('encode', (event) => backend.encode(event), own.encode),
    push: call('push', (events) => backend.push(events), own.push),
    pop: call('pop', (max, waitMs, signal) => backend.pop(max, waitMs, signal), own.pop),
    ack: call('ack', (receipts) => backend.ack(receipts), own.ack),
    nack: call('nack', (returns) => backend.nack(returns), own.nack),
    extend: call('extend', (receipts, ms) => backend.extend?.(receipts, ms) ?? Promise.resolve([]), own.extend),
    size: call('size', () => backend.size(), own.size),
    close: call('close', () => backend.close(), own.close),
    classify: call('classify', (error) => backend.classify(error), own.classify),
    ...(own.explain && { explain: own.explain }),
    ...(own.gathering && { gathering: own.gathering }),
    ...(own.onLeaseLost && { onLeaseLost: own.onLeaseLost }),
    ...(own.rewind && { rewind: own.rewind }),
    ...((own.deadLetters ?? backend.deadLetters) && { deadLetters: own.deadLetters ?? backend.deadLetters }),
  } as QueueDriver<string>;

  return {
    driver,
    backend,
    calls,
    callsOf: (method) => calls.filter((one) => one.method === method).map(({ args }) => args),
  };
}
