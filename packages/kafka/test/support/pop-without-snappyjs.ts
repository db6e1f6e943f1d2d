// A process of its own, which has no snappyjs, opens the queue that its argument names, pops, and sends what came of it.
import { register } from 'node:module';
import type { KafkaQueueOptions } from '../../src/index.ts';

/** As Node.js takes them: a module of its own, which answers where a package is. */
const hooks = `
  export async function resolve(specifier, context, next) {
    if (specifier !== 'snappyjs') return next(specifier, context);
    throw Object.assign(new Error('Cannot find package'), { code: 'ERR_MODULE_NOT_FOUND' });
  }`;
register(`data:text/javascript,${encodeURIComponent(hooks)}`);

const { kafkaQueue } = await import('../../src/index.ts');
try {
  await using queue = await kafkaQueue(JSON.parse(process.argv[2] ?? '') as KafkaQueueOptions);
  process.send?.({ event: (await queue.pop({ timeoutMs: 20_000 }))?.event });
} catch (error) {
  const { code, message } = error as { readonly code?: unknown; readonly message: string };
  process.send?.({ code, message });
}
process.disconnect?.();
