import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { type QueueType, type ErrorCodeEntry, errorCodes } from '@nq/core';
import { type AclRule, aclRules as kafkaRules, queueType as kafkaType } from '@nq/kafka';
import { aclRules, queueType as redisType } from '@nq/redis';
import { redisFailures } from '../../redis/src/errors.ts';
import { root } from '../scripts/workspaces.mjs';
import { conformanceDocs } from './conformance-docs.ts';
import { optionsOf } from './options.ts';
import { readRepositoryFile, type RepositoryFile } from './repository.ts';

/** The tables of options, by the name of their section: which interfaces of which files they show. */
const optionTables: Readonly<Record<string, readonly (readonly [file: string, name: string])[]>> = {
  'channel-options': [['packages/channel/src/channel-options.ts', 'ChannelOptions']],
  'conformance-options': [
    ['packages/core/src/conformance/choose-rules.ts', 'RuleChoice'],
    ['packages/core/src/conformance/session.ts', 'SessionOptions'],
    ['packages/core/src/conformance/run-conformance.ts', 'ConformanceOptions'],
    ['packages/core/src/conformance/runner.ts', 'RunnerOptions'],
  ],
  'conformance-timing': [['packages/core/src/conformance/harness.ts', 'Timing']],
  'dispatcher-options': [['packages/core/src/dispatcher-options.ts', 'DispatcherOptions']],
  'kafka-options': [
    ['packages/kafka/src/kafka-options.ts', 'ServerOptions'],
    ['packages/kafka/src/kafka-options.ts', 'KafkaQueueOptions'],
  ],
  'kafka-reader-options': [['packages/kafka/src/kafka-reader.ts', 'KafkaReaderOptions']],
  'redis-options': [['packages/redis/src/redis-options.ts', 'RedisQueueOptions']],
  'retry-options': [['packages/core/src/retry.ts', 'RetryOptions']],
};

/** The pages that have sections which are generated. */
const pages = [
  'docs/kafka.md',
  'docs/redis.md',
  'docs/write-a-queue.md',
  'packages/channel/README.md',
  'packages/core/README.md',
  'packages/kafka/README.md',
  'packages/redis/README.md',
];

/** Every file of the documentation that comes from the code, as it should be, formatted. */
export function generatedDocs(): readonly RepositoryFile[] {
  const filled = pages.map((path) => ({ path, text: fillSections(readRepositoryFile(path).text, section) }));
  return [{ path: 'docs/errors.md', text: errorsPage(errorCodes) }, ...conformanceDocs(), ...filled].map(formatted);
}

/** The page of all error codes. */
export function errorsPage(codes: Readonly<Record<string, ErrorCodeEntry>>): string {
  const sections = Object.entries(codes).map(
    ([code, { meaning, retryable, action }]) =>
      `## ${code}\n\n${meaning}\n\n${retryable ? 'The same call may succeed later.' : 'The same call will fail again.'} ${action}\n`,
  );
  return `# Errors

<!-- Generated from packages/core/src/errors.ts by \`pnpm docs:generate\`. -->

Everything that a caller may want to handle is an \`NqError\` with one of these codes: act on \`code\`, read \`message\`, and find the client library's own error in \`cause\`. \`isNqError(error, code)\` recognises them, also across two installed copies. Codes are never renamed.

Misuse, such as a wrong type or a value out of range, is a \`TypeError\` or a \`RangeError\` without a code: correct the program. An abort rejects with the \`reason\` of your signal, untouched.

A \`pushMany\` goes to the backend in several requests. Whatever it rejects with, \`stored\` says how many of its events are stored all the same: the first ones; on a queue with \`order: 'key'\`, the first of each key, and which these are nobody can tell from their number. Where that matters, push one by one, or all of them again with the same ids, for handlers that can take an event twice.

${sections.join('\n')}`;
}

/**
 * \`markdown\` with what is between \`<!-- generated: name -->\` and \`<!-- /generated -->\` made anew.
 *
 * @throws {Error} if a section does not end.
 */
export function fillSections(markdown: string, make: (name: string) => string): string {
  return markdown.replaceAll(
    /(<!-- generated: ([a-z-]+) -->\n)([^]*?)(<!-- \/generated -->|$)/g,
    (_all, begin, name, _old, end) => {
      if (end === '') throw new Error(`The section ${name} does not end`);
      return `${begin}\n${make(name)}\n${end}`;
    },
  );
}

