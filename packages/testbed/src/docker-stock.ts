import { type DockerEngine, dockerEngine } from './docker-engine.ts';
import type { Reason, Source, Stock } from './stock.ts';

/** An image of a broker. */
export interface Image {
  /** The official one. */
  readonly image: string;
  /** The variable that names another one. */
  readonly variable: string;
}

/** Those of `versions` whose images are there or can be pulled; only the first of them, if `one` is enough. */
export async function dockerStock<Version extends string, From extends Source<Version>>(
  images: Readonly<Record<Version, Image>>,
  { versions, one }: { readonly versions: readonly Version[]; readonly one: boolean },
  sourceOf: (engine: DockerEngine, version: Version, image: string) => From,
): Promise<Stock<From>> {
  let engine: DockerEngine;
  try {
    engine = await dockerEngine();
  } catch {
    return { sources: [], reasons: [{ text: 'no engine answers' }] };
  }
  const sources: From[] = [];
  const reasons: Reason[] = [];
  for (const version of versions) {
    const { variable, image: official } = images[version];
    const image = process.env[variable] || official;
    try {
      await engine.fetchImage(image);
    } catch (error) {
      reasons.push({ version, text: (error as Error).message });
      continue;
    }
    sources.push(sourceOf(engine, version, image));
    if (one) break;
  }
  return { sources, reasons };
}
