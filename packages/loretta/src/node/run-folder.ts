/** The folder of a run: its configuration, tokenizers, checkpoints and results. */
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeFileAtomic } from '@loretta-ts/nn/node';
import { DataError } from '../data/errors';
import type { ModalityCodec } from '../data/modality';
import type { FolderTexts } from '../data/node/svl';
import type { SvlName } from '../data/svlMnist';
import { type ExperimentConfig, parseConfig } from '../experiment/config';
import type { ExperimentResult } from '../experiment/run';
import type { ArmResult } from '../experiment/run-arm';

/** Which data a run is on; enough to load it again. */
export interface DataChoice {
  /** Folder of real files; null is the embedded data. */
  readonly folder: string | null;
  /** Which texts of the folder. */
  readonly texts: FolderTexts;
  /** The modality that is seen with both others. */
  readonly link: SvlName;
  /** Size of the data set. */
  readonly profile: 'full' | 'quick';
  /** Of codebooks, alignment and synthesis. */
  readonly seed: number;
  /** How images become tokens; absent for patches of a k-means codebook. */
  readonly imageTokenizer?: 'vq' | 'dvae';
  /** How speech becomes tokens; absent for MFCC frames of a k-means codebook. */
  readonly speechTokenizer?: 'vq';
  /** Training steps of each learned tokenizer; absent for those of the profile. */
  readonly tokenizerSteps?: number;
}

/** What `run.json` holds. */
export interface RunFile {
  /** Of the format. */
  readonly version: 1;
  /** Data that it ran on. */
  readonly data: DataChoice;
  /** Origins and licences of the data. */
  readonly credits: readonly string[];
  /** The configuration. */
  readonly config: ExperimentConfig;
  /** The common warm-up. */
  readonly warmUp: ExperimentResult['warmUp'];
  /** Results of the arms, without their weights. */
  readonly arms: readonly Omit<ArmResult, 'checkpoint'>[];
  /** Backend and machine that ran it. */
  readonly ran: {
    /** Name and executor. */
    readonly backend: string;
    /** Version of Node. */
    readonly node: string;
    /** Cores that were there. */
    readonly cores: number;
    /** Time of the whole run. */
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

/** The learned tokenizer of a modality in a run's folder. */
export function tokenizerPath(folder: string, modality: string): string {
  return join(folder, `${modality}-tokenizer.safetensors`);
}

/** Writes the learned tokenizers of a data set, each atomically. */
export async function saveTokenizers(
  folder: string,
  modalities: Readonly<Record<string, ModalityCodec>>,
): Promise<void> {
  for (const [name, { learned }] of Object.entries(modalities)) {
    if (learned !== undefined)
      await writeFileAtomic(tokenizerPath(folder, name), learned.toBytes());
  }
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
