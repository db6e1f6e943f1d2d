// `pnpm convert <file.geojson>`: writes data/usgs-week.ndjson, one feature a line, in the order and with the content in
// which they came. The same file in gives the same bytes out.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const [source, ...rest] = process.argv.slice(2);
if (source === undefined || rest.length > 0) {
  process.stderr.write('usage: node scripts/convert.mjs <file.geojson>\n');
  process.exit(2);
}

const { metadata, features } = JSON.parse(readFileSync(source, 'utf8'));
if (features.length !== metadata.count) {
  process.stderr.write(`${source} says that it has ${metadata.count} features, but has ${features.length}\n`);
  process.exit(1);
}

const target = fileURLToPath(new URL('../data/usgs-week.ndjson', import.meta.url));
writeFileSync(target, features.map((feature) => `${JSON.stringify(feature)}\n`).join(''));

process.stdout.write(`${features.length} features of ${metadata.url}, `);
process.stdout.write(`generated ${new Date(metadata.generated).toISOString()}, are in data/usgs-week.ndjson\n`);
