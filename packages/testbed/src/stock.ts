import { forcedProvider, type Provider, providers } from './provider.ts';

/** Something that a broker can be started from. */
export interface Source<Version extends string> {
  readonly provider: Provider;
  /** Which of the versions that tests want it is; `undefined` for another one. */
  readonly version: Version | undefined;
  /** What it is, as exactly as is known before it runs: `Redis 7.0.15`. */
  readonly name: string;
  /** The program, the image or the variable it comes from. */
  readonly from: string;
}

/** What a provider has, and why it has no more. */
export interface Stock<From extends Source<string>> {
  readonly sources: readonly From[];
  readonly reasons: readonly Reason[];
}

/** Why a version, or any of them, cannot be had. */
export interface Reason {
  readonly version?: string;
  /** As it follows the name of the provider. */
  readonly text: string;
}

/** What is looked for. */
export interface Wanted<Version extends string> {
  /** Ask only this one. @default what `NQ_TESTBED` says, or the first that has any of `versions` */
  readonly provider?: Provider | undefined;
  /** In the order in which they are preferred. */
  readonly versions: readonly Version[];
  /** Whether one of the versions is enough: then those that are not there are no loss. */
  readonly one: boolean;
}

/** Of each provider, what it has of `versions`; or just the first, if `one` is enough. */
export type Stocks<Version extends string, From extends Source<Version>> = Readonly<
  Record<Provider, (versions: readonly Version[], one: boolean) => Promise<Stock<From>>>
>;

/** What came of asking the providers. */
export interface Choice<Version extends string, From extends Source<Version>> {
  /** Of one provider; empty if no provider has any. */
  readonly sources: readonly From[];
  /** Why the providers before that one were not taken; may be empty. */
  readonly others: string;
  /** Why a version, or any, is not among the sources. */
  why(version?: Version): string;
}

/**
 * Asks the providers, one after the other, until one has any of what is wanted.
 *
 * @throws {Error} if `NQ_TESTBED`, and not the caller, asks for a provider that has none: no test may be skipped then.
 */
export async function choose<Version extends string, From extends Source<Version>>(
  stocks: Stocks<Version, From>,
  { provider, versions, one }: Wanted<Version>,
): Promise<Choice<Version, From>> {
  const forced = forcedProvider();
  const asked = provider ?? forced;
  const tried: Tried[] = [];
  for (const candidate of asked === undefined ? providers : [asked]) {
    const { sources, reasons } = await stocks[candidate](versions, one);
    const others = tell(tried);
    tried.push({ provider: candidate, reasons });
    if (sources.length === 0) continue;
    const has = `${candidate} has ${sources.map(({ name }) => name).join(', ')}`;
    return { sources, others, why: (version) => join(tell(tried, version), has) };
  }
  if (provider === undefined && forced !== undefined) throw new Error(`Cannot do as NQ_TESTBED says: ${tell(tried)}`);
  return { sources: [], others: '', why: (version) => tell(tried, version) };
}

/** A provider that was asked, and what it is lacking. */
interface Tried {
  readonly provider: Provider;
  readonly reasons: readonly Reason[];
}

/** Why `version`, or any, could not be had of those that were tried: `docker: no engine answers; native: …`. */
function tell(tried: readonly Tried[], version?: string): string {
  return tried
    .map(({ provider, reasons }) => {
      const texts = reasons
        .filter((reason) => version === undefined || reason.version === undefined || reason.version === version)
        .map(({ text }) => text);
      return texts.length === 0 ? '' : `${provider}: ${texts.join(', ')}`;
    })
    .reduce(join, '');
}

function join(one: string, other: string): string {
  return [one, other].filter((text) => text !== '').join('; ');
}
