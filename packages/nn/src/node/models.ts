/** Decoders from folders and files on disk. */
import { access, readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { Decoder } from '../decoder/decoder';
import { CheckpointError } from '../errors';
import { checkHfTensors, decoderConfigFromHf, fromHfTensors } from '../files/hf';
import type { TensorInfo } from '../files/hf-format';
import { short } from '../files/json-fields';
import { decoderFromLlama2c, decoderFromMetaNames, type LoadOptions } from '../files/llama2c';
import { isPickleName, pickleRefusal } from '../files/pickle';
import type { HostTensor } from '../host';
import { loadSafetensors, named, read, readJson, readSafetensorsHeader } from './files';
import { recoverFolder } from './folder';

/**
 * A decoder from a Hugging Face folder: `config.json`, and `model.safetensors` or shards with
 * `model.safetensors.index.json`; F32, F16, BF16 or F64 weights of Llama, Mistral, GPT-2 or Mamba. The headers are compared
 * with the configuration before weights are read or allocated.
 * @throws CheckpointError, SafetensorsError in one line
 */
export async function loadHfFolder(from: string, options: LoadOptions = {}): Promise<Decoder> {
  const directory = await recoverFolder(from);
  const config = await readJson(join(directory, 'config.json'));
  const decoderConfig = named(directory, () => decoderConfigFromHf(config, options));
  const files = await weightFiles(directory);
  const headers = await headersOf(files);
  named(directory, () => checkHfTensors(config, headers));
  const tensors = await tensorsOf(files);
  const own = named(directory, () => fromHfTensors(config, tensors));
  const decoder = new Decoder(decoderConfig, null);
  try {
    decoder.loadStateDict(own);
  } catch (error) {
    decoder.dispose();
    throw error;
  }
  return decoder;
}

/** All tensors of a Hugging Face folder, from one file or its shards. */
export async function loadHfTensors(directory: string): Promise<Map<string, HostTensor>> {
  return await tensorsOf(await weightFiles(await recoverFolder(directory)));
}

/** A decoder from a legacy llama2.c file (`.bin`), or from safetensors with Meta's names. */
export async function loadLlama2c(path: string, options: LoadOptions = {}): Promise<Decoder> {
  if (isPickleName(basename(path))) throw new CheckpointError(pickleRefusal(path));
  if (path.endsWith('.safetensors')) {
    const file = await loadSafetensors(path);
    return named(path, () => decoderFromMetaNames(file, options));
  }
  const bytes = await read(path);
  return named(path, () => decoderFromLlama2c(bytes, options));
}

/** Where the weights of a folder are. */
interface WeightFiles {
  readonly paths: readonly string[];
  /** Path by name of the tensor; null without an index. */
  readonly places: ReadonlyMap<string, string> | null;
}

async function weightFiles(directory: string): Promise<WeightFiles> {
  const single = join(directory, 'model.safetensors');
  if (await exists(single)) return { paths: [single], places: null };
  const index = join(directory, 'model.safetensors.index.json');
  if (!(await exists(index))) {
    const pickle = (await readdir(directory)).sort().find(isPickleName);
    if (pickle !== undefined) throw new CheckpointError(pickleRefusal(join(directory, pickle)));
    throw new CheckpointError(
      `${directory}: neither model.safetensors nor model.safetensors.index.json is there`,
    );
  }
  const places = weightMap(directory, index, await readJson(index));
  return { paths: [...new Set(places.values())], places };
}

async function tensorsOf(files: WeightFiles): Promise<Map<string, HostTensor>> {
  const tensors = new Map<string, HostTensor>();
  for (const path of files.paths) {
    const shard = (await loadSafetensors(path)).tensors;
    listed(files, path, shard);
    for (const [name, t] of shard) tensors.set(name, t);
  }
  return tensors;
}

async function headersOf(files: WeightFiles): Promise<Map<string, TensorInfo>> {
  const headers = new Map<string, TensorInfo>();
  for (const path of files.paths) {
    const { entries } = await readSafetensorsHeader(path);
    const shard = new Map(entries.map((e) => [e.name, e]));
    listed(files, path, shard);
    for (const [name, e] of shard) headers.set(name, e);
  }
  return headers;
}

/** @throws CheckpointError unless a shard holds what the index says */
function listed({ places }: WeightFiles, path: string, shard: ReadonlyMap<string, unknown>): void {
  if (places === null) return;
  for (const name of shard.keys()) {
    if (places.get(name) === path) continue;
    throw new CheckpointError(`${path}: tensor '${short(name)}' is not listed there by the index`);
  }
  for (const [name, place] of places) {
    if (place !== path || shard.has(name)) continue;
    throw new CheckpointError(`${path}: tensor '${short(name)}' of the index is not there`);
  }
}

function weightMap(directory: string, path: string, json: unknown): Map<string, string> {
  const map: unknown =
    typeof json === 'object' && json !== null && Object.hasOwn(json, 'weight_map')
      ? Reflect.get(json, 'weight_map')
      : null;
  if (typeof map !== 'object' || map === null)
    throw new CheckpointError(`${path}: weight_map is missing`);
  const places = new Map<string, string>();
  for (const [name, shard] of Object.entries(map)) {
    // a shard is a file beside the index, never a path
    if (typeof shard !== 'string' || !/^[\w-][\w.-]*\.safetensors$/.test(shard)) {
      throw new CheckpointError(
        `${path}: the place of '${short(name)}' is not the name of a safetensors file`,
      );
    }
    places.set(name, join(directory, shard));
  }
  return places;
}

/** Whether something is there. */
export async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}
