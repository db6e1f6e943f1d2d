import { findJava, kafkaJars } from './kafka-jars.ts';
import { kafkaCommand, kafkaFiles } from './kafka-setup.ts';
import type { KafkaSource, KafkaVersion } from './kafka-source.ts';
import { NativeServer } from './native-server.ts';
import type { Reason, Stock } from './stock.ts';

/** Three of them fit on a small machine, and none needs more for tests. */
const heap = '320m';

/** Those of `versions` whose jars are there or can be fetched; only the first of them, if `one` is enough. */
export async function nativeKafkas(versions: readonly KafkaVersion[], one: boolean): Promise<Stock<KafkaSource>> {
  let java: string;
  try {
    java = await findJava();
  } catch (error) {
    return { sources: [], reasons: [{ text: (error as Error).message }] };
  }
  const sources: KafkaSource[] = [];
  const reasons: Reason[] = [];
  for (const version of versions) {
    try {
      sources.push(nativeKafka(version, java, await kafkaJars(version)));
    } catch (error) {
      reasons.push({ version, text: `Kafka ${version} from Maven Central: ${(error as Error).message}` });
      continue;
    }
    if (one) break;
  }
  return { sources, reasons };
}

function nativeKafka(version: KafkaVersion, java: string, jars: string): KafkaSource {
  return {
    provider: 'native',
    version,
    name: `Kafka ${version}`,
    from: jars,
    start: (setup) =>
      NativeServer.start({
        port: setup.ports.client,
        files: kafkaFiles(setup, { bind: '127.0.0.1', host: '127.0.0.1' }),
        command: () => kafkaCommand(setup, { java, jars, heap }),
      }),
  };
}
