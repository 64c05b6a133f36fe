/**
 * `npm run playground`: assets from a run, then the page, into docs/.site/playground.
 * `--run DIR` takes another run than loretta-out, `--serve` serves the page afterwards, on `--port PORT`.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { build, preview } from 'vite';
import { ARMS, FILES } from '../src/format';
import { type AssetSources, writeAssets } from './assets';
import { findRun, loadSources, trainedHash } from './run';

const page = fileURLToPath(new URL('../', import.meta.url));
const root = fileURLToPath(new URL('../../../', import.meta.url));
const site = join(root, 'docs/.site/playground');
const model = join(page, 'public/model');
const stamp = join(root, 'node_modules/.cache/loretta-playground/assets');

/** Writes the assets of a run unless they are there. */
async function assets(folder: string): Promise<void> {
  const hash = createHash('sha256').update(trainedHash());
  for (const file of ['assets.ts', 'run.ts']) hash.update(await readFile(join(page, 'node', file)));
  for (const name of ['run.json', ...ARMS.map((arm) => `${arm}.safetensors`)]) {
    hash.update(await readFile(join(folder, name)).catch(() => 'missing'));
  }
  const wanted = hash.digest('hex');
  const present = await readFile(stamp, 'utf8').catch(() => '');
  console.error(`run: ${relative(process.cwd(), folder) || '.'}`);
  if (present === wanted && existsSync(join(model, FILES.manifest))) return;
  const sources = await loadSources(folder);
  const files = await writeAssets(model, sources);
  for (const { file, bytes } of files) {
    console.error(`${file.padEnd(26)} ${(bytes / 1024).toFixed(0).padStart(6)} KiB`);
  }
  console.error(unseen(sources));
  await mkdir(dirname(stamp), { recursive: true });
  await writeFile(stamp, wanted);
}

/** What the page will show. */
function unseen({ arms }: AssetSources): string {
  const numbers = ARMS.map((arm) => {
    const { matching } = arms[arm].evaluation.unseen.find((u) => u.from === 'speech')!;
    return `${arm} ${Math.round(100 * matching.value)} %`;
  });
  return `speech → image, matching 1 of 10: ${numbers.join(', ')}`;
}

/** @throws Error for options that are none, DataError for a run that the page cannot show */
async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { run: { type: 'string' }, serve: { type: 'boolean' }, port: { type: 'string' } },
  });
  const port = Number(values.port ?? 4173);
  if (!Number.isInteger(port) || port < 1 || port > 65535) {
    throw new Error(`--port is '${values.port}': give a number from 1 to 65535`);
  }
  await assets(await findRun(values.run === undefined ? null : resolve(values.run)));
  const configFile = join(page, 'vite.config.ts');
  await build({
    configFile,
    root: page,
    logLevel: 'error',
    build: { outDir: site, emptyOutDir: true },
  });
  console.log(`playground  ${join(site, 'index.html')}, for any static server`);
  if (values.serve !== true) return;
  const server = await preview({
    configFile,
    root: page,
    build: { outDir: site },
    preview: { port },
  });
  server.printUrls();
}

main().catch((error: Error) => {
  console.error(`playground: ${error.message}`);
  process.exitCode = 1;
});
