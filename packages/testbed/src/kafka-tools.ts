import { delimiter, join } from 'node:path';
import { cacheFolder } from './cache-folder.ts';
import { findJava, kafkaJars } from './kafka-jars.ts';
import type { KafkaVersion } from './kafka-source.ts';
import { mavenDependency } from './maven.ts';

/** What runs the tools that come with Kafka, such as `org.apache.kafka.tools.ProducerPerformance`. */
export interface KafkaTools {
  /** The path of a Java. */
  readonly java: string;
  /** What `java -cp` is given. */
  readonly classPath: string;
}

/** The tools of a version of Kafka, fetched from Maven Central once. @throws {Error} if they cannot be had. */
export async function kafkaTools(version: KafkaVersion): Promise<KafkaTools> {
  const java = await findJava();
  // All that they need beside their own jar, a broker has, too.
  const jars = await kafkaJars(version);
  const tools = await cacheFolder(`kafka-tools-${version}`, async (folder) => {
    const artifact = `org.apache.kafka:kafka-tools:${version}`;
    await mavenDependency(folder, 'copy', { artifact, outputDirectory: folder });
  });
  return { java, classPath: [tools, jars].map((folder) => join(folder, '*')).join(delimiter) };
}
