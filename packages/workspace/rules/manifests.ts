/** The fields of a package.json that the rules look at. */
export interface Manifest {
  readonly name?: string;
  readonly version?: string;
  readonly private?: boolean;
  readonly description?: string;
  readonly license?: string;
  readonly type?: string;
  readonly sideEffects?: boolean;
  readonly files?: readonly string[];
  readonly engines?: Readonly<Record<string, string>>;
  readonly exports?: Readonly<Record<string, string | Readonly<Record<string, string>>>>;
  readonly publishConfig?: Readonly<Record<string, unknown>>;
  readonly scripts?: Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>;
  readonly [field: string]: unknown;
}

/** What a published manifest is held against. */
export interface Surroundings {
  /** The Node range of the whole repository. */
  readonly node: string;
  /** The version that all published packages share. */
  readonly version: string;
  /** Whether a file of the package exists, by its path relative to the package. */
  exists(path: string): boolean;
}

const scripts = ['build', 'package-check', 'test', 'typecheck'];
const files = ['CHANGELOG.md', 'LICENSE', 'README.md'];

/** Checks a manifest that goes to the registry. */
export function checkPublished(manifest: Manifest, { node, version, exists }: Surroundings): string[] {
  const problems: string[] = [];
  const expect = (holds: boolean, problem: string) => {
    if (!holds) problems.push(`${manifest.name}: ${problem}`);
  };

  expect(manifest.name?.startsWith('@nq/') === true, 'a published package is named @nq/*');
  expect(
    manifest.version === version,
    `version is ${manifest.version}, but all packages are released together as ${version}`,
  );
  expect((manifest.description ?? '').length > 0, 'description is missing');
  expect(manifest.license === 'MIT', 'license is not MIT');
  expect(manifest.type === 'module', 'type is not module');
  expect(manifest.sideEffects === false, 'sideEffects is not false');
  expect(manifest.engines?.node === node, `engines.node is ${manifest.engines?.node}, not ${node}`);
  expect(
    ['dist', 'src'].every((folder) => manifest.files?.includes(folder)),
    'files must hold dist and src: source maps lead to src',
  );
  expect(
    manifest.publishConfig?.access === 'public' && manifest.publishConfig.provenance === true,
    'publishConfig must say public access and provenance',
  );
  // npm applies no other override when it packs, pnpm does: the two would publish different packages.
  expect(
    Object.keys(manifest.publishConfig ?? {}).every((key) => key === 'access' || key === 'provenance'),
    'publishConfig must override nothing in the manifest',
  );
  for (const field of ['bugs', 'homepage', 'repository']) {
    expect(!(field in manifest), `${field} names an address that does not exist`);
  }
  for (const script of scripts) expect(manifest.scripts?.[script] !== undefined, `there is no script ${script}`);
  for (const file of files) expect(exists(file), `${file} is missing`);

  problems.push(...checkExports(manifest, exists), ...checkRanges(manifest, version));
  return problems;
}

/** Checks that every entry point is written out, and leads to a source that is there. */
function checkExports(manifest: Manifest, exists: (path: string) => boolean): string[] {
  const entries = Object.entries(manifest.exports ?? {});
  const problems: string[] = [];
  for (const required of ['.', './package.json']) {
    if (!entries.some(([subpath]) => subpath === required)) problems.push(`exports has no "${required}"`);
  }
  for (const [subpath, target] of entries) {
    if (subpath === './package.json') continue;
    // Data is published as it stands.
    if (subpath.endsWith('.json') && target === subpath && exists(subpath)) continue;
    const source = typeof target === 'string' ? undefined : target['@nq/source'];
    const name = source === undefined ? null : /^\.\/src\/([\w/-]+)\.ts$/.exec(source);
    if (typeof target === 'string' || name === null) {
      problems.push(`exports "${subpath}" has no @nq/source in src, written out`);
      continue;
    }
    // In this order: the first condition that applies wins.
    const expected = { '@nq/source': source, types: `./dist/${name[1]}.d.ts`, default: `./dist/${name[1]}.js` };
    if (JSON.stringify(target) !== JSON.stringify(expected)) {
      problems.push(`exports "${subpath}" is not exactly ${JSON.stringify(expected)}`);
    }
    if (!exists(source ?? '')) problems.push(`exports "${subpath}" leads to ${source}, which does not exist`);
  }
  return problems.map((problem) => `${manifest.name}: ${problem}`);
}

/** Checks what a consumer's package manager will read: npm packs these ranges as they stand. */
function checkRanges(manifest: Manifest, version: string): string[] {
  const problems: string[] = [];
  for (const field of ['dependencies', 'optionalDependencies', 'peerDependencies'] as const) {
    for (const [name, range] of Object.entries(manifest[field] ?? {})) {
      if (/^(?:catalog|file|link|workspace):/.test(range)) {
        problems.push(`${field} has ${name} ${range}, which only this workspace understands`);
      }
      if (name.startsWith('@nq/') && (field !== 'peerDependencies' || name !== '@nq/core')) {
        problems.push(
          `${field} has ${name}: packages know of each other only @nq/core, as a peer, so that there is one`,
        );
      }
    }
  }
  const peer = manifest.peerDependencies?.['@nq/core'];
  if (manifest.name === '@nq/core') {
    const optional = Object.entries(manifest.peerDependenciesMeta ?? {}).filter(([, meta]) => meta.optional === true);
    const needed = Object.keys(manifest.peerDependencies ?? {}).filter(
      (name) => !optional.some(([one]) => one === name),
    );
    const some = ['dependencies', 'optionalDependencies'].some((field) => field in manifest) || needed.length > 0;
    if (some) problems.push('core has no dependencies');
  } else {
    if (peer !== `^${version}`) problems.push(`the peer @nq/core is ${peer}, not ^${version}`);
    const dev = manifest.devDependencies?.['@nq/core'];
    if (dev !== 'workspace:*') problems.push(`the devDependency @nq/core is ${dev}, not workspace:*`);
  }
  return problems.map((problem) => `${manifest.name}: ${problem}`);
}

/** Checks a manifest that stays here. */
export function checkPrivate(manifest: Manifest): string[] {
  const problems: string[] = [];
  if (manifest.name?.startsWith('@nq/') !== false && manifest.version !== '0.0.0') {
    problems.push('@nq/* are the published packages, and those that will be, which are 0.0.0 until then');
  }
  // Whoever is packed and has it as a devDependency needs one that it can write down.
  if (manifest.version !== undefined && manifest.version !== '0.0.0') {
    problems.push('a package that is never released has no version, or 0.0.0');
  }
  return problems.map((problem) => `${manifest.name}: ${problem}`);
}

/** Checks that tools are pinned: what CI ran is what everybody runs. Those of a private package are its dependencies too. */
export function checkPins(manifest: Manifest): string[] {
  const fields =
    manifest.private === true ? (['dependencies', 'devDependencies'] as const) : (['devDependencies'] as const);
  return fields.flatMap((field) =>
    Object.entries(manifest[field] ?? {})
      .filter(([, range]) => !/^(?:(?:npm:[\w@/-]+@)?\d+\.\d+\.\d+$|catalog:|workspace:)/.test(range))
      .map(([name, range]) => `${manifest.name}: ${field} has ${name} as ${range}, not as one exact version`),
  );
}
