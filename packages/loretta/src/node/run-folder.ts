/** The folder of a run: its configuration, tokenizers, checkpoints and results. */
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeFileAtomic } from '@loretta-ts/nn/node';
import { DataError } from '../data/errors';
import type { FolderTexts } from '../data/node/svl';
import type { SvlName } from '../data/svlMnist';
import { type ExperimentConfig, parseConfig } from '../experiment/config';
import type { ExperimentResult } from '../experiment/run';
import type { ArmResult } from '../experiment/run-arm';

/** Which data a run is on; enough to load it again. */
export interface DataChoice {
  /** Folder of real files; null is the embedded data. */
  readonly folder: string | null;
  readonly texts: FolderTexts;
  readonly link: SvlName;
  readonly profile: 'full' | 'quick';
  readonly seed: number;
}

/** What `run.json` holds. */
export interface RunFile {
  readonly version: 1;
  readonly data: DataChoice;
  readonly credits: readonly string[];
  readonly config: ExperimentConfig;
  readonly warmUp: ExperimentResult['warmUp'];
  readonly arms: readonly Omit<ArmResult, 'checkpoint'>[];
  /** Backend and machine that ran it. */
  readonly ran: {
    readonly backend: string;
    readonly node: string;
    readonly cores: number;
    readonly seconds: number;
  };
}

/** Makes a folder for a run. @throws DataError when it cannot be made */
export function makeFolder(path: string): void {
  try {
    mkdirSync(path, { recursive: true });
  } catch (error) {
    throw new DataError('missing', path, `cannot make this folder: ${(error as Error).message}`);
  }
}

/** The checkpoint of an arm in a run's folder. */
export function checkpointPath(folder: string, arm: string): string {
  return join(folder, `${arm}.safetensors`);
}

/** Writes checkpoints first and `run.json` last, each atomically. */
export async function saveRun(
  folder: string,
  run: RunFile,
  arms: readonly ArmResult[],
): Promise<void> {
  for (const arm of arms) await writeFileAtomic(checkpointPath(folder, arm.arm), arm.checkpoint);
  await writeFileAtomic(
    join(folder, 'run.json'),
    new TextEncoder().encode(`${JSON.stringify(run, null, 1)}\n`),
  );
}

/** Reads `run.json`. @throws DataError when it is missing or not of this program */
export function readRun(folder: string): RunFile {
  const path = join(folder, 'run.json');
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    throw new DataError(
      'missing',
      path,
      'there is no run here: make one with `loretta start --out FOLDER`',
    );
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new DataError('format', path, 'is not JSON: the run was not written by this program');
  }
  const run = value as Partial<RunFile> | null;
  if (run?.version !== 1 || run.data === undefined || !Array.isArray(run.arms)) {
    throw new DataError('format', path, 'is not a run of this version: run `loretta start` again');
  }
  parseConfig(run.config);
  return run as RunFile;
}
