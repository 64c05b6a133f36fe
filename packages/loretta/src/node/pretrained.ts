/** Pretrained language models from disk: the decoder and the tokenizer that lies beside it. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Decoder } from '@loretta-ts/nn';
import { loadPretrained } from '@loretta-ts/nn/node';
import {
  BpeTokenizer,
  ByteFallbackBpe,
  TokenizerError,
  type TextTokenizer,
  WordPieceTokenizer,
  WordTokenizer,
} from '@loretta-ts/tokenizers';
import { z } from 'zod';
import { DataError } from '../data/errors';
import { readBytes } from '../data/node/files';

/** A decoder that reads and writes text. */
export interface LanguageModel {
  /** The decoder; the caller disposes of it. */
  readonly model: Decoder;
  /** Its vocabulary. */
  readonly tokenizer: TextTokenizer;
  /** Ids that go before every prompt; none for GPT-2. */
  readonly prefix: readonly number[];
  /** Id of the beginning of a text; null where the files name none. */
  readonly bosId: number | null;
  /** Ids that end a text. */
  readonly eosIds: readonly number[];
}

/**
 * A pretrained model with its tokenizer, from a Hugging Face folder (`tokenizer.json`, or `vocab.json` and
 * `merges.txt`, or `vocab.txt`) or a folder of llama2.c (`tokenizer.bin` or `tok*.bin`); see `loadPretrained`.
 * @throws CheckpointError, SafetensorsError, DataError in one line
 */
export async function loadLanguageModel(path: string): Promise<LanguageModel> {
  const { model, source, directory, bosId, eosIds } = await loadPretrained(path);
  try {
    const found =
      source === 'llama2.c' ? llama2cTokenizer(directory) : hfTokenizer(directory, bosId);
    const { tokenizer, prefix } = found;
    if (tokenizer.vocabSize > model.config.vocab) {
      throw new DataError(
        'format',
        directory,
        `the tokenizer has ${tokenizer.vocabSize} ids, the model ${model.config.vocab}: they do not belong together`,
      );
    }
    return { model, tokenizer, prefix, bosId, eosIds };
  } catch (error) {
    model.dispose();
    throw error;
  }
}

/**
 * A text tokenizer alone: a folder as `loadLanguageModel` takes, or one of its files (`tokenizer.json`, a `vocab.txt` of
 * WordPiece, a `.bin` of llama2.c).
 * @throws DataError in one line
 */
export function loadTokenizer(path: string): TextTokenizer {
  const info = statSync(path, { throwIfNoEntry: false });
  if (info === undefined) throw new DataError('missing', path, 'there is no such file or folder');
  if (info.isDirectory()) {
    const llama = readdirSync(path).some((name) => /^tok.*\.bin$/.test(name));
    return (llama ? llama2cTokenizer(path) : hfTokenizer(path, null)).tokenizer;
  }
  if (path.endsWith('.bin')) {
    const bytes = regular(path);
    return parsed(path, () => ByteFallbackBpe.fromLlama2c(bytes));
  }
  if (path.endsWith('.txt')) {
    const vocab = text(path);
    return parsed(path, () => WordPieceTokenizer.fromVocab(vocab, { lowercase: true }));
  }
  const json = check(path, TOKENIZER);
  return parsed(path, () => fromJson(json));
}

type Found = Pick<LanguageModel, 'tokenizer' | 'prefix'>;

/** A prompt of llama2.c begins with BOS. */
function llama2cTokenizer(directory: string): Found {
  const files = readdirSync(directory).filter((name) => /^tok.*\.bin$/.test(name));
  const file = files.includes('tokenizer.bin') ? 'tokenizer.bin' : files[0];
  if (file === undefined || (files.length > 1 && file !== 'tokenizer.bin')) {
    throw new DataError(
      'missing',
      directory,
      file === undefined
        ? 'there is no tokenizer.bin or tok*.bin: put the one of the model here'
        : `holds ${files.sort().join(', ')}: name the right one tokenizer.bin`,
    );
  }
  const path = join(directory, file);
  const bytes = regular(path);
  return { tokenizer: parsed(path, () => ByteFallbackBpe.fromLlama2c(bytes)), prefix: [1] };
}

