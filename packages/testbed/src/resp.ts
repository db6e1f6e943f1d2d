/** What a Redis server answers, in the second version of its protocol. An error within an array is an `Error`. */
export type RedisReply = string | number | null | Error | readonly RedisReply[];

/** `args` as a request. */
export function encodeRequest(args: readonly (string | number | Uint8Array)[]): Buffer {
  const parts = args.flatMap((arg) => {
    const bytes = typeof arg === 'object' ? arg : Buffer.from(String(arg));
    return [Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from('\r\n')];
  });
  return Buffer.concat([Buffer.from(`*${args.length}\r\n`), ...parts]);
}

/**
 * The reply that begins at `start`, and where the next one does; `undefined` if not all of it is there yet.
 *
 * @throws {Error} if it is no reply.
 */
export function decodeReply(
  bytes: Buffer,
  start = 0,
): { readonly reply: RedisReply; readonly end: number } | undefined {
  const lineEnd = bytes.indexOf('\r\n', start);
  if (lineEnd === -1) return undefined;
  const line = bytes.toString('utf8', start + 1, lineEnd);
  const end = lineEnd + 2;
  switch (String.fromCharCode(bytes[start] ?? 0)) {
    case '+':
      return { reply: line, end };
    case '-':
      return { reply: new Error(line), end };
    case ':':
      return { reply: Number(line), end };
    case '$': {
      const length = Number(line);
      if (length === -1) return { reply: null, end };
      if (bytes.length < end + length + 2) return undefined;
      return { reply: bytes.toString('utf8', end, end + length), end: end + length + 2 };
    }
    case '*':
      return Number(line) === -1 ? { reply: null, end } : decodeArray(bytes, end, Number(line));
    default:
      throw new Error(`Cannot read a reply: it begins with ${JSON.stringify(bytes.toString('latin1', start, end))}`);
  }
}

function decodeArray(bytes: Buffer, start: number, length: number): ReturnType<typeof decodeReply> {
  const reply: RedisReply[] = [];
  let end = start;
  while (reply.length < length) {
    const item = decodeReply(bytes, end);
    if (item === undefined) return undefined;
    reply.push(item.reply);
    end = item.end;
  }
  return { reply, end };
}
