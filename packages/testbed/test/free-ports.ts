// Ports as `freePort()` hands them out; as a program, prints as many as it is told.
import { freePort } from '../src/free-port.ts';

export async function freePorts(count: number): Promise<readonly number[]> {
  const ports: number[] = [];
  while (ports.length < count) ports.push(await freePort());
  return ports;
}

if (process.argv[1]?.endsWith('free-ports.ts') === true) {
  process.stdout.write(JSON.stringify(await freePorts(Number(process.argv[2]))));
}
