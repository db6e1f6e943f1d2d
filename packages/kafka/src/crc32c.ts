/** The polynomial of Castagnoli, reflected (RFC 3720, appendix B.4). */
const polynomial = 0x82f63b78;

/** So many bytes are taken at a time: 16 take two thirds of the time of 8 (430 bytes in 220 ns; Node 20, measured). */
const stride = 16;

/**
 * What a byte makes of the checksum, with 0 to 15 further bytes behind it: tables of 256, one behind the other (Kounavis
 * and Berry, "Novel Table Lookup-Based Algorithms", 2008).
 */
const tables = makeTables();

function makeTables(): Int32Array {
  const made = new Int32Array(stride * 256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 1 ? (crc >>> 1) ^ polynomial : crc >>> 1;
    made[byte] = crc;
  }
  for (let at = 256; at < made.length; at++) {
    const before = made[at - 256] as number;
    made[at] = (before >>> 8) ^ (made[before & 0xff] as number);
  }
  return made;
}

/** CRC-32C of `bytes` from `start` on, as record batches have it: `zlib.crc32()` of Node.js is of another polynomial. */
export function crc32c(bytes: Uint8Array, start = 0): number {
  const { length } = bytes;
  const table = tables;
  const view = new DataView(bytes.buffer, bytes.byteOffset, length);
  let crc = -1;
  let at = start;
  for (const end = length - stride + 1; at < end; at += stride) {
    crc =
      behind(table, 12, crc ^ view.getInt32(at, true)) ^
      behind(table, 8, view.getInt32(at + 4, true)) ^
      behind(table, 4, view.getInt32(at + 8, true)) ^
      behind(table, 0, view.getInt32(at + 12, true));
  }
  for (; at < length; at++) crc = (crc >>> 8) ^ (table[(crc ^ (bytes[at] as number)) & 0xff] as number);
  return ~crc >>> 0;
}

/** What four bytes make of it that are one number, with so many bytes behind them. */
function behind(table: Int32Array, bytes: number, four: number): number {
  const at = bytes << 8;
  return (
    (table[at + 768 + (four & 0xff)] as number) ^
    (table[at + 512 + ((four >>> 8) & 0xff)] as number) ^
    (table[at + 256 + ((four >>> 16) & 0xff)] as number) ^
    (table[at + (four >>> 24)] as number)
  );
}
