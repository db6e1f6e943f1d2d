import { EventEmitter } from 'node:events';
import type { Peer } from '../harness.ts';
import { ServedQueue, type ServingProcess } from '../peer/served-queue.ts';

/** What a simulated process does. */
interface PeerProcess extends ServingProcess {
  /** Ends its connections, when the process is killed. */
  readonly drop: () => void;
}

/** A process that is none: it serves a queue as one would, in this process, over messages that are written down and read. */
export function simulatedPeer(process: PeerProcess): Peer {
  const events = new EventEmitter();
  const served = new ServedQueue(process);
  let over = false;
  const end = (code: number | null, signal: string | null): void => {
    if (over) return;
    over = true;
    events.emit('exit', code, signal);
  };
  return {
    send(message, callback) {
      callback(over ? new Error('the process has ended') : null);
      if (over) return;
      void served.answer(copyOf(message), (answer) => {
        if (over) return;
        events.emit('message', copyOf(answer));
        if (served.closed) end(0, null);
      });
    },
    on: (event: string, listener: (...values: never[]) => void) => events.on(event, listener as () => void),
    kill(signal) {
      if (!over) process.drop();
      end(null, signal);
    },
  };
}

/** A message as it arrives: written as JSON and read again. */
function copyOf(message: object): unknown {
  return JSON.parse(JSON.stringify(message));
}
