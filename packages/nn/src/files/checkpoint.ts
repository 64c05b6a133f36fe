/** Checkpoints: a model's parameters by name, an optimiser's state as `STATE/NAME`, and metadata, in one safetensors file. */
import { NonFiniteError } from '@loretta-ts/core';
import { CheckpointError } from '../errors';
import { type HostTensor, toHost } from '../host';
import type { Module } from '../module';
import type { Optimizer } from '../optim/optimizer';
import { inFileDType, type SaveDType } from './file-dtype';
import { parseSafetensors, serializeSafetensors } from './safetensors';

/** What a checkpoint is made of. */
export interface CheckpointParts {
  /** Whose parameters are stored. */
  readonly model: Module;
  /** Whose state and step count are stored. */
  readonly optimizer?: Optimizer;
}

/** What is stored beside them. */
export interface SavedWith {
  /** Strings by key. */
  readonly metadata?: Readonly<Record<string, string>>;
}

const STEPS = 'optimizer.steps';

/** Whether a tensor of a checkpoint is an optimiser's state, `STATE/NAME`, and not a parameter. */
export const isOptimizerState = (name: string): boolean => name.includes('/');

/**
 * A checkpoint's bytes. A model with a JSON `config` (a `Decoder`) has it stored under the metadata key `config`.
 * @param parts.metadata any more strings; keys `config` and `optimizer.steps` are taken
 * @param parts.onlyFinite refuse weights or state that are not finite; default false
 * @throws NonFiniteError with `onlyFinite`, by the name of the weight
 */
export async function checkpointBytes(
  parts: CheckpointParts & SavedWith & { readonly onlyFinite?: boolean },
): Promise<Uint8Array> {
  const { model, optimizer, metadata = {}, onlyFinite = false } = parts;
  const tensors = await toHost(new Map([...model.stateDict(), ...(optimizer?.stateDict() ?? [])]));
  if (onlyFinite) assertFinite(tensors);
  const config = configOf(model);
  return serializeSafetensors(tensors, {
    ...metadata,
    ...(config === null ? {} : { config }),
    ...(optimizer === undefined ? {} : { [STEPS]: String(optimizer.steps) }),
  });
}

/**
 * Loads a checkpoint into a model, and into an optimiser when one is given, and returns its metadata. State in the
 * file that nobody asked for is left alone.
 * @throws SafetensorsError for a bad file; CheckpointError, StateDictError for one of another model
 */
export function restoreCheckpoint(
  bytes: Uint8Array,
  parts: CheckpointParts,
): ReadonlyMap<string, string> {
  const { tensors, metadata } = parseSafetensors(bytes);
  const { model, optimizer } = parts;
  const steps = metadata.get(STEPS);
  checkConfig(model, metadata);
  if (optimizer !== undefined && (steps === undefined || !/^\d{1,15}$/.test(steps))) {
    throw new CheckpointError(
      'the file has no optimiser state: load the model alone, or start the optimiser anew',
    );
  }
  const own = new Map<string, HostTensor>();
  const state = new Map<string, HostTensor>();
  for (const [name, t] of tensors) (isOptimizerState(name) ? state : own).set(name, t);
  model.loadStateDict(own);
  optimizer?.loadStateDict(state, Number(steps));
  return metadata;
}

/**
 * A checkpoint for inference: parameters in `dtype` and metadata, without the optimiser's state. In f16 it is a sixth of
 * what an f32 training with two moments saved.
 * @throws SafetensorsError for a bad file; CheckpointError when a value is too large for the type
 */
export function weightsBytes(checkpoint: Uint8Array, dtype: SaveDType): Uint8Array {
  const { tensors, metadata } = parseSafetensors(checkpoint);
  const own = [...tensors].filter(([name]) => !isOptimizerState(name));
  const { [STEPS]: _steps, ...rest } = Object.fromEntries(metadata);
  return serializeSafetensors(
    new Map(own.map(([name, t]) => [name, inFileDType(name, t, dtype)])),
    rest,
  );
}

function assertFinite(tensors: ReadonlyMap<string, HostTensor>): void {
  for (const [name, { data }] of tensors) {
    for (let i = 0; i < data.length; i++) {
      if (Number.isFinite(data[i]!)) continue;
      throw new NonFiniteError(
        'checkpoint',
        `${name} holds ${data[i]} at ${i}: it is not saved, go on from the last checkpoint`,
      );
    }
  }
}

function checkConfig(model: Module, metadata: ReadonlyMap<string, string>): void {
  const mine = configOf(model);
  const stored = metadata.get('config');
  if (mine === null || stored === undefined || mine === stored) return;
  const differing = differences(mine, stored);
  if (differing.length === 0) return;
  throw new CheckpointError(
    `it is of another architecture: ${differing.slice(0, 4).join('; ')}: build the model with the stored config`,
  );
}

function differences(mine: string, stored: string): string[] {
  const a = JSON.parse(mine) as Record<string, unknown>;
  let b: unknown;
  try {
    b = JSON.parse(stored);
  } catch {
    throw new CheckpointError('the stored config is not JSON: the file is damaged');
  }
  if (typeof b !== 'object' || b === null)
    throw new CheckpointError('the stored config is not an object');
  const other = new Map(Object.entries(b));
  return Object.keys(a).flatMap((field) => {
    // precision, dropout and initialisation may change between runs
    if (['dtype', 'dropout', 'initStd', 'embeddingStd'].includes(field)) return [];
    const [x, y] = [JSON.stringify(a[field]), JSON.stringify(other.get(field))];
    return x === y ? [] : [`${field} is ${y ?? 'missing'} in the file and ${x} here`];
  });
}

function configOf(model: Module): string | null {
  const config: unknown = 'config' in model ? model.config : undefined;
  return typeof config === 'object' && config !== null ? JSON.stringify(config) : null;
}
