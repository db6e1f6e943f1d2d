import { channelQueue } from '@nq/channel';
import { type Capabilities, createQueue } from '@nq/core';
import { type ClaimLevel, type Rule, rules } from '@nq/core/conformance';
import { memoryDriver } from '@nq/core/testing';
import { mutants } from '../../core/test/conformance/mutants.ts';
import { capabilitiesOf as capabilitiesOfKafka } from '../../kafka/src/kafka-capabilities.ts';
import { resolveOptions as resolveKafka } from '../../kafka/src/kafka-options.ts';
import { capabilitiesOf } from '../../redis/src/redis-capabilities.ts';
import { defaultRedisOptions } from '../../redis/src/redis-options.ts';
import { optionsOf } from './options.ts';
import { readRepositoryFile, type RepositoryFile } from './repository.ts';

/** What a section of the rulebook is about. */
const sections: Readonly<Record<string, string>> = {
  '0': 'What a queue says of itself',
  '1': 'Pushing',
  '2': 'Popping',
  '3': 'Settling',
  '4': 'Order',
  '5': 'Capacity and size',
  '6': 'Opening and closing',
  '7': 'What lasts',
  '8': 'Faults',
  '9': 'Whole histories',
  '10': 'The dispatcher',
};

const claims: Readonly<Record<ClaimLevel, string>> = {
  core: 'it is a queue',
  durable: 'it keeps what it has accepted',
  resilient: 'also through faults',
  dispatcher: 'events reach handlers as promised',
};

/** The pages that the rulebook and its mutants make. */
export function conformanceDocs(): readonly RepositoryFile[] {
  return [
    { path: 'docs/rules.md', text: rulesPage(rules) },
    { path: 'docs/mutants.md', text: mutantsPage(rules, mutants) },
    { path: 'docs/guarantees.md', text: guaranteesPage(rules) },
  ];
}

const generated = (source: string): string => `<!-- Generated from ${source} by \`pnpm docs:generate\`. -->`;

/** The rulebook, for people. */
function rulesPage(book: readonly Rule[]): string {
  const levels = Object.entries(claims).map(([claim, meaning]) => `- **${claim}**: ${meaning}`);
  return [
    '# Rules',
    generated('packages/core/src/conformance/rules'),
    `What every queue must do, one sentence each: ${book.length} rules. A rule that needs a capability holds for the queues that declare it; where something can be called, the others must refuse it. Ids are never used again. How to run them against a queue of yours is in [Write a queue](write-a-queue.md); the queues that prove them are in [Mutants](mutants.md).`,
    `A queue may claim a level when all of its rules were run and are kept:\n\n${levels.join('\n')}\n\nRules of the tier \`stress\` take their time and are run only when they are asked for: a level is claimed without them too, unless one was run and is not kept. Beside the levels, a report and its badge name the tiers that were run for them.`,
    ...bySection(book).map(([title, group]) => [`## ${title}`, ...group.map((rule) => ruleSection(rule))].join('\n\n')),
  ].join('\n\n');
}

function ruleSection({ id, slug, level, claim, tier, requires, hooks = [], text, why, checkFirst }: Rule): string {
  const conditions = [
    ...(requires === undefined ? [] : [`needs \`${requires.text}\``]),
    ...hooks.map((hook) => `hook \`${hook}\``),
  ];
  const facts = [level, claim, tier, ...conditions].join(' · ');
  return `### ${id} ${slug}\n\n**${text}**\n\n${facts}\n\n${why} Check first: ${checkFirst}`;
}

/** What of a mutant is shown. */
interface ShownMutant {
  readonly name: string;
  readonly wrong: string;
}

/** Which rule catches which mutant. */
function mutantsPage(book: readonly Rule[], all: readonly ShownMutant[]): string {
  const wrongs = new Map(all.map(({ name, wrong }) => [name, wrong]));
  const rows = book.flatMap(({ id, mutants: names }) =>
    names.map((name) => `| [${id}](rules.md#${anchorOf(book, id)}) | ${name} | ${wrongs.get(name) ?? ''} |`),
  );
  return [
    '# Mutants',
    generated('packages/core/test/conformance/mutants'),
    `A test that cannot fail proves nothing. So each rule has queues that are wrong in exactly one way, ${all.length} in all, and \`npm test\` runs every row of this table: the rule must fail on the mutant, by its own id, and the mutant must have done what is wrong. Queues that are odd, but within the contract, must pass all rules; they are in [oddities.ts](../packages/core/test/conformance/oddities.ts).`,
    ['| rule | mutant | what is wrong with it |', '| :-- | :-- | :-- |', ...rows].join('\n'),
  ].join('\n\n');
}

