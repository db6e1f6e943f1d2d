import { execFileSync } from 'node:child_process';
import { aclRules as kafkaRules } from '@nq/kafka';
import { aclRules } from '@nq/redis';
import { describe, expect, test } from 'vitest';
import { aclCommand, errorsPage, fillSections, generatedDocs, kafkaAclCommands } from '../rules/generated-docs.ts';
import { optionsOf } from '../rules/options.ts';
import { readRepositoryFile } from '../rules/repository.ts';

describe('generated documentation', () => {
  test.each(generatedDocs().map(({ path, text }) => [path, text]))('%s is what the code says', (path, text) => {
    expect(readRepositoryFile(path).text).toBe(text);
  });

  test('the page of errors tells of every code what it means, whether to try again, and what to do', () => {
    const page = errorsPage({ NQ_ODD: { meaning: 'It is odd.', retryable: true, action: 'Make it even.' } });
    expect(page).toContain('## NQ_ODD\n\nIt is odd.\n\nThe same call may succeed later. Make it even.\n');
  });

  test('a section is replaced between its marks, and what is around it stays', () => {
    const page = 'a\n<!-- generated: one -->\nold\n<!-- /generated -->\nb\n';
    expect(fillSections(page, (name) => `new ${name}`)).toBe(
      'a\n<!-- generated: one -->\n\nnew one\n<!-- /generated -->\nb\n',
    );
  });

  test('a section that does not end is refused', () => {
    expect(() => fillSections('<!-- generated: one -->\nold\n', () => '')).toThrow('The section one does not end');
  });
});

describe('the command of the ACL', () => {
  const given = ['resetkeys', "~it's {a}:*", '+client|setname', '-@all', '&$HOME', '~a b'];

  test.skipIf(process.platform === 'win32')('is read by a shell as what it should be', () => {
    const script = `printf '%s\\n' ${aclCommand(given)}`;
    const words = execFileSync('sh', ['-c', script], { encoding: 'utf8' }).trimEnd().split('\n');
    expect(words).toEqual(['redis-cli', 'ACL', 'SETUSER', 'nq', 'on', '>secret', ...given]);
  });

  test('is whole in the documentation, for a list and for a stream', () => {
    const commands = readRepositoryFile('docs/redis.md').text.match(/^redis-cli ACL SETUSER .*$/gm);
    const rules = [aclRules('notification:events'), aclRules('shop:events', 'stream')];
    expect(commands).toEqual(rules.map(aclCommand));
  });
});

describe('the commands of the ACLs of Kafka', () => {
  const names = { topic: 'notification-events', groupId: 'notifications' };

  test('are whole in the documentation, for everything and for pushing', () => {
    const commands = readRepositoryFile('docs/kafka.md').text.match(/^kafka-acls\.sh .*$/gm);
    const rules = [kafkaRules(names), kafkaRules(names, 'push')];
    expect(commands).toEqual(rules.flatMap(kafkaAclCommands));
  });

  test('quote what a shell would read as something else', () => {
    const rules = kafkaRules({ topic: 't', groupId: "it's $HOME", deadLetterTopic: 'dead' });
    expect(kafkaAclCommands(rules).find((command) => command.includes('$HOME'))).toMatch(
      / --operation Read --group 'it'\\''s \$HOME'$/,
    );
  });
});

describe('a table of options', () => {
  const file = (text: string) => ({ path: 'some.ts', text });

  test('has a row for each member, with the default and the words of its comment', () => {
    const text = `export interface Some {
  /** How long, in milliseconds. @default 30_000 */
  readonly waitMs?: number;
  /**
   * How it
   * is done.
   *
   * @default as the queue says
   */
  readonly how?: string;
  /** Where. @default ['here:1'] */
  readonly where?: readonly string[];
  /** For whom. */
  readonly who: string;
}`;
    expect(optionsOf(file(text), 'Some')).toEqual([
      { option: 'waitMs', initial: '`30_000`', isRequired: false, meaning: 'How long, in milliseconds.' },
      { option: 'how', initial: 'as the queue says', isRequired: false, meaning: 'How it is done.' },
      { option: 'where', initial: "`['here:1']`", isRequired: false, meaning: 'Where.' },
      { option: 'who', initial: '', isRequired: true, meaning: 'For whom.' },
    ]);
  });

  test('refuses a member without a comment, and an interface that is not there', () => {
    expect(() => optionsOf(file('export interface Some { readonly a?: number }'), 'Some')).toThrow(
      'some.ts: Some.a has no comment',
    );
    expect(() => optionsOf(file(''), 'Some')).toThrow('some.ts has no interface Some');
  });
});
