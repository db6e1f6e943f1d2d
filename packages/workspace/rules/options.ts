import { parseSync } from 'oxc-parser';
import type { RepositoryFile } from './repository.ts';

/** A member of an interface of options, as its comment tells it. */
export interface Option {
  readonly option: string;
  /** In Markdown; empty if there is none. */
  readonly initial: string;
  /** Whether it must be given. */
  readonly isRequired: boolean;
  /** What the comment says, on one line. */
  readonly meaning: string;
}

/**
 * The members of interface `name` in `file`, in order.
 *
 * @throws {Error} if there is no such interface, or one of its members has no comment.
 */
export function optionsOf({ path, text }: RepositoryFile, name: string): readonly Option[] {
  const { program, comments } = parseSync(path, text);
  for (const statement of program.body) {
    if (statement.type !== 'ExportNamedDeclaration') continue;
    const { declaration } = statement;
    if (declaration?.type !== 'TSInterfaceDeclaration' || declaration.id.name !== name) continue;
    return declaration.body.body.flatMap((member) => {
      if (member.type !== 'TSPropertySignature' || member.key.type !== 'Identifier') return [];
      const option = member.key.name;
      const comment = comments.findLast(
        ({ end }) => end <= member.start && text.slice(end, member.start).trim() === '',
      );
      if (comment?.type !== 'Block') throw new Error(`${path}: ${name}.${option} has no comment`);
      return [{ option, isRequired: !member.optional, ...readComment(comment.value) }];
    });
  }
  throw new Error(`${path} has no interface ${name}`);
}

function readComment(comment: string): Omit<Option, 'option' | 'isRequired'> {
  const lines = comment.split('\n').map((line) => line.replace(/^\s*\*+ ?/, '').trim());
  const [meaning = '', ...tags] = lines.join(' ').split(/@(?=default\b)/);
  const initial = tags.map((tag) => tag.replace(/^default\s+/, '').trim()).join(' ');
  // A value is code; what is told in words is not.
  const isCode = /^(?:[\w.-]+|'[^']*'|\[.*\])$/.test(initial);
  return { initial: isCode ? `\`${initial}\`` : initial, meaning: meaning.replaceAll(/\s+/g, ' ').trim() };
}
