import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeFolder } from './run-program.ts';

/**
 * A folder in which a package `odd` is installed, a queue type that differs from a channel, or from a queue on Redis.
 *
 * @param source a module with `channelQueue`, `redisQueue`, `NqError` and `change` in scope, that exports `open`
 */
export function makeOddQueue(source: string): string {
  const folder = makeFolder();
  const odd = join(folder, 'node_modules/odd');
  mkdirSync(odd, { recursive: true });
  writeFileSync(join(odd, 'package.json'), '{"type":"module","exports":"./odd.js"}');
  writeFileSync(
    join(odd, 'odd.js'),
    `import { channelQueue } from ${JSON.stringify(import.meta.resolve('@nq/channel'))};
     import { redisQueue } from ${JSON.stringify(import.meta.resolve('@nq/redis'))};
     import { NqError } from ${JSON.stringify(import.meta.resolve('@nq/core'))};
     const change = (target, changes) => new Proxy(target, {
       get(_, name) {
         if (name in changes) return changes[name];
         const value = Reflect.get(target, name, target);
         return typeof value === 'function' ? value.bind(target) : value;
       },
     });
     ${source}
     export const queueType = { type: 'odd', options: { url: 'text', queueKey: 'text', leaseMs: 'ms' }, open };`,
  );
  return folder;
}