/** The other sections, by their name. */
const otherSections: Readonly<Record<string, () => string>> = {
  'kafka-acl': () => kafkaAcls(kafkaRules(kafkaNames)),
  'kafka-acl-push': () => kafkaAcls(kafkaRules(kafkaNames, 'push')),
  'redis-acl': () => {
    const list = aclCommand(aclRules('notification:events'));
    const stream = aclCommand(aclRules('shop:events', 'stream'));
    return `For a list:\n\n\`\`\`sh\n${list}\n\`\`\`\n\nFor a stream, with all of its groups:\n\n\`\`\`sh\n${stream}\n\`\`\``;
  },
  'kafka-not-in-url': () => notInUrl(kafkaType),
  'redis-not-in-url': () => notInUrl(redisType),
  'redis-errors': () => {
    const rows = redisFailures.map(({ signs, code, meaning }) => {
      const shown = signs.map((sign) => asCode(sign.trim())).join(' ');
      return `| ${shown} | \`${code}\` | ${meaning} |`;
    });
    return ['| The message begins with | Code | Meaning |', '| --- | --- | --- |', ...rows].join('\n');
  },
};

/** `text` as code, between marks that are not in it. */
function asCode(text: string): string {
  return text.includes('`') ? `\`\` ${text} \`\`` : `\`${text}\``;
}

/** Which options cannot be parameters of a URL. */
function notInUrl({ options }: QueueType): string {
  const names = Object.keys(options).filter((name) => options[name] === 'value');
  return `These have no form in a URL, and are given in \`extra\` or in code: ${names.map((name) => `\`${name}\``).join(', ')}.`;
}

const kafkaNames = { topic: 'notification-events', groupId: 'notifications' };

/** A table of `rules`, and the commands that set them. */
function kafkaAcls(rules: readonly AclRule[]): string {
  const rows = rules.map(
    ({ resource, name, operation, purpose }) => `| ${resource} | \`${name}\` | \`${operation}\` | ${purpose} |`,
  );
  const table = ['| Resource | Name | Operation | For |', '| --- | --- | --- | --- |', ...rows].join('\n');
  return `${table}\n\n\`\`\`sh\n${kafkaAclCommands(rules).join('\n')}\n\`\`\``;
}

/** The commands that give `rules` to a user, one for each topic and each group, for a shell. */
export function kafkaAclCommands(rules: readonly AclRule[]): readonly string[] {
  const places = new Map<string, string[]>();
  for (const { resource, name, operation } of rules) {
    const place = `--${resource} ${quoted(name)}`;
    places.set(place, [...(places.get(place) ?? []), `--operation ${operation}`]);
  }
  const add = 'kafka-acls.sh --bootstrap-server localhost:9092 --add --allow-principal User:nq';
  return Array.from(places, ([place, operations]) => `${add} ${operations.join(' ')} ${place}`);
}

/** A command that makes a user with `rules`, for a shell. The prompt of redis-cli takes the same quotes, unless one is in a key. */
export function aclCommand(rules: readonly string[]): string {
  const words = ['redis-cli', 'ACL', 'SETUSER', 'nq', 'on', '>secret', ...rules];
  return words.map(quoted).join(' ');
}

/** `word` as a shell takes it for one. */
function quoted(word: string): string {
  return /^[\w+@.-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}

function section(name: string): string {
  const other = otherSections[name];
  if (other !== undefined) return other();
  const table = optionTables[name];
  if (table === undefined) throw new Error(`Nobody makes the section ${name}`);
  const rows = table
    .flatMap(([file, type]) => optionsOf(readRepositoryFile(file), type))
    .map(
      ({ option, initial, isRequired, meaning }) =>
        `| \`${option}\` | ${initial === '' && isRequired ? 'must be given' : initial} | ${meaning} |`,
    );
  return ['| Option | Default | Meaning |', '| --- | --- | --- |', ...rows].join('\n');
}

function formatted({ path, text }: RepositoryFile): RepositoryFile {
  const formatter = join(root, 'node_modules/.bin/oxfmt');
  return {
    path,
    text: execFileSync(formatter, ['--stdin-filepath', path], { cwd: root, input: text, encoding: 'utf8' }),
  };
}
