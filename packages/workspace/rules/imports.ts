import { parseSync } from 'oxc-parser';
import type { RepositoryFile } from './repository.ts';

/** What a module asks for: `import`, `export … from` and `import('a literal')`, types included. */
export function importsOf({ path, text }: RepositoryFile): readonly string[] {
  const { staticImports, staticExports, dynamicImports } = parseModule({ path, text });
  const literal = /^(['"])(.*)\1$/;
  return [
    ...staticImports.map(({ moduleRequest }) => moduleRequest.value),
    ...staticExports.flatMap(({ entries }) => entries.flatMap(({ moduleRequest }) => moduleRequest?.value ?? [])),
    ...dynamicImports.flatMap(({ moduleRequest: { start, end } }) => literal.exec(text.slice(start, end))?.[2] ?? []),
  ];
}

/** Whether a module re-exports everything of another one, so that nobody decided what is public. */
export function exportsEverything(file: RepositoryFile): boolean {
  return parseModule(file).staticExports.some(({ entries }) =>
    entries.some(({ importName }) => importName.kind === 'All' || importName.kind === 'AllButDefault'),
  );
}

function parseModule({ path, text }: RepositoryFile) {
  const { errors, module } = parseSync(path, text);
  if (errors.length > 0) throw new SyntaxError(`Cannot read ${path}: ${errors[0]?.message}`);
  return module;
}