function hfTokenizer(directory: string, bosId: number | null): Found {
  const at = (name: string): string => join(directory, name);
  const settings = existsSync(at('tokenizer_config.json'))
    ? (check(at('tokenizer_config.json'), SETTINGS) ?? {})
    : {};
  if (existsSync(at('tokenizer.json'))) {
    const json = check(at('tokenizer.json'), TOKENIZER);
    const tokenizer = parsed(at('tokenizer.json'), () => fromJson(json));
    const own = settings.add_bos_token === false ? [] : templatePrefix(json.post_processor);
    const added = settings.add_bos_token === true && bosId !== null && own.length === 0;
    return { tokenizer, prefix: added ? [bosId] : own };
  }
  if (existsSync(at('vocab.json')) && existsSync(at('merges.txt'))) {
    const [vocab, merges] = ['vocab.json', 'merges.txt'].map((name) => text(at(name)));
    return { tokenizer: parsed(at('vocab.json'), () => gpt2Files(vocab!, merges!)), prefix: [] };
  }
  if (existsSync(at('vocab.txt'))) {
    const options = { lowercase: settings.do_lower_case ?? true };
    const vocab = text(at('vocab.txt'));
    const tokenizer = parsed(at('vocab.txt'), () => WordPieceTokenizer.fromVocab(vocab, options));
    const start = tokenizer.id('[CLS]');
    return { tokenizer, prefix: start === undefined ? [] : [start] };
  }
  throw new DataError(
    'missing',
    directory,
    existsSync(at('tokenizer.model'))
      ? 'tokenizer.model is not read: make a tokenizer.json of it with transformers'
      : 'there is no tokenizer.json, no vocab.json with merges.txt and no vocab.txt',
  );
}

const SETTINGS = z.object({
  add_bos_token: z.boolean().nullish(),
  do_lower_case: z.boolean().optional(),
});
const PROCESSOR = z.object({
  type: z.string(),
  single: z.array(z.object({ SpecialToken: z.object({ id: z.string() }).optional() })).optional(),
  special_tokens: z
    .record(z.string(), z.object({ ids: z.array(z.number().int().nonnegative()) }))
    .optional(),
});
const TOKENIZER = z.looseObject({
  model: z.looseObject({ type: z.string().optional(), byte_fallback: z.boolean().nullish() }),
  post_processor: PROCESSOR.extend({ processors: z.array(PROCESSOR).optional() }).nullish(),
});

function fromJson(json: z.infer<typeof TOKENIZER>): TextTokenizer {
  const { type = 'BPE', byte_fallback: fallback } = json.model;
  if (type === 'WordPiece') return WordPieceTokenizer.fromJSON(json);
  if (type === 'WordLevel') return WordTokenizer.fromJSON(json);
  return fallback === true ? ByteFallbackBpe.fromJSON(json) : BpeTokenizer.fromJSON(json);
}

/** GPT-2's only special token ends a text. */
function gpt2Files(vocab: string, merges: string): BpeTokenizer {
  const end = '<|endoftext|>';
  const specialTokens = vocab.includes(JSON.stringify(end)) ? [end] : [];
  return BpeTokenizer.fromVocabAndMerges(vocab, merges, { specialTokens });
}

/** The special tokens that a template puts before one text. */
function templatePrefix(post: z.infer<typeof TOKENIZER>['post_processor']): number[] {
  if (post === null || post === undefined) return [];
  const template = [post, ...(post.processors ?? [])].find((p) => p.type === 'TemplateProcessing');
  const prefix: number[] = [];
  for (const { SpecialToken: token } of template?.single ?? []) {
    if (token === undefined) break;
    const known = template?.special_tokens ?? {};
    prefix.push(...(Object.hasOwn(known, token.id) ? known[token.id]!.ids : []));
  }
  return prefix;
}

/** A JSON file of a form. @throws DataError that names the field */
function check<T>(path: string, schema: z.ZodType<T>): T {
  let value: unknown;
  try {
    value = JSON.parse(text(path));
  } catch (error) {
    if (error instanceof DataError) throw error;
    throw new DataError('format', path, 'is not JSON');
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new DataError('format', path, `${issue?.path.join('.')}: ${issue?.message}`);
}

/** Puts the file's name before the message of a tokenizer. */
function parsed<T>(path: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (!(error instanceof TokenizerError)) throw error;
    throw new DataError('format', path, error.message);
  }
}

function text(path: string): string {
  return new TextDecoder().decode(regular(path));
}

/** The bytes of a file; a pipe would wait. */
function regular(path: string): Uint8Array {
  if (statSync(path, { throwIfNoEntry: false })?.isFile() === false)
    throw new DataError('format', path, 'is not a file');
  return readBytes(path, 'check the path');
}
