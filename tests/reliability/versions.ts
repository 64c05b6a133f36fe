/** Saves whose every number is a version, and the version of what is on the disk: files and model folders. */
import { full, key } from '@loretta-ts/core';
import { Decoder } from '@loretta-ts/nn';
import {
  loadPretrained,
  loadSafetensors,
  savePretrained,
  saveSafetensors,
} from '@loretta-ts/nn/node';
import { must } from './row';

/** A form in which a version is saved. */
export interface Saved {
  /** Its name in a folder of its own. */
  readonly name: string;
  /** Saves a version over the one before; about so many bytes. */
  readonly save: (path: string, version: number, bytes: number) => Promise<void>;
  /** The version that is there. Throws when some of it is of another. */
  readonly load: (path: string) => Promise<number>;
  /** Most that a killed process leaves beside it. */
  readonly leftovers: number;
}

function onlyVersion(arrays: readonly ArrayLike<number>[]): number {
  const version = arrays[0]![0]!;
  for (const data of arrays) {
    must(
      Array.prototype.every.call(data, (x) => x === version),
      () => `what is of version ${version} holds numbers of another`,
    );
  }
  return version;
}

const file: Saved = {
  name: 'model.safetensors',
  async save(path, version, bytes) {
    const data = new Float32Array(bytes / 4).fill(version);
    await saveSafetensors(
      path,
      new Map([['weights', { dtype: 'F32', shape: [data.length], data }]]),
    );
  },
  async load(path) {
    const { tensors } = await loadSafetensors(path);
    return onlyVersion([tensors.get('weights')!.data as Float32Array]);
  },
  leftovers: 1,
};

/** A model folder in shards; its size is in the vocabulary. */
const folder: Saved = {
  name: 'model',
  async save(path, version, bytes) {
    const vocab = 4 + Math.floor(bytes / 64);
    const model = new Decoder({ vocab, dim: 4, layers: 1, heads: 2, maxLength: 8 }, key(0));
    for (const p of model.parameters()) p.assign(full(p.value.shape, version));
    await savePretrained(model, path, { overwrite: true, maxShardBytes: 1000 });
    model.dispose();
  },
  async load(path) {
    const { model } = await loadPretrained(path);
    const version = onlyVersion([...model.stateDict().values()].map((t) => t.dataSync()));
    model.dispose();
    return version;
  },
  // the new one, and the old one
  leftovers: 2,
};

export const saved: Readonly<Record<'file' | 'folder', Saved>> = { file, folder };
