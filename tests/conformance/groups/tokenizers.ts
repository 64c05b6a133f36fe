/** Tokenizers: every text of a manifest is a case. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { BpeTokenizer, ByteFallbackBpe, WordPieceTokenizer } from '@loretta-ts/tokenizers';
import type { Attrs, Case, Group } from '../format';
import type { Verdict } from '../verdict';

/** Lists of a manifest whose entries are cases, beside `cases`. */
const LISTS = ['encode', 'decode', 'pairs'] as const;

/** The cases of a tokenizer manifest; an op is the list that the case is in. */
export function textCases(group: Group): readonly Case[] {
  const listed = LISTS.flatMap((list) =>
    ((group.raw[list] ?? []) as readonly Attrs[]).map((raw, i) => ({
      id: `${group.name}.${list}.${i}`,
      op: list,
      attrs: raw,
      raw,
    })),
  );
  const empty = { inputs: [], outputs: [], upstream: [], grads: [], tags: [] };
  return [...listed.map((c) => ({ ...c, ...empty })), ...group.cases];
}

const same = (a: ArrayLike<unknown>, b: unknown): boolean =>
  JSON.stringify(Array.from(a)) === JSON.stringify(b);

function text(group: Group, file: string): string {
  const files = group.raw['files'] as Readonly<Record<string, string>>;
  return readFileSync(join(group.dir, files[file]!), 'utf8');
}

/** One tokenizer for each manifest: the vocabularies are large. */
const loaded = new WeakMap<Group, unknown>();
function once<T>(group: Group, make: () => T): T {
  if (!loaded.has(group)) loaded.set(group, make());
  return loaded.get(group) as T;
}

type Check = (group: Group, c: Case, v: Verdict) => void;

const gpt2: Check = (group, c, v) => {
  const tokenizer = once(group, () =>
    BpeTokenizer.fromVocabAndMerges(text(group, 'vocab'), text(group, 'merges'), {
      specialTokens: ['<|endoftext|>'],
    }),
  );
  if (c.op === 'decode') {
    const got = tokenizer.decode(c.raw['ids'] as number[]);
    v.that(got === c.raw['text'], `decodes to ${JSON.stringify(got)}`);
    return;
  }
  const source = String(c.raw['text']);
  expectIds(v, tokenizer.encode(source), c);
  if (c.raw['ids_special'] !== undefined) {
    const got = tokenizer.encode(source, { special: true });
    v.that(same(got, c.raw['ids_special']), `with special tokens: ${got.join()}`);
  }
};

const bert: Check = (group, c, v) => {
  const tokenizer = once(group, () =>
    WordPieceTokenizer.fromVocab(text(group, 'vocab'), { lowercase: true }),
  );
  if (c.op === 'pairs') {
    const pair = tokenizer.encodePair(String(c.raw['a']), String(c.raw['b']));
    v.that(same(pair.ids, c.raw['ids']), `ids are ${pair.ids.join()}`);
    v.that(same(pair.typeIds, c.raw['type_ids']), `type ids are ${pair.typeIds.join()}`);
    return;
  }
  expectIds(v, tokenizer.encode(String(c.raw['text'])), c);
  expectTokens(v, (token) => tokenizer.id(token), c);
  const decoded = tokenizer.decode(c.raw['ids'] as number[], { skipSpecial: true });
  v.that(decoded === c.raw['decoded'], `decodes to ${JSON.stringify(decoded)}`);
};

const byteFallback: Check = (group, c, v) => {
  const tokenizer = once(group, () =>
    ByteFallbackBpe.fromJSON(JSON.parse(text(group, 'tokenizer')) as unknown),
  );
  expectIds(v, tokenizer.encode(String(c.raw['text'])), c);
  expectTokens(v, (token) => tokenizer.id(token), c);
  const decoded = tokenizer.decode(c.raw['ids'] as number[]);
  v.that(decoded === c.raw['decoded'], `decodes to ${JSON.stringify(decoded)}`);
};

const bpeTrain: Check = (_group, c, v) => {
  const want = (c.raw['merges'] as readonly (readonly [string, string, number])[]).map(
    ([left, right]) => [left, right],
  );
  const trained = BpeTokenizer.train([String(c.raw['corpus'])], {
    vocabSize: 256 + want.length,
  });
  v.that(same(trained.merges, want), `learns ${JSON.stringify(trained.merges)}`);
};

function expectIds(v: Verdict, got: Int32Array, c: Case): void {
  const ok = same(got, c.raw['ids']) || same(got, c.raw['ids_alt']);
  v.that(ok, `ids of ${JSON.stringify(c.raw['text'])} are ${got.join()}`);
}

/** The manifest's tokens have the manifest's ids. */
function expectTokens(v: Verdict, id: (token: string) => number | undefined, c: Case): void {
  const ids = ((c.raw['tokens'] ?? []) as readonly string[]).map(id);
  if (c.raw['tokens'] !== undefined) v.that(same(ids, c.raw['ids']), `tokens are ${ids.join()}`);
}

const CHECKS: Readonly<Record<string, Check>> = {
  tok_gpt2: gpt2,
  tok_bert: bert,
  tok_bytefallback: byteFallback,
  tok_bpe_train: bpeTrain,
};

export function tokenizerCase(group: Group, c: Case, verdict: Verdict): void {
  const check = CHECKS[group.name];
  if (check === undefined) throw new Error(`no tokenizer is known for ${group.name}`);
  check(group, c, verdict);
}
