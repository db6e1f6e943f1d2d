import { askApiVersions } from './kafka-wire.ts';
import type { KafkaSource } from './kafka-source.ts';
import type { Address } from './link.ts';
import type { Stock } from './stock.ts';

const variable = 'NQ_TEST_KAFKA_BROKERS';

/** The brokers that `NQ_TEST_KAFKA_BROKERS` names, if one answers. They are not ours: no test may stop them. */
export async function externalKafkas(): Promise<Stock<KafkaSource>> {
  const list = process.env[variable];
  if (list === undefined || list === '') return { sources: [], reasons: [{ text: `${variable} is not set` }] };
  const given = list.split(',').map(readAddress);
  const wrong = given.indexOf(undefined);
  if (wrong !== -1) {
    const text = `${variable} must be like host:9092,host:9093, got ${JSON.stringify(list.split(',')[wrong])}`;
    return { sources: [], reasons: [{ text }] };
  }
  try {
    await Promise.any((given as Address[]).map((address) => askApiVersions(address)));
  } catch (error) {
    const [first] = (error as AggregateError).errors as Error[];
    return { sources: [], reasons: [{ text: `${variable} is of no use (${first?.message})` }] };
  }
  const source: KafkaSource = {
    provider: 'external',
    // A broker does not tell its version.
    version: undefined,
    name: 'Kafka',
    from: variable,
    given: given as Address[],
    start: () => Promise.reject(new Error(`Cannot start Kafka: ${variable} names one that is not ours`)),
  };
  return { sources: [source], reasons: [] };
}

function readAddress(text: string): Address | undefined {
  const [, host, port] = /^\s*(?:\w+:\/\/)?\[?([^\s[\]/]+?)\]?:(\d+)\s*$/.exec(text) ?? [];
  return host === undefined ? undefined : { host, port: Number(port) };
}
