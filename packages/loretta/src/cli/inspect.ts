/** `loretta inspect`: what a checkpoint, a safetensors file or a model folder holds. */
import { readdirSync, statSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { sizeOf } from '@loretta-ts/core';
import { type HostTensor, isOptimizerState } from '@loretta-ts/nn';
import { loadLlama2c, loadSafetensors, readSafetensorsHeader } from '@loretta-ts/nn/node';
import { DataError } from '../data/errors';
import { useBackend } from './backend';
import { command } from './command';
import { integer } from './options';

export const inspect = command({
  name: 'inspect',
  description: 'Show what a checkpoint, safetensors file or model folder holds',
  examples: [
    'loretta inspect loretta-out/transitive.safetensors',
    'loretta inspect model.safetensors --stats      least, largest, mean, non-finite values',
    'loretta inspect llama-folder --filter layers.0 --json',
  ],
  args: {
    path: {
      type: 'positional',
      description: 'A .safetensors file, a model.bin of llama2.c, or a folder with such files',
      valueHint: 'FILE',
      required: true,
    },
    filter: {
      type: 'string',
      description: 'Only tensors whose name has this text',
      valueHint: 'TEXT',
    },
    stats: {
      type: 'boolean',
      description: 'Read the values too: range, mean and how many are not finite',
      default: false,
    },
    limit: {
      type: 'string',
      valueHint: 'N',
      description: 'Tensors shown of each file; 0 shows all',
      default: '0',
    },
    json: { type: 'boolean', description: 'Print one JSON object', default: false },
  },
  main,
});

interface Args {
  readonly path: string;
  readonly filter?: string | undefined;
  readonly stats: boolean;
  readonly limit: string;
  readonly json: boolean;
}

interface Stats {
  readonly min: number;
  readonly max: number;
  readonly mean: number;
  readonly nonFinite: number;
}

interface TensorInfo {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly bytes: number;
  readonly stats?: Stats;
}

interface FileInfo {
  readonly file: string;
  readonly bytes: number;
  readonly metadata: Readonly<Record<string, string>>;
  /** Numbers in all tensors of the file, shown or not, without the optimiser's. */
  readonly parameters: number;
  /** Numbers of an optimiser's state. */
  readonly optimizerState: number;
  readonly tensors: readonly TensorInfo[];
}

async function main(args: Args): Promise<void> {
  const path = resolve(args.path);
  const limit = integer('limit', args.limit);
  const files: FileInfo[] = [];
  for (const file of filesOf(path)) files.push(await describe(file, args));
  if (args.json) {
    console.log(JSON.stringify({ path, files }));
    return;
  }
  for (const info of files) console.log(pageOf(info, limit));
  if (files.length > 1) {
    const parameters = files.reduce((n, f) => n + f.parameters, 0);
    const optimizerState = files.reduce((n, f) => n + f.optimizerState, 0);
    console.log(`all ${files.length} files: ${countText({ parameters, optimizerState })}`);
  }
}

/** @throws DataError where there is nothing to read */
function filesOf(path: string): string[] {
  const info = statSync(path, { throwIfNoEntry: false });
  if (info === undefined) throw new DataError('missing', path, 'there is no such file or folder');
  if (!info.isDirectory()) return [path];
  const files = readdirSync(path)
    .filter((name) => name.endsWith('.safetensors'))
    .sort()
    .map((name) => join(path, name));
  if (files.length === 0)
    throw new DataError('missing', path, 'this folder holds no .safetensors file');
  return files;
}

async function describe(path: string, { filter, stats }: Args): Promise<FileInfo> {
  const bytes = statSync(path).size;
  const wanted = ({ name }: { readonly name: string }): boolean =>
    filter === undefined || name.includes(filter);
  if (!path.endsWith('.safetensors')) return await describeLlama2c(path, bytes, wanted);
  const { entries, metadata } = await readSafetensorsHeader(path);
  const values = stats ? (await loadSafetensors(path)).tensors : null;
  const tensors = entries.filter(wanted).map((entry) => ({
    name: entry.name,
    dtype: entry.dtype,
    shape: entry.shape,
    bytes: entry.end - entry.begin,
    ...(values === null ? {} : { stats: statsOf(values.get(entry.name)!) }),
  }));
  return {
    ...{ file: path, bytes, metadata: Object.fromEntries(metadata), tensors },
    parameters: numbersIn(entries.filter(({ name }) => !isOptimizerState(name))),
    optimizerState: numbersIn(entries.filter(({ name }) => isOptimizerState(name))),
  };
}

const numbersIn = (tensors: readonly { readonly shape: readonly number[] }[]): number =>
  tensors.reduce((n, { shape }) => n + sizeOf(shape), 0);

/** Tensors of llama2.c are not named in its file: they are shown as the decoder names them. */
async function describeLlama2c(
  path: string,
  bytes: number,
  wanted: (tensor: { readonly name: string }) => boolean,
): Promise<FileInfo> {
  useBackend('cpu');
  const model = await loadLlama2c(path);
  try {
    const tensors = model.namedParameters().map(([name, { value }]) => ({
      ...{ name, dtype: 'F32', shape: value.shape, bytes: 4 * value.size },
    }));
    return {
      ...{ file: path, bytes, metadata: { config: JSON.stringify(model.config) } },
      ...{ parameters: numbersIn(tensors), optimizerState: 0, tensors: tensors.filter(wanted) },
    };
  } finally {
    model.dispose();
  }
}

/** Of the finite values; all 0 where there are none. */
function statsOf({ data }: HostTensor): Stats {
  let [min, max, sum, finite] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, 0];
  for (const element of data) {
    const x = Number(element);
    if (!Number.isFinite(x)) continue;
    if (x < min) min = x;
    if (x > max) max = x;
    sum += x;
    finite++;
  }
  const nonFinite = data.length - finite;
  return finite === 0
    ? { min: 0, max: 0, mean: 0, nonFinite }
    : { min, max, mean: sum / finite, nonFinite };
}

