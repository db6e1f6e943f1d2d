/**
 * @typedef {object} Program
 * @property {'js' | 'ts'} language
 * @property {string} code
 * @property {number} line the line of the page on which its block begins, from 1
 * @property {readonly string[] | undefined} prints the lines it says it prints, `undefined` if it does not say
 * @property {string | undefined} file the name of its file, if the page gives it one in the first line
 */

/**
 * Where a program of a page goes. Those that a page names are together in one folder, and can import each other.
 *
 * @param {string} page the path of the page
 * @param {Program} program
 * @returns {string} relative, with forward slashes
 */
export function programFile(page, { file, line, language }) {
  const name = page.replaceAll('/', '-');
  return file === undefined ? `${name}-${line}.${language}` : `${name}/${file}`;
}

/**
 * Whether it declares tests of vitest, and does not run without it.
 *
 * @param {Program} program
 */
export function needsVitest({ code }) {
  return /from '(?:vitest|@nq\/core\/conformance\/vitest)'/.test(code);
}

/** Where the pages have their brokers. */
const brokersOfPages = /** @type {const} */ ({ redis: 'localhost:6379', kafka: 'localhost:9092' });

/** @typedef {keyof typeof brokersOfPages} BrokerName */

/** @typedef {Partial<Record<BrokerName, string>>} BrokerAddresses where the tests have theirs, as `host:port` */

/**
 * The brokers that have to run for it.
 *
 * @param {Program} program
 */
export function brokersFor({ code }) {
  return /** @type {BrokerName[]} */ (Object.keys(brokersOfPages)).filter((name) =>
    code.includes(brokersOfPages[name]),
  );
}

/**
 * The same program with the brokers of the tests in place of those that a reader has.
 *
 * @param {Program} program
 * @param {BrokerAddresses} addresses
 * @returns {Program}
 */
export function withBrokers(program, addresses) {
  let { code } = program;
  for (const name of brokersFor(program))
    code = code.replaceAll(brokersOfPages[name], addresses[name] ?? brokersOfPages[name]);
  return { ...program, code };
}

/**
 * The programs of a page: the first block, which is what a reader copies first, and every block of TypeScript. Further
 * blocks of JavaScript may be fragments.
 *
 * @param {string} markdown
 * @returns {Program[]}
 */
export function programsOf(markdown) {
  const blocks = [...markdown.matchAll(/^```(js|ts)\r?\n([^]*?)^```/gm)];
  return blocks
    .filter(([, language], index) => index === 0 || language === 'ts')
    .map(({ 1: language, 2: code = '', index }) => {
      const prints = [...code.matchAll(/\/\/ prints: (.*)/g)].map((match) => (match[1] ?? '').trimEnd());
      return {
        language: language === 'ts' ? 'ts' : 'js',
        code,
        line: markdown.slice(0, index).split('\n').length,
        prints: prints.length === 0 ? undefined : prints,
        file: /^\/\/ ([\w.-]+\.[jt]s)\r?\n/.exec(code)?.[1],
      };
    });
}

/**
 * What is in a file of JSON that a page has its reader write: a block that begins with the name.
 *
 * @param {string} markdown
 * @param {string} file
 * @returns {string} with the comments that the page has
 * @throws {Error} if the page has no such block
 */
export function jsonFileOf(markdown, file) {
  const blocks = [...markdown.matchAll(/^```json\r?\n\/\/ ([\w.-]+)\r?\n([^]*?)^```/gm)];
  const found = blocks.find(([, name]) => name === file)?.[2];
  if (found === undefined) throw new Error(`There is no block of JSON that begins with // ${file}`);
  return found;
}

/**
 * Why a run of the program is not what its page promises.
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
