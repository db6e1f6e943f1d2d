/** Where a broker comes from: a container, a process of this machine, or an address that was given. */
export type Provider = 'docker' | 'native' | 'external';

/** In the order in which they are tried. */
export const providers: readonly Provider[] = ['docker', 'native', 'external'];

/**
 * The provider that `NQ_TESTBED` asks for, for tests that do not ask for one themselves.
 *
 * @throws {RangeError} if there is no such provider.
 */
export function forcedProvider(): Provider | undefined {
  const name = process.env['NQ_TESTBED'];
  if (name === undefined || name === '') return undefined;
  const provider = providers.find((one) => one === name);
  if (provider === undefined) {
    throw new RangeError(`NQ_TESTBED must be one of ${providers.join(', ')}, got ${JSON.stringify(name)}`);
  }
  return provider;
}