/** A queue of ours, and what it declares. */
interface Declared {
  readonly name: string;
  readonly capabilities: Capabilities;
}

const declared: readonly Declared[] = [
  { name: '@nq/channel', capabilities: channelQueue().capabilities },
  { name: "@nq/channel, isolation: 'copy'", capabilities: channelQueue({ isolation: 'copy' }).capabilities },
  {
    name: '@nq/redis, a list, with appendonly',
    capabilities: capabilitiesOf({ ...defaultRedisOptions, stream: undefined }, { appendOnly: true }),
  },
  {
    name: '@nq/redis, a stream, with appendonly',
    capabilities: capabilitiesOf({ ...defaultRedisOptions, stream: defaultRedisOptions }, { appendOnly: true }),
  },
  {
    name: '@nq/kafka',
    capabilities: capabilitiesOfKafka(resolveKafka({ topic: 'events', groupId: 'group' }), { deadLetters: true }),
  },
  { name: 'the memory driver', capabilities: createQueue(memoryDriver()).capabilities },
];

/** What each queue promises, and the rules that hold it to that. */
function guaranteesPage(book: readonly Rule[]): string {
  const names = Object.keys(declared[0]?.capabilities ?? {}) as (keyof Capabilities)[];
  const rows = names.map((name) => {
    const values = declared.map(({ capabilities }) => showValue(capabilities[name]));
    return `| \`${name}\` | ${values.join(' | ')} | ${testedBy(book, name)} |`;
  });
  return [
    '# Guarantees',
    generated('the capabilities of the queues and packages/core/src/conformance/rules'),
    'What each queue declares in `capabilities`, as it is without options, and the rules that hold it to that. Where a capability is not declared, the rules in parentheses check that the operation is refused, or that nothing more happens than was promised. Every other rule of the [rulebook](rules.md) holds for all of them.',
    [
      `| capability | ${declared.map(({ name }) => name).join(' | ')} | rules |`,
      `| :-- | ${declared.map(() => ':--').join(' | ')} | :-- |`,
      ...rows,
    ].join('\n'),
    '## What they mean',
    optionsOf(readRepositoryFile('packages/core/src/capabilities.ts'), 'Capabilities')
      .map(({ option, meaning }) => `- \`${option}\`: ${meaning}`)
      .join('\n'),
    "Order is that of handing out. **Handlers of one key may run at the same time** on a channel and on Redis, if a dispatcher has several workers or there are several processes: `start(1)` in one process runs one after the other. On Kafka, with `order: 'key'`, an event is handed out when those of its key before it are settled.",
  ].join('\n\n');
}

function testedBy(book: readonly Rule[], name: keyof Capabilities): string {
  const looking = book.filter(({ requires, looksAt = [] }) =>
    [...(requires?.capabilities ?? []), ...looksAt].includes(name),
  );
  const link = ({ id }: Rule): string => `[${id}](rules.md#${anchorOf(book, id)})`;
  const negative = looking.filter(
    ({ requires, otherwise }) => otherwise !== undefined && requires?.capabilities.includes(name),
  );
  return [...looking.map(link), ...(negative.length === 0 ? [] : [`(${negative.map(link).join(' ')})`])].join(' ');
}

function showValue(value: Capabilities[keyof Capabilities]): string {
  if (value === true) return 'yes';
  if (value === false) return 'no';
  if (value === Infinity) return 'no limit';
  if (typeof value === 'number') return value.toLocaleString('en');
  if (typeof value === 'string') return value;
  return `${value.ms.toLocaleString('en')} ms${value.extend ? ', can be extended' : ''}`;
}

function bySection(book: readonly Rule[]): readonly (readonly [string, readonly Rule[]])[] {
  return Object.entries(sections)
    .map(([number, title]) => [`${number}. ${title}`, book.filter(({ id }) => id.split('.')[0] === number)] as const)
    .filter(([, group]) => group.length > 0)
    .sort(([a], [b]) => Number.parseInt(a, 10) - Number.parseInt(b, 10));
}

/** The anchor that the heading of a rule gets: lower case, no dots, hyphens for blanks. */
function anchorOf(book: readonly Rule[], id: string): string {
  const slug = book.find((rule) => rule.id === id)?.slug ?? '';
  return `${id.replaceAll('.', '')}-${slug}`;
}
