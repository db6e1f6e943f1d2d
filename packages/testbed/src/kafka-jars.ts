import { fileURLToPath } from 'node:url';
import { cacheFolder } from './cache-folder.ts';
import { findProgram, runProgram } from './find-program.ts';
import type { KafkaVersion } from './kafka-source.ts';
import { mavenDependency } from './maven.ts';

const pom = fileURLToPath(new URL('../kafka/pom.xml', import.meta.url));

/** The folder with the jars of a broker, fetched from Maven Central once. @throws {Error} if they cannot be had. */
export async function kafkaJars(version: KafkaVersion): Promise<string> {
  return cacheFolder(`kafka-${version}`, async (folder) => {
    const properties = { 'kafka.version': version, includeScope: 'runtime', outputDirectory: folder };
    await mavenDependency(folder, 'copy-dependencies', properties, ['-f', pom]);
  });
}

/** The path of a Java that runs brokers. @throws {Error} if there is none. */
export async function findJava(): Promise<string> {
  const home = process.env['JAVA_HOME'];
  const java = home ? `${home}/bin/java` : await findProgram('java');
  if (java === undefined) throw new Error('there is no java on PATH');
  const said = await runProgram(java, ['-version']);
  const version = /version "(\d+)/.exec(said)?.[1];
  if (Number(version) >= 17) return java;
  throw new Error(`Kafka needs Java 17, and ${java} is ${version ?? 'of an unknown version'}`);
}
