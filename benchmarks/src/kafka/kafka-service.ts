import { fileURLToPath } from 'node:url';
import type { Service } from '../harness/service.ts';
import { startService } from '../harness/start-service.ts';

/** The same from `src` and from `dist`. */
const program = fileURLToPath(new URL('../../src/kafka/serve.ts', import.meta.url));

/**
 * Starts the Kafka that all cases are measured on, as processes of this machine.
 *
 * @throws {Failure} if there is none.
 */
export function startKafka(): Promise<Service> {
  return startService('Kafka', program);
}
