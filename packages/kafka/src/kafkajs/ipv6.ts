import type { Cluster } from './internals.ts';

type Build = Cluster['connectionPoolBuilder']['build'];

/**
 * kafkajs takes what is in front of the first colon of an address of ours for the host, so `[::1]:9092` cannot be given to
 * it: this is the address in letters that it leaves together, of which {@link withIpv6} makes the host. Where brokers say
 * that they are is told with the host and the port apart.
 */
export function seedOf(address: string): string {
  return address.replace(/^\[.*\]/, (host) => host.replaceAll(':', '_'));
}

/** `build`, which makes connections to the hosts that were meant by {@link seedOf}. */
export function withIpv6(build: Build): Build {
  return async (place) => {
    const connections = await build(place);
    const { host, port } = connections;
    if (!host.startsWith('[')) return connections;
    return build({ host: host.slice(1, -1).replaceAll('_', ':'), port });
  };
}

/** `address`, with brackets around a host that has colons itself (RFC 3986, §3.2.2). */
export function bracketed(address: string): string {
  return address.replace(/^([^[].*:.*):(\d+)$/, '[$1]:$2');
}
