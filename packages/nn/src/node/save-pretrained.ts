/** A decoder as a Hugging Face folder, which `transformers` loads strictly. */
import { ValueError } from '@loretta-ts/core';
import type { Decoder } from '../decoder/decoder';
import { CheckpointError } from '../errors';
import { inFileDType, SAVE_DTYPES, type SaveDType } from '../files/file-dtype';
import { decoderConfigToHf, hfLayout } from '../files/hf';
import { fileTensor, type HfEntry } from '../files/hf-format';
import { halvesFromPairs } from '../files/rotary';
import { serializeSafetensors } from '../files/safetensors';
import { type HostTensor, toHost } from '../host';
import { type NewFolder, writeFolderAtomic } from './folder';

/** Options of `savePretrained`. */
export interface SavePretrainedOptions {
  /** Element type of the weights; default that of the model. 16-bit types round to nearest even. */
  readonly dtype?: SaveDType;
  /** Most bytes of weights in one file; default 2e9. More are split into shards with an index. */
  readonly maxShardBytes?: number;
  /** What becomes tokenizer.json: its parsed contents, or a tokenizer with `toJSON`. */
  readonly tokenizer?: object;
  /** Id of the beginning of a text; default none. */
  readonly bosId?: number | null;
  /** Ids that end a text; default none. */
  readonly eosIds?: readonly number[];
  /** Replaces a folder that holds nothing but files of a saved model; default false: it has to be new or empty. */
  readonly overwrite?: boolean;
}

/**
 * Writes `config.json`, `model.safetensors` (or shards with `model.safetensors.index.json`), `generation_config.json`
 * and, where one is given, `tokenizer.json`. Names and shapes are those of the state dict of `LlamaForCausalLM`,
 * `MistralForCausalLM` (with a window) or `GPT2LMHeadModel`; tied weights are written once. Rotary pairs become
 * halves. The folder appears whole or not at all.
 * @throws CheckpointError that names what the format cannot say, before anything is written; ValueError for an option
 */
export async function savePretrained(
  model: Decoder,
  directory: string,
  options: SavePretrainedOptions = {},
): Promise<void> {
  const { dtype = model.config.dtype, maxShardBytes = 2e9, tokenizer } = options;
  checkOptions(model, options, dtype, maxShardBytes);
  const config = configText(model, options, dtype);
  const entries = hfLayout(model.config);
  checkComplete(model, entries);
  const tokenizerText = tokenizer === undefined ? null : jsonText(tokenizer);
  const { bosId = null, eosIds = [] } = options;
  const replaceable = options.overwrite === true ? isModelFile : null;
  await writeFolderAtomic(directory, replaceable, async (folder) => {
    await folder.write('config.json', config);
    if (tokenizerText !== null) await folder.write('tokenizer.json', tokenizerText);
    await folder.write('generation_config.json', jsonText(tokenKeys(bosId, eosIds)));
    await writeWeights(folder, model, shardsOf(entries, dtype, maxShardBytes), dtype);
  });
}

function checkOptions(
  model: Decoder,
  { bosId = null, eosIds = [] }: SavePretrainedOptions,
  dtype: SaveDType,
  maxShardBytes: number,
): void {
  if (!Object.hasOwn(SAVE_DTYPES, dtype))
    fail(`dtype is '${dtype}': it must be ${Object.keys(SAVE_DTYPES).join(', ')}`);
  if (!(maxShardBytes >= 1)) fail(`maxShardBytes is ${maxShardBytes}, not a positive number`);
  for (const id of [...(bosId === null ? [] : [bosId]), ...eosIds]) {
    if (!Number.isInteger(id) || id < 0 || id >= model.config.vocab)
      fail(`token id ${id} is not in the vocabulary of ${model.config.vocab}`);
  }
}

function configText(
  model: Decoder,
  { bosId = null, eosIds = [] }: SavePretrainedOptions,
  dtype: SaveDType,
): string {
  const { json } = decoderConfigToHf(model.config);
  return jsonText({
    ...json,
    ...tokenKeys(bosId, eosIds),
    torch_dtype: SAVE_DTYPES[dtype].torch,
    use_cache: true,
  });
}

/** Null where there is none: the classes have defaults of their own. */
function tokenKeys(bosId: number | null, eosIds: readonly number[]): Record<string, unknown> {
  const [first = null, ...more] = eosIds;
  return { bos_token_id: bosId, eos_token_id: more.length === 0 ? first : eosIds };
}

/** @throws CheckpointError when the model has a parameter that the state dict has not */
function checkComplete(model: Decoder, entries: readonly HfEntry[]): void {
  const written = new Set(entries.flatMap((e) => e.own));
  for (const name of model.stateDict().keys()) {
    if (written.has(name)) continue;
    throw new CheckpointError(
      `the parameter '${name}' has no place in Hugging Face's state dict: keep this model with saveCheckpoint`,
    );
  }
}

/** In order, each as full as it gets; a tensor above the size is a shard of its own. */
function shardsOf(
  entries: readonly HfEntry[],
  dtype: SaveDType,
  maxShardBytes: number,
): { readonly entries: HfEntry[]; bytes: number }[] {
  const shards: { readonly entries: HfEntry[]; bytes: number }[] = [];
  for (const entry of entries) {
    const bytes = entry.shape.reduce((n, d) => n * d, SAVE_DTYPES[dtype].bytes);
    const last = shards.at(-1);
    if (last === undefined || last.bytes + bytes > maxShardBytes) {
      shards.push({ entries: [entry], bytes });
    } else {
      last.entries.push(entry);
      last.bytes += bytes;
    }
  }
  return shards;
}

async function writeWeights(
  folder: NewFolder,
  model: Decoder,
  shards: ReturnType<typeof shardsOf>,
  dtype: SaveDType,
): Promise<void> {
  const places: [string, string][] = [];
  for (const [i, { entries }] of shards.entries()) {
    const part = (n: number): string => String(n).padStart(5, '0');
    const file =
      shards.length === 1
        ? 'model.safetensors'
        : `model-${part(i + 1)}-of-${part(shards.length)}.safetensors`;
    const tensors = new Map<string, HostTensor>();
    for (const entry of entries) {
      tensors.set(entry.name, inFileDType(entry.name, await hostTensor(model, entry), dtype));
      places.push([entry.name, file]);
    }
    await folder.write(file, serializeSafetensors(tensors, { format: 'pt' }));
  }
  if (shards.length === 1) return;
  const total = shards.reduce((n, s) => n + s.bytes, 0);
  const index = {
    metadata: { total_size: total },
    weight_map: Object.fromEntries(places.sort(([a], [b]) => (a < b ? -1 : 1))),
  };
  await folder.write('model.safetensors.index.json', jsonText(index));
}

/** One tensor of the file: its parts are read back one by one, and rotary pairs become halves. */
async function hostTensor(model: Decoder, entry: HfEntry): Promise<HostTensor> {
  const state = model.stateDict();
  const parts = await toHost(new Map(entry.own.map((name) => [name, state.get(name)!])));
  if (model.config.ropeInterleaved) {
    for (const [name, t] of parts) {
      if (/\.self_attn\.[qk]_proj\./.test(name))
        parts.set(name, halvesFromPairs(t, model.config.headDim));
    }
  }
  return fileTensor(entry, parts);
}

function isModelFile(name: string): boolean {
  return (
    ['config.json', 'generation_config.json', 'tokenizer.json'].includes(name) ||
    /^model(-\d{5}-of-\d{5})?\.safetensors(\.index\.json)?$/.test(name)
  );
}

function jsonText(value: object): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

function fail(message: string): never {
  throw new ValueError('savePretrained', message);
}