/** `1,200 numbers`, and those of an optimiser beside them where there are any. */
function countText({
  parameters,
  optimizerState,
}: Pick<FileInfo, 'parameters' | 'optimizerState'>): string {
  const own = `${parameters.toLocaleString('en')} numbers`;
  return optimizerState === 0
    ? own
    : `${own} and ${optimizerState.toLocaleString('en')} of an optimiser's state`;
}

function pageOf(info: FileInfo, limit: number): string {
  const { file, bytes, metadata, tensors } = info;
  const shown = limit === 0 ? tensors : tensors.slice(0, limit);
  const rows = shown.map((t) => [
    oneLine(t.name),
    `${t.dtype} [${t.shape.join(', ')}]`,
    sizeText(t.bytes),
    ...(t.stats === undefined
      ? []
      : [
          `${number(t.stats.min)} … ${number(t.stats.max)}, mean ${number(t.stats.mean)}`,
          t.stats.nonFinite === 0 ? '' : `${t.stats.nonFinite} not finite`,
        ]),
  ]);
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => row[i]!.length)));
  const lines = rows.map((row) =>
    `  ${row.map((text, i) => text.padEnd(widths[i]!)).join('  ')}`.trimEnd(),
  );
  const notes = Object.entries(metadata).map(([key, value]) => `  ${key}: ${oneLine(value)}`);
  return [
    `${basename(file)}  ${sizeText(bytes)}, ${countText(info)} in ${tensors.length} tensors`,
    ...notes,
    ...lines,
    ...(shown.length < tensors.length ? [`  … ${tensors.length - shown.length} more`] : []),
  ].join('\n');
}

const number = (x: number): string => String(Number(x.toPrecision(4)));

/** `1.2 MB` of 1,200,000 bytes. */
function sizeText(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB'];
  const unit = Math.min(Math.floor(Math.log10(Math.max(bytes, 1)) / 3), units.length - 1);
  const value = bytes / 1000 ** unit;
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}

/** Metadata come from a file: control characters stay out of the terminal. */
function oneLine(text: string): string {
  const plain = text.replace(/\p{Cc}+/gu, ' ');
  return plain.length > 160 ? `${plain.slice(0, 157)}…` : plain;
}
