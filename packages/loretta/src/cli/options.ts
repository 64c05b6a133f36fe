/** Options that several commands share. */
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { ArgsDef } from 'citty';
import { DataError } from '../data/errors';
import type { FolderTexts } from '../data/node/svl';
import type { SvlName } from '../data/svlMnist';
import { type ExperimentConfig, parseConfig } from '../experiment/config';
import type { DataChoice } from '../node/run-folder';
import { UsageError } from './errors';

/** Which data. */
export const dataArgs = {
  data: {
    type: 'string',
    valueHint: 'DIR',
    description:
      'Folder of real files laid out as mnist/, fsdd/recordings/, wine/, sotu/ (default: embedded data)',
  },
  texts: {
    type: 'string',
    valueHint: 'KIND',
    description: 'Texts of --data: captions, wine or sotu',
    default: 'captions',
  },
  link: {
    type: 'string',
    valueHint: 'MODALITY',
    description: 'The modality seen with both others: text, image or speech',
    default: 'text',
  },
  'image-tokenizer': {
    type: 'string',
    valueHint: 'KIND',
    description:
      'Images as k-means patches, or as codes of a network trained first: patches, vq or dvae',
    default: 'patches',
  },
  'speech-tokenizer': {
    type: 'string',
    valueHint: 'KIND',
    description:
      'Speech as k-means MFCC frames, or as codes of a network trained first: mfcc or vq',
    default: 'mfcc',
  },
  'tokenizer-steps': {
    type: 'string',
    valueHint: 'N',
    description: 'Training steps of each learned tokenizer (default: by the size of the data)',
  },
} as const satisfies ArgsDef;

/** How. */
export const runArgs = {
  seed: {
    type: 'string',
    valueHint: 'N',
    description: 'Seed of data order, weights and sampling (default: that of --config, or 0)',
  },
  config: {
    type: 'string',
    valueHint: 'FILE',
    description: 'JSON file of settings; see `loretta config`',
  },
  quick: { type: 'boolean', description: 'A short run with fewer steps and rows', default: false },
  backend: {
    type: 'string',
    valueHint: 'NAME',
    description: 'cpu, cpu:relaxed, cpu:none or reference',
    default: 'cpu',
  },
  json: {
    type: 'boolean',
    description: 'Print the result as one line of JSON, no progress',
    default: false,
  },
} as const satisfies ArgsDef;

/** A trained arm. */
export const armArgs = {
  run: {
    type: 'string',
    valueHint: 'DIR',
    description: 'Folder of the run',
    default: 'loretta-out',
  },
  arm: {
    type: 'string',
    valueHint: 'NAME',
    description: 'Arm of the run',
    default: 'transitive',
  },
} as const satisfies ArgsDef;

/** An integer from 0. @throws UsageError */
export function integer(name: string, text: string): number {
  const n = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(n)) {
    throw new UsageError(`--${name} is '${text}': give an integer from 0`);
  }
  return n;
}

/** An integer from 1. @throws UsageError */
export function count(name: string, text: string): number {
  const n = integer(name, text);
  if (n === 0) throw new UsageError(`--${name} is 0: give an integer from 1`);
  return n;
}

/** One of several words. @throws UsageError */
export function oneOf<T extends string>(name: string, text: string, words: readonly T[]): T {
  const found = words.find((w) => w === text);
  if (found === undefined) throw new UsageError(`--${name} is '${text}': give ${words.join(', ')}`);
  return found;
}

/** The data that the options name. @throws UsageError, DataError for a folder that is not there */
export function dataChoice(
  args: {
    readonly data?: string | undefined;
    readonly texts: string;
    readonly link: string;
    readonly 'image-tokenizer': string;
    readonly 'speech-tokenizer': string;
    readonly 'tokenizer-steps'?: string | undefined;
    readonly quick: boolean;
  },
  seed: number,
): DataChoice {
  const folder = args.data === undefined ? null : resolve(args.data);
  if (folder !== null && !existsSync(folder)) {
    throw new DataError(
      'missing',
      folder,
      'there is no such folder: give --data the folder that holds mnist/ and fsdd/',
    );
  }
  const texts = oneOf<FolderTexts>('texts', args.texts, ['captions', 'wine', 'sotu']);
  if (folder === null && texts !== 'captions')
    throw new UsageError(`--texts ${texts} needs --data FOLDER`);
  const image = oneOf('image-tokenizer', args['image-tokenizer'], ['patches', 'vq', 'dvae']);
  const steps = args['tokenizer-steps'];
  if (
    steps !== undefined &&
    args['image-tokenizer'] === 'patches' &&
    args['speech-tokenizer'] === 'mfcc'
  )
    throw new UsageError(
      '--tokenizer-steps needs --image-tokenizer or --speech-tokenizer that is learned',
    );
  const speech = oneOf('speech-tokenizer', args['speech-tokenizer'], ['mfcc', 'vq']);
  return {
    folder,
    texts,
    link: oneOf<SvlName>('link', args.link, ['text', 'image', 'speech']),
    profile: args.quick ? 'quick' : 'full',
    seed,
    ...(image === 'patches' ? {} : { imageTokenizer: image }),
    ...(speech === 'mfcc' ? {} : { speechTokenizer: speech }),
    ...(steps === undefined ? {} : { tokenizerSteps: count('tokenizer-steps', steps) }),
  };
}

/** What `--quick` changes: an example that ends within minutes, not a result. */
const QUICK = {
  train: { steps: 500, lrWarmup: 30 },
  transitive: { earliest: 200, latest: 250, skill: 0.7 },
  evaluate: { rows: 150, matchingRows: 100 },
};

/**
 * The configuration: defaults, `--quick`, the file, `--seed` and other options; later ones win.
 * @throws UsageError, DataError
 */
export function configFrom(
  args: {
    readonly config?: string | undefined;
    readonly quick: boolean;
    readonly seed?: string | undefined;
  },
  options: Partial<ExperimentConfig> = {},
): ExperimentConfig {
  const file = args.config === undefined ? {} : readConfig(args.config);
  const base: Record<string, unknown> = args.quick ? QUICK : {};
  const merged: Record<string, unknown> = { ...base };
  for (const [key, value] of Object.entries(file)) {
    const below = base[key];
    merged[key] = isObject(below) && isObject(value) ? { ...below, ...value } : value;
  }
  const seed = args.seed === undefined ? {} : { seed: integer('seed', args.seed) };
  return parseConfig({ ...merged, ...seed, ...options });
}

function isObject(x: unknown): x is Record<string, unknown> {
  return typeof x === 'object' && x !== null && !Array.isArray(x);
}

function readConfig(path: string): Record<string, unknown> {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    throw new DataError('missing', path, 'cannot read this file: give --config a JSON file');
  }
  try {
    const value: unknown = JSON.parse(text);
    if (isObject(value)) return value;
  } catch (error) {
    throw new DataError('config', path, `is not JSON: ${(error as Error).message}`);
  }
  throw new DataError('config', path, 'must hold a JSON object of settings');
}
