/** The format of a conformance folder: manifests `GROUP.json` beside their tensors. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readVectors, type Vector } from './safetensors';

/** `[rtol, atol]`; null where the result does not exist in that precision. */
export type Tolerance = readonly [rtol: number, atol: number] | null;
export type Precision = 'f32' | 'f64';
export type Tolerances = Readonly<Record<Precision, Tolerance>>;

/** A tensor of a case. */
export interface Entry {
  readonly name: string;
  /** Key into the group's tensors. */
  readonly tensor?: string;
  readonly shape: readonly number[];
  readonly dtype: 'float32' | 'float64' | 'int32' | 'bool';
  readonly requires_grad?: boolean;
  /** The input is a view: `steps` applied to `base`. */
  readonly via?: {
    readonly base: Omit<Entry, 'name'>;
    readonly steps: readonly (readonly [kind: string, ...args: unknown[]])[];
  };
  readonly tol?: Tolerances;
  /** Of gradients: `base` is that of the view's base. */
  readonly of?: string;
  /** Nested values in place of a tensor. */
  readonly values?: unknown;
}

export type Attrs = Readonly<Record<string, unknown>>;

export interface Case {
  readonly id: string;
  readonly op: string;
  readonly attrs: Attrs;
  readonly inputs: readonly Entry[];
  readonly outputs: readonly Entry[];
  readonly upstream: readonly Entry[];
  readonly grads: readonly Entry[];
  readonly tags: readonly string[];
  /** Everything that the manifest says of the case. */
  readonly raw: Attrs;
}

export interface Group {
  readonly name: string;
  /** The folder it was read from: files of cases are relative to it. */
  readonly dir: string;
  readonly raw: Attrs;
  readonly cases: readonly Case[];
  readonly vectors: ReadonlyMap<string, Vector>;
}

/** Groups whose results depend on neither backend nor precision: one run is enough. */
export const HOST_GROUPS = /^(tok_|stfiles)/;

/** Names of the groups in a folder, sorted. */
export function groupNames(dir: string): string[] {
  return readdirSync(dir)
    .filter((file) => file.endsWith('.json'))
    .map((file) => file.slice(0, -'.json'.length))
    .sort();
}

export function readGroup(dir: string, file: string): Group {
  const raw = JSON.parse(readFileSync(join(dir, `${file}.json`), 'utf8')) as Attrs;
  const name = typeof raw['group'] === 'string' ? raw['group'] : file;
  const tensors = typeof raw['tensors'] === 'string' ? join(dir, raw['tensors']) : null;
  const vectors = tensors !== null && existsSync(tensors) ? readVectors(tensors) : new Map();
  const listed = Array.isArray(raw['cases']) ? (raw['cases'] as Attrs[]) : [];
  return { name, dir, raw, vectors, cases: listed.map((c, i) => completeCase(c, `${name}.${i}`)) };
}

function completeCase(raw: Attrs, fallbackId: string): Case {
  const entries = (key: string): readonly Entry[] => (raw[key] ?? []) as readonly Entry[];
  return {
    id: String(raw['id'] ?? fallbackId),
    op: String(raw['op'] ?? ''),
    attrs: (raw['attrs'] ?? {}) as Attrs,
    inputs: entries('inputs'),
    outputs: entries('outputs'),
    upstream: entries('upstream'),
    grads: entries('grads'),
    tags: (raw['tags'] ?? []) as readonly string[],
    raw,
  };
}

/** The values of an entry. @throws when the folder does not hold what the manifest says */
export function valuesOf(group: Group, entry: Omit<Entry, 'name'>): Vector {
  const size = entry.shape.reduce((n, d) => n * d, 1);
  if (entry.tensor === undefined) {
    const listed = [entry.values].flat(Infinity).filter((x) => x !== undefined);
    // shapes alone stand for any finite values
    const data = Float64Array.from({ length: size }, (_, i) =>
      Number(listed[i] ?? (i % 7) / 8 + 0.5),
    );
    return { shape: entry.shape, dtype: entry.dtype, data };
  }
  const vector = group.vectors.get(entry.tensor);
  if (vector === undefined || vector.data.length !== size) {
    throw new Error(`the folder has no tensor ${entry.tensor} of shape [${entry.shape.join(',')}]`);
  }
  return { shape: entry.shape, dtype: entry.dtype, data: vector.data };
}

/** Numbers in attributes: "inf", "-inf" and "nan" stand for what JSON cannot say. */
export function parseNumber(value: unknown): number {
  if (value === 'inf') return Infinity;
  if (value === '-inf') return -Infinity;
  if (value === 'nan') return NaN;
  if (typeof value === 'number') return value;
  throw new Error(`attribute ${JSON.stringify(value)} is not a number`);
}
