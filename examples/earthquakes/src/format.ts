/** A count as people write it: 1,707. */
export function formatCount(count: number): string {
  return count.toLocaleString('en-US');
}

/** A duration with two significant digits or more: 0.34 ms, 12 ms, 1.2 s. */
export function formatMs(ms: number): string {
  if (ms >= 1000) return `${(ms / 1000).toFixed(1)} s`;
  return `${ms >= 10 ? ms.toFixed(0) : ms.toFixed(2)} ms`;
}

/** `1 line`, `2 lines`. */
export function formatNumberOf(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? '' : 's'}`;
}

/** `text` for a terminal: what was read may hold control characters, or be as long as a book. */
export function printable(text: string, longest = 60): string {
  const safe = text.replace(/\p{Cc}/gu, '\u{FFFD}');
  return safe.length <= longest ? safe : `${safe.slice(0, longest)}…`;
}
