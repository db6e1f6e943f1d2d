import { relay, type Relay } from './relay.ts';

/** What a broker is to say of itself: for requests, by their numbers, the versions that it takes; none for `undefined`. */
export type Edit = Readonly<Record<number, { readonly min?: number; readonly max?: number } | undefined>>;

/** Opens a way to the broker at `address` on which its answer to what every client asks first is changed, and nothing else. */
export function editedBroker(address: string, edit: Edit): Promise<Relay> {
  return relay(
    () => address,
    (client, broker) => {
      let first: Buffer | undefined = Buffer.alloc(0);
      broker.on('data', (chunk) => {
        if (first === undefined) return void client.write(chunk);
        first = Buffer.concat([first, chunk]);
        if (first.length < 4 || first.length < 4 + first.readInt32BE(0)) return undefined;
        client.write(edited(first, edit));
        first = undefined;
        return undefined;
      });
      client.pipe(broker);
    },
  );
}

/** An answer to ApiVersions, versions 0 to 2: its size, a number, an error, and three numbers for each request. */
function edited(answer: Buffer, edit: Edit): Buffer {
  const changed = Buffer.from(answer);
  for (let left = changed.readInt32BE(10), at = 14; left > 0; left--, at += 6) {
    const api = changed.readInt16BE(at);
    if (!Object.hasOwn(edit, api)) continue;
    const { min = changed.readInt16BE(at + 2), max = changed.readInt16BE(at + 4) } = edit[api] ?? {};
    // One that nobody has.
    if (edit[api] === undefined) changed.writeInt16BE(9999, at);
    changed.writeInt16BE(min, at + 2);
    changed.writeInt16BE(max, at + 4);
  }
  return changed;
}
