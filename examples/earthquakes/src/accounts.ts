import type { DeadLetter } from '@nq/core';
import { readAuditLog } from './audit-log.ts';
import { EntrySet } from './entry-set.ts';
import { entryOf } from './once.ts';
import { Results } from './results.ts';

/**
 * What several processes have handled, added up from their audit logs, because one that was killed tells nothing any more.
 * An event that was handled, and not acknowledged before its process was killed, is in two of them: it counts once.
 */
export class Accounts {
  readonly results = new Results();
  /** Events that were handled. */
  handled = 0;
  /** How often one of them was handled once more. */
  duplicates = 0;
  readonly #entries = new EntrySet();

  /** Adds the audit log at `path`. @returns how many records it has. */
  async addLog(path: string): Promise<number> {
    let records = 0;
    for await (const record of readAuditLog(path)) {
      records++;
      if (!this.#isNew(record.entry, record.id)) continue;
      this.handled++;
      this.results.add(record);
    }
    return records;
  }

  /** @returns those of `letters` whose events were not handled as well. */
  notHandled(letters: readonly DeadLetter[]): readonly DeadLetter[] {
    return letters.filter(({ event }) => this.#isNew(entryOf(event), event.id));
  }

  /** What no run has marked was in the queue before, and has nothing but its id to be known by. */
  #isNew(entry: string | undefined, id: string): boolean {
    const isNew = this.#entries.add(entry ?? `id:${id}`);
    if (!isNew) this.duplicates++;
    return isNew;
  }
}
