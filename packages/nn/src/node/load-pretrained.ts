/** Pretrained decoders: a Hugging Face folder, or a checkpoint of llama2.c. */
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Decoder } from '../decoder/decoder';
import { CheckpointError } from '../errors';
import { Fields } from '../files/json-fields';
import type { LoadOptions } from '../files/llama2c';
import { isPickleName, pickleRefusal } from '../files/pickle';
import { named, readJson } from './files';
import { recoverFolder } from './folder';
import { exists, loadHfFolder, loadLlama2c } from './models';

/** A model from disk, with what its files say of texts. */
export interface Pretrained {
  /** The decoder; the caller disposes of it. */
  readonly model: Decoder;
  /** What it was read from. */
  readonly source: 'hugging-face' | 'llama2.c';
  /** The folder that it lies in, where its tokenizer is too. */
  readonly directory: string;
  /** Id of the beginning of a text; null where the files name none. */
  readonly bosId: number | null;
  /** Ids that end a text, as `stopIds` of `generate` wants them. */
  readonly eosIds: readonly number[];
}

/**
 * A decoder from a Hugging Face folder (Llama, Mistral or GPT-2; F32, F16, BF16 or F64 safetensors, whole or in
 * shards), or from a folder with a llama2.c checkpoint (`.bin`, or `.safetensors` with Meta's names), or from such a
 * file. A folder whose saving was killed at its last step is found, see `recoverFolder`.
 * @throws CheckpointError, SafetensorsError in one line, before anything is allocated that the files do not hold
 */
export async function loadPretrained(from: string, options: LoadOptions = {}): Promise<Pretrained> {
  const path = await recoverFolder(from);
  const info = await stat(path).catch(() => null);
  if (info === null) throw new CheckpointError(`${path}: there is no such folder: check the path`);
  if (!info.isDirectory()) return await fromLlama2c(path, options);
  if (await exists(join(path, 'config.json'))) return await fromHf(path, options);
  return await fromLlama2c(await llama2cFile(path), options);
}

async function fromHf(directory: string, options: LoadOptions): Promise<Pretrained> {
  const config = await readJson(join(directory, 'config.json'));
  const own = named(directory, () => new Fields(config));
  const path = join(directory, 'generation_config.json');
  const json = (await exists(path)) ? await readJson(path) : {};
  const generation = named(directory, () => new Fields(json, 'generation_config.json'));
  const ids = (name: string): number[] =>
    named(directory, () => (generation.has(name) ? generation : own).ids(name));
  const [bos, eos] = [ids('bos_token_id'), ids('eos_token_id')];
  const model = await loadHfFolder(directory, options);
  // configurations of small models keep ids of the vocabulary that they were made from: those never occur
  const occurs = (id: number): boolean => id >= 0 && id < model.config.vocab;
  return {
    model,
    source: 'hugging-face',
    directory,
    bosId: bos.find(occurs) ?? null,
    eosIds: eos.filter(occurs),
  };
}

/** BOS delimits the stories of llama2.c: `run` stops there as well. */
async function fromLlama2c(path: string, options: LoadOptions): Promise<Pretrained> {
  const model = await loadLlama2c(path, options);
  const eosIds = [1, 2].filter((id) => id < model.config.vocab);
  return { model, source: 'llama2.c', directory: dirname(path), bosId: eosIds[0] ?? null, eosIds };
}

async function llama2cFile(directory: string): Promise<string> {
  const names = (await readdir(directory, { withFileTypes: true }))
    .filter((entry) => !entry.isDirectory())
    .map((entry) => entry.name)
    .sort();
  const files = names.filter(
    (name) =>
      !isPickleName(name) && /\.(bin|safetensors)$/.test(name) && !/^tok.*\.bin$/.test(name),
  );
  const [first] = files;
  if (first === undefined) {
    const pickle = names.find(isPickleName);
    if (pickle !== undefined) throw new CheckpointError(pickleRefusal(join(directory, pickle)));
    throw new CheckpointError(
      `${directory}: neither config.json nor a llama2.c checkpoint (.bin or .safetensors) is there`,
    );
  }
  // the same model in both forms is one model
  const stems = new Set(files.map((name) => basename(name).replace(/\.[^.]*$/, '')));
  if (stems.size > 1) {
    throw new CheckpointError(`${directory}: holds ${files.join(', ')}: give the path of one`);
  }
  return join(directory, first);
}
