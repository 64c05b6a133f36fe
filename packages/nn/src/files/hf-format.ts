/**
 * What a model type of Hugging Face is: its `config.json` both ways, and the state dict of its PyTorch class as a
 * table of names and shapes. The table alone drives loading, saving and the check of a file before anything is read.
 */
import { type Shape, sameShape } from '@loretta-ts/core';
import type { DecoderConfig, ResolvedDecoderConfig } from '../decoder/config';
import { CheckpointError } from '../errors';
import type { FileDType, HostData, HostTensor } from '../host';
import { type Fields, short } from './json-fields';

/** One tensor of a state dict. */
export interface HfEntry {
  /** Name in the file. */
  readonly name: string;
  /** Sizes in the file. */
  readonly shape: Shape;
  /** Our parameters that it holds, of equal height, one under the other. */
  readonly own: readonly string[];
  /** Stored as [in, out], as GPT-2's Conv1D is; ours are [out, in]. */
  readonly transposed?: boolean;
}

/** A model type. */
export interface HfFormat {
  /** The class in `architectures`. */
  readonly architecture: string;
  /** Whether it is the type for such a decoder, if any is. */
  suits(config: ResolvedDecoderConfig): boolean;
  /** The decoder of a `config.json`. @throws CheckpointError that names the key */
  configFromHf(c: Fields): DecoderConfig;
  /** The keys of a `config.json`. @throws CheckpointError that names the field that it cannot say */
  configToHf(config: ResolvedDecoderConfig): Readonly<Record<string, unknown>>;
  /** The state dict, tied weights once, in the order of the modules. */
  layout(config: ResolvedDecoderConfig): readonly HfEntry[];
  /** The name in `layout` of a name as it stands in files; null for a buffer that is no weight. */
  canonical(name: string): string | null;
}

/** What a file says of a tensor before its data is read. */
export interface TensorInfo {
  readonly dtype: FileDType;
  readonly shape: Shape;
}

/**
 * Tensors by the names of the layout, buffers and tied copies dropped. Nothing is allocated, whatever the
 * configuration claims.
 * @throws CheckpointError that lists missing, unexpected and misshapen names
 */
export function fitted<T extends TensorInfo>(
  format: HfFormat,
  config: ResolvedDecoderConfig,
  tensors: ReadonlyMap<string, T>,
): Map<string, T> {
  boundLayers(config, tensors.size);
  const found = new Map<string, T>();
  for (const [name, t] of tensors) {
    const known = format.canonical(name);
    if (known === null || (config.tieEmbeddings && known === 'lm_head.weight')) continue;
    if (found.has(known)) throw new CheckpointError(`tensor '${short(known)}' comes twice`);
    if (!['F64', 'F32', 'F16', 'BF16'].includes(t.dtype)) {
      throw new CheckpointError(`tensor '${short(name)}' is ${t.dtype}, not floating point`);
    }
    found.set(known, t);
  }
  const wanted = new Map(format.layout(config).map((e) => [e.name, e.shape]));
  const missing = [...wanted.keys()].filter((name) => !found.has(name));
  const unexpected = [...found.keys()].filter((name) => !wanted.has(name));
  const misshapen = [...found].filter(([name, t]) => {
    const shape = wanted.get(name);
    return shape !== undefined && !sameShape(shape, t.shape);
  });
  const problems = [
    ...(missing.length > 0 ? [`missing ${list(missing)}`] : []),
    ...(unexpected.length > 0 ? [`unexpected ${list(unexpected)}`] : []),
    ...misshapen
      .slice(0, 3)
      .map(
        ([name, t]) => `${name} is [${t.shape.join(',')}], not [${wanted.get(name)!.join(',')}]`,
      ),
  ];
  if (problems.length === 0) return found;
  throw new CheckpointError(
    `the weights are not those of ${format.architecture} as configured: ${problems.join('; ')}`,
  );
}

/** A layer has a tensor at least: no table is built for layers that are only claimed. @throws CheckpointError */
export function boundLayers({ layers }: ResolvedDecoderConfig, tensors: number): void {
  if (layers <= tensors) return;
  throw new CheckpointError(
    `the configuration has ${layers} layers, the weights are ${tensors} tensors: they are of another model`,
  );
}

/** Our parameters in a tensor of the file. */
export function ownTensors({ own, transposed }: HfEntry, t: HostTensor): [string, HostTensor][] {
  const value = transposed === true ? transpose(t) : t;
  if (own.length === 1) return [[own[0]!, value]];
  return splitRows(value, own.length).map((rows, i) => [own[i]!, rows]);
}

/** A tensor of the file from our parameters, or from their gradients. @throws CheckpointError when one is missing */
export function fileTensor(
  { own, transposed, name }: HfEntry,
  tensors: ReadonlyMap<string, HostTensor>,
): HostTensor {
  const parts = own.map((part) => {
    const t = tensors.get(part);
    if (t === undefined) throw new CheckpointError(`${name} needs '${part}', which is not there`);
    return t;
  });
  const value = parts.length === 1 ? parts[0]! : joinRows(parts);
  return transposed === true ? transpose(value) : value;
}

/** @throws CheckpointError unless the field has the one value that the architecture has */
export function requireField<K extends keyof ResolvedDecoderConfig>(
  { architecture }: Pick<HfFormat, 'architecture'>,
  config: ResolvedDecoderConfig,
  field: K,
  value: ResolvedDecoderConfig[K],
): void {
  const [has, wants] = [JSON.stringify(config[field]), JSON.stringify(value)];
  if (has === wants) return;
  throw new CheckpointError(
    `${field} is ${has}, and ${architecture} has ${wants} only: keep this model with saveCheckpoint`,
  );
}

function transpose({ dtype, shape, data }: HostTensor): HostTensor {
  const [rows, cols] = shape;
  if (shape.length !== 2 || rows === undefined || cols === undefined) {
    throw new CheckpointError(`a dense weight is [${shape.join(',')}], not [in, out]`);
  }
  const out = data.slice();
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < cols; j++) out[j * rows + i] = data[i * cols + j]!;
  return { dtype, shape: [cols, rows], data: out };
}

function splitRows({ dtype, shape, data }: HostTensor, parts: number): HostTensor[] {
  const [rows = 0, ...rest] = shape;
  if (rows % parts !== 0)
    throw new CheckpointError(`[${shape.join(',')}] does not split into ${parts}`);
  const n = data.length / parts;
  return Array.from({ length: parts }, (_, i) => ({
    dtype,
    shape: [rows / parts, ...rest],
    data: data.slice(i * n, (i + 1) * n),
  }));
}

function joinRows(parts: readonly HostTensor[]): HostTensor {
  const { dtype, shape, data } = parts[0]!;
  const total = parts.reduce((n, p) => n + p.data.length, 0);
  const Kind = data.constructor as new (n: number) => HostData;
  const out = new Kind(total);
  let at = 0;
  for (const p of parts) {
    for (let i = 0; i < p.data.length; i++) out[at++] = p.data[i]!;
  }
  return {
    dtype,
    shape: [parts.reduce((n, p) => n + p.shape[0]!, 0), ...shape.slice(1)],
    data: out,
  };
}

function list(names: readonly string[]): string {
  const shown = names.slice(0, 4).map(short).join(', ');
  return names.length <= 4 ? shown : `${shown} and ${names.length - 4} more`;
}
