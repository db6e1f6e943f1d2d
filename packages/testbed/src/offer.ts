import { announce } from './announce.ts';
import type { Provider } from './provider.ts';
import type { Source } from './stock.ts';

/** A broker that tests want to run on: one that can be had, or the reason why not. */
export interface Offer<Version extends string, Options, Broker> {
  /** For the title of tests: what it is and who provides it, or why it is missing. */
  readonly name: string;
  /** `undefined` for another version than those that tests want, or where any would do and none is there. */
  readonly version: Version | undefined;
  /** `undefined` where it is missing. */
  readonly provider: Provider | undefined;
  /** Why it cannot be had; `undefined` where it can. */
  readonly missing: string | undefined;
  /** Whether it can be configured, restarted, killed and frozen: one that was given by its address cannot. */
  readonly ours: boolean;
  /** @throws {Error} if it is missing, or does not start. */
  start(options?: Options): Promise<Broker>;
}

/** What every broker tells of itself once it runs. */
interface Running {
  readonly product: string;
  readonly version: string;
}

/** The offer of what `source` has. `others` says why the providers before it were not taken; it may be empty. */
export function offerOf<Version extends string, Options, Broker extends Running>(
  { provider, version, name, from }: Source<Version>,
  others: string,
  start: (options: Options | undefined) => Promise<Broker>,
): Offer<Version, Options, Broker> {
  return {
    name: `${name} (${provider})`,
    version,
    provider,
    missing: undefined,
    ours: provider !== 'external',
    async start(options) {
      const broker = await start(options);
      const line = `${broker.product} ${broker.version} from ${provider} (${from})`;
      announce(others === '' ? line : `${line}; ${others}`);
      return broker;
    },
  };
}

/** The offer of what cannot be had, for this `reason`. */
export function missingOffer<Version extends string>(
  title: string,
  version: Version | undefined,
  reason: string,
): Offer<Version, unknown, never> {
  return {
    name: `${title}, which is missing: ${reason}`,
    version,
    provider: undefined,
    missing: reason,
    ours: false,
    start: () => Promise.reject(new Error(`Cannot start ${title}: ${reason}`)),
  };
}

/** Says which of the offers are missing: nobody should take a test that was skipped for one that has passed. */
export function announceMissing(
  offers: readonly { readonly name: string; readonly missing: string | undefined }[],
): void {
  for (const { name, missing } of offers) if (missing !== undefined) announce(name);
}
