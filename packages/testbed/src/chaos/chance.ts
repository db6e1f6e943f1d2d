import type { Link } from '../link.ts';

/** Ways to hurt a link; the most telling one, an answer that is lost, is there twice. */
export const cuts: readonly ((link: Link) => void)[] = [
  (link) => link.cut(),
  (link) => link.cutBeforeAnswer(),
  (link) => link.cutBeforeAnswer(),
  (link) => link.dropReplies(),
  (link) => link.freeze(),
];

/** One of `items`, whichever. */
export function pick<Item>(items: readonly Item[]): Item {
  return items[Math.floor(Math.random() * items.length)] as Item;
}
