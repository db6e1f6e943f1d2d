/**
 * @typedef {object} Program
 * @property {'js' | 'ts'} language
 * @property {string} code
 * @property {readonly string[] | undefined} prints the lines it says it prints, `undefined` if it does not say
 */

/**
 * The first program of a README: what a reader copies first, so it has to run.
 *
 * @param {string} markdown
 * @returns {Program | undefined}
 */
export function firstProgram(markdown) {
  const block = /^```(js|ts)\r?\n([^]*?)^```/m.exec(markdown);
  if (block === null) return undefined;
  const code = block[2] ?? '';
  const prints = [...code.matchAll(/\/\/ prints: (.*)/g)].map((match) => (match[1] ?? '').trimEnd());
  return {
    language: block[1] === 'ts' ? 'ts' : 'js',
    code,
    prints: prints.length === 0 ? undefined : prints,
  };
}

/**
 * Why a run of the program is not what its README promises.
 *
 * @param {Program} program
 * @param {{ code: number | null, stdout: string, stderr: string }} run
 * @returns {string[]} empty if it kept its promise
 */
export function checkRun({ prints }, { code, stdout, stderr }) {
  if (code !== 0) return [`exit code ${code}\n${stderr}`];
  const lines = stdout.replace(/\r?\n$/, '').split(/\r?\n/);
  if (prints === undefined || prints.join('\n') === lines.join('\n')) return [];
  return [`it prints\n${lines.join('\n')}\nbut says that it prints\n${prints.join('\n')}`];
}
