/** Model folders with damage in one of their files, or with a file gone or in the place of another. */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type HostRandom, key } from '@loretta-ts/core';
import { DataError } from '@loretta-ts/loretta';
import { loadLanguageModel } from '@loretta-ts/loretta/node';
import { CheckpointError, Decoder, SafetensorsError } from '@loretta-ts/nn';
import { savePretrained } from '@loretta-ts/nn/node';
import { BpeTokenizer } from '@loretta-ts/tokenizers';
import { withHeader } from './hostile-formats';
import { damageBytes, damageJson } from './mutate';
import { pick } from './row';

/** What a folder that is no good is refused with. */
export const FOLDER_REFUSALS = [CheckpointError, SafetensorsError, DataError] as const;

/** Good folders, in memory: bytes by name of the file. */
export type Folder = ReadonlyMap<string, Uint8Array>;

/** Saves good folders of small models below `directory`, in shards and whole. */
export async function goodFolders(directory: string): Promise<readonly Folder[]> {
  const small = { vocab: 262, dim: 4, layers: 1, heads: 2, maxLength: 8 } as const;
  const gpt2 = { mlp: 'gelu', norm: 'layer', positions: 'learned', bias: true } as const;
  const tokenizer = BpeTokenizer.train(['abab abab cat sat'], { vocabSize: 262 });
  const folders: Folder[] = [];
  for (const [config, maxShardBytes] of [
    [small, 1000],
    [{ ...small, ...gpt2 }, 2e9],
  ] as const) {
    const path = join(directory, `good-${folders.length}`);
    const model = new Decoder(config, key(0));
    await savePretrained(model, path, { tokenizer, maxShardBytes });
    model.dispose();
    const names = readdirSync(path);
    folders.push(
      new Map(names.map((name) => [name, new Uint8Array(readFileSync(join(path, name)))])),
    );
  }
  return folders;
}

/** A damaged copy of a good folder. */
export function damageFolder(random: HostRandom, folders: readonly Folder[]): Folder {
  const folder = new Map(pick(random, folders));
  const name = pick(random, [...folder.keys()]);
  const bytes = folder.get(name)!;
  const change = random.int(8);
  if (change === 0) folder.delete(name);
  else if (change === 1) folder.set(name, folder.get(pick(random, [...folder.keys()]))!);
  else if (change === 2) folder.set(name, damageBytes(random, bytes));
  else if (name.endsWith('.json')) {
    const document: unknown = JSON.parse(new TextDecoder().decode(bytes));
    folder.set(name, new TextEncoder().encode(damageJson(random, document)));
  } else folder.set(name, withHeader(random, bytes));
  return folder;
}

/** Reads a folder that is written to `path` first. */
export async function readFolder(path: string, folder: Folder): Promise<void> {
  rmSync(path, { recursive: true, force: true });
  mkdirSync(path);
  for (const [name, bytes] of folder) writeFileSync(join(path, name), bytes);
  const { model } = await loadLanguageModel(path);
  model.dispose();
}
