import { ContainerServer } from './container-server.ts';
import type { DockerEngine } from './docker-engine.ts';
import { dockerStock, type Image } from './docker-stock.ts';
import { kafkaCommand, kafkaFiles } from './kafka-setup.ts';
import type { KafkaSource, KafkaVersion } from './kafka-source.ts';
import type { Stock } from './stock.ts';

const images: Readonly<Record<KafkaVersion, Image>> = {
  '4.1.0': { variable: 'NQ_TEST_KAFKA_4_1_IMAGE', image: 'apache/kafka:4.1.0' },
  '3.9.1': { variable: 'NQ_TEST_KAFKA_3_9_IMAGE', image: 'apache/kafka:3.9.1' },
};

/** Where official images keep the jars. */
const jars = '/opt/kafka/libs';

/** Where any user of an image may write. */
const folder = '/tmp';

/** The versions whose images are to be had. */
export function dockerKafkas(versions: readonly KafkaVersion[], one: boolean): Promise<Stock<KafkaSource>> {
  return dockerStock(images, { versions, one }, dockerKafka);
}

function dockerKafka(engine: DockerEngine, version: KafkaVersion, image: string): KafkaSource {
  return {
    provider: 'docker',
    version,
    name: `Kafka ${version}`,
    from: image,
    start: (setup) =>
      ContainerServer.start(engine, {
        image,
        ports: [setup.ports.client, setup.ports.linked, setup.ports.internal],
        folder,
        files: kafkaFiles(setup, { bind: '0.0.0.0', host: engine.host }),
        command: kafkaCommand(setup, { java: 'java', jars, heap: '512m' }),
      }),
  };
}
