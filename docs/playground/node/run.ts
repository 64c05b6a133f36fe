/** The run that the page starts from: the one that is given, `loretta-out`, or a short one that is trained here. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DataError } from '@loretta-ts/loretta';
import {
  checkpointPath,
  loadData,
  type RunFile,
  readRun,
  trainDataOf,
} from '@loretta-ts/loretta/node';
import { sourceHash } from '../../../scripts/source-hash.mjs';
import { ARMS } from '../src/format';
import type { AssetSources } from './assets';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const settings = 'docs/playground/node/short-run.json';
/** What decides the weights of a run. */
const trained = ['core', 'backend-cpu', 'nn', 'tokenizers', 'loretta'].map(
  (name) => `packages/${name}/src`,
);

/** A hash of the sources and settings that training runs through. */
export const trainedHash = (): string => sourceHash(root, [settings, ...trained]);

/** The folder of a run with both arms; trains one where there is none. */
export async function findRun(given: string | null): Promise<string> {
  if (given !== null) return given;
  const usual = join(root, 'loretta-out');
  if (existsSync(join(usual, 'run.json'))) return usual;
  const cache = join(root, 'node_modules/.cache/loretta-playground/run');
  const cached = join(cache, trainedHash());
  if (existsSync(join(cached, 'run.json'))) return cached;
  console.error('no run in loretta-out: training a short one (about 3 minutes on 2 quiet cores),');
  console.error(`which is kept in ${cached}`);
  // of sources that are no more
  await rm(cache, { recursive: true, force: true });
  await mkdir(cached, { recursive: true });
  await loretta(['start', '--config', join(root, settings), '--out', cached]);
  return cached;
}

/** Runs the command line on its sources, as this process runs. */
function loretta(args: readonly string[]): Promise<void> {
  const file = join(root, 'packages/loretta/src/cli/main.ts');
  const child = spawn(process.execPath, [...process.execArgv, file, ...args], { stdio: 'inherit' });
  return new Promise((done, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) done();
      else reject(new Error(`the short run ended with exit code ${code}`));
    });
  });
}

/**
 * The checkpoints and the data of a run.
 * @throws DataError when an arm is missing, or its checkpoint
 */
export async function loadSources(folder: string): Promise<AssetSources> {
  const run = readRun(folder);
  const found = ARMS.map((arm) => run.arms.find((a) => a.arm === arm));
  const missing = ARMS.filter((_, i) => found[i] === undefined);
  if (missing.length > 0) {
    throw new DataError(
      'config',
      folder,
      `has no ${missing.join(' and ')}: make a run with \`loretta start --arms ${ARMS.join(',')}\``,
    );
  }
  const arms = await Promise.all(found.map((arm) => armOf(folder, arm!)));
  const loaded = await loadData(run.data, {
    run: folder,
    onEvent({ stage, done, total }) {
      if (done === total) console.error(`data: ${stage}`);
    },
  });
  return {
    config: run.config,
    loaded,
    data: trainDataOf(loaded, false),
    arms: { commutative: arms[0]!, transitive: arms[1]! },
  };
}

async function armOf(
  folder: string,
  { arm, steps, evaluation }: RunFile['arms'][number],
): Promise<AssetSources['arms']['transitive']> {
  const path = checkpointPath(folder, arm);
  try {
    return { steps, evaluation, checkpoint: new Uint8Array(await readFile(path)) };
  } catch {
    throw new DataError('missing', path, 'there is no such checkpoint: run `loretta start` again');
  }
}
