/** Decoders from folders and files on disk. */
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { Decoder } from '../decoder/decoder';
import { CheckpointError } from '../errors';
import { decoderConfigFromHf, fromHfTensors } from '../files/hf';
import { decoderFromLlama2c, decoderFromMetaNames, type LoadOptions } from '../files/llama2c';
import type { HostTensor } from '../host';
import { loadSafetensors, named, read } from './files';

/**
 * A decoder from a Hugging Face folder: `config.json`, and `model.safetensors` or shards with
 * `model.safetensors.index.json`; F32, F16, BF16 or F64 weights of Llama, Mistral, GPT-2 or Mamba.
 * @throws CheckpointError, SafetensorsError, StateDictError in one line
 */
export async function loadHfFolder(directory: string, options: LoadOptions = {}): Promise<Decoder> {
  const config = await readJson(join(directory, 'config.json'));
  const decoderConfig = named(directory, () => decoderConfigFromHf(config, options));
  const tensors = await loadHfTensors(directory);
  const decoder = new Decoder(decoderConfig, null);
  try {
    decoder.loadStateDict(fromHfTensors(config, tensors));
  } catch (error) {
    decoder.dispose();
    throw error;
  }
  return decoder;
}

/** All tensors of a Hugging Face folder, from one file or its shards. */
export async function loadHfTensors(directory: string): Promise<Map<string, HostTensor>> {
  const single = join(directory, 'model.safetensors');
  if (await exists(single)) return (await loadSafetensors(single)).tensors;
  const index = join(directory, 'model.safetensors.index.json');
  if (!(await exists(index))) {
    throw new CheckpointError(
      `${directory}: neither model.safetensors nor model.safetensors.index.json is there`,
    );
  }
  const places = weightMap(index, await readJson(index));
  const tensors = new Map<string, HostTensor>();
  for (const shard of new Set(places.values())) {
    for (const [name, t] of (await loadSafetensors(join(directory, shard))).tensors) {
      if (places.get(name) !== shard) {
        throw new CheckpointError(
          `${join(directory, shard)}: tensor '${name}' is not listed there by the index`,
        );
      }
      tensors.set(name, t);
    }
  }
  for (const [name, shard] of places) {
    if (!tensors.has(name))
      throw new CheckpointError(
        `${join(directory, shard)}: tensor '${name}' of the index is not there`,
      );
  }
  return tensors;
}

/** A decoder from a legacy llama2.c file (`.bin`), or from safetensors with Meta's names. */
export async function loadLlama2c(path: string, options: LoadOptions = {}): Promise<Decoder> {
  if (path.endsWith('.safetensors')) {
    const file = await loadSafetensors(path);
    return named(path, () => decoderFromMetaNames(file, options));
  }
  const bytes = await read(path);
  return named(path, () => decoderFromLlama2c(bytes, options));
}

function weightMap(path: string, json: unknown): Map<string, string> {
  const map: unknown =
    typeof json === 'object' && json !== null && 'weight_map' in json ? json.weight_map : null;
  if (typeof map !== 'object' || map === null)
    throw new CheckpointError(`${path}: weight_map is missing`);
  const places = new Map<string, string>();
  for (const [name, shard] of Object.entries(map)) {
    // a shard is a file beside the index, never a path
    if (typeof shard !== 'string' || !/^[\w-][\w.-]*\.safetensors$/.test(shard)) {
      throw new CheckpointError(
        `${path}: the place of '${name}' is not the name of a safetensors file`,
      );
    }
    places.set(name, shard);
  }
  return places;
}

async function readJson(path: string): Promise<unknown> {
  const text = new TextDecoder().decode(await read(path));
  try {
    return JSON.parse(text);
  } catch {
    throw new CheckpointError(`${path}: not JSON`);
  }
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}
