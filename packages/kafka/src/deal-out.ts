/** A member of a group, as it says of itself. */
export interface Member {
  readonly id: string;
  /** What it reads. */
  readonly topics: readonly string[];
  /** What it had until now, by topic: what it would give up last comes first. */
  readonly owned: ReadonlyMap<string, readonly number[]>;
  /** Whether it wants all partitions of its topics for itself. */
  readonly claimsAll: boolean;
}

/** Partitions of each member, by topic. */
export type Dealt = Map<string, Map<string, number[]>>;

/**
 * Deals out every partition of every topic among the members that read it: as evenly as can be, and so that each keeps
 * what it has. Who claims all of a topic gets all of it. The same members, whatever their order, give the same answer.
 */
export function dealOut(members: readonly Member[], partitions: ReadonlyMap<string, readonly number[]>): Dealt {
  const sorted = members.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  const dealt: Dealt = new Map(sorted.map(({ id }) => [id, new Map()]));
  const counts = new Map<string, number>(sorted.map(({ id }) => [id, 0]));
  for (const topic of [...partitions.keys()].toSorted()) {
    const all = sorted.filter(({ topics }) => topics.includes(topic));
    if (all.length === 0) continue;
    // Whoever has them already keeps them.
    const claimants = all.filter(({ claimsAll }) => claimsAll);
    const claimant = claimants.find(({ owned }) => (owned.get(topic) ?? []).length > 0) ?? claimants[0];
    const readers = claimant === undefined ? all : [claimant];
    deal(topic, partitions.get(topic) ?? [], readers, { dealt, counts });
  }
  return dealt;
}

interface Table {
  readonly dealt: Dealt;
  /** How many partitions each member has, of all topics. */
  readonly counts: Map<string, number>;
}

function deal(topic: string, partitions: readonly number[], readers: readonly Member[], table: Table): void {
  const give = (id: string, partition: number): void => {
    const own = table.dealt.get(id) as Map<string, number[]>;
    const list = own.get(topic) ?? [];
    list.push(partition);
    own.set(topic, list);
    table.counts.set(id, (table.counts.get(id) as number) + 1);
  };
  // Nobody keeps more than a fair share: some have one more than the others where it does not come out even.
  const least = Math.floor(partitions.length / readers.length);
  let extra = partitions.length % readers.length;
  const free = new Set(partitions);
  for (const { id, owned } of readers) {
    const kept = (owned.get(topic) ?? []).filter((partition) => free.has(partition));
    const share = kept.length > least && extra > 0 ? least + 1 : least;
    if (kept.length > least && extra > 0) extra--;
    for (const partition of kept.slice(0, share)) {
      free.delete(partition);
      give(id, partition);
    }
  }
  const sizeOf = (id: string): number => table.dealt.get(id)?.get(topic)?.length ?? 0;
  for (const partition of [...free].toSorted((a, b) => a - b)) {
    // Who has the fewest of this topic, and then of all.
    const poorest = readers.reduce((a, b) => {
      const difference = sizeOf(a.id) - sizeOf(b.id);
      if (difference !== 0) return difference < 0 ? a : b;
      return (table.counts.get(b.id) as number) < (table.counts.get(a.id) as number) ? b : a;
    });
    give(poorest.id, partition);
  }
}
