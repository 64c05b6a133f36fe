/** Decoding with a cache against the pass over everything: random decoders, padding, chunks and generation. */
import { cpu, referenceBackend } from '@loretta-ts/backend-cpu';
import {
  type Backend,
  type FloatDType,
  type HostRandom,
  key,
  setBackend,
  type Tensor,
  tensor,
  tidy,
} from '@loretta-ts/core';
import { Decoder, type ForwardOptions, generateFixed, makeCache } from '@loretta-ts/nn';
import { randomConfig, VOCAB, WITHIN } from '../decoders';
import { between, coin } from '../draw';
import { eachCase, must, pick, type Row } from '../row';

const BOUND: Readonly<Record<FloatDType, number>> = { f64: 1e-9, f32: 1e-4 };
const MIXERS = ['attention', 'mamba', 'hyena'] as const;
const MAX_LENGTH = 24;

/** Tokens of a row: an id, its row of the within-block table, and its vector. */
interface Token {
  readonly id: number;
  readonly within: number;
  readonly latent: readonly number[];
}

const PADDING = 3;

/** Rows of one length; `real` is false at padding on the left. */
interface Batch {
  readonly ids: number[][];
  readonly within: number[][];
  readonly latents: number[][][];
  readonly real: boolean[][];
}

function drawRow(random: HostRandom, z: number): Token[] {
  return Array.from({ length: between(random, 1, 7) }, (_, i) => ({
    id: random.int(VOCAB),
    within: i % WITHIN,
    latent: Array.from({ length: z }, () => (coin(random) ? 0 : 2 * random.uniform() - 1)),
  }));
}

/** Rows side by side, padded on the left to `t`. */
function batchOf(rows: readonly (readonly Token[])[], t: number): Batch {
  const along = <T>(of: (token: Token) => T, padding: T): T[][] =>
    rows.map((row) => [...new Array<T>(t - row.length).fill(padding), ...row.map(of)]);
  const z = rows[0]![0]!.latent.length;
  return {
    ids: along((token) => token.id, PADDING),
    within: along((token) => token.within, 0),
    latents: along<readonly number[]>((token) => token.latent, new Array<number>(z).fill(0)).map(
      (row) => row.map((vector) => [...vector]),
    ),
    real: along(() => true, false),
  };
}

const integers = (rows: readonly (readonly number[])[]): Tensor =>
  tensor(Int32Array.from(rows.flat()), { shape: [rows.length, rows[0]!.length] });

const bools = (rows: readonly (readonly boolean[])[]): Tensor =>
  tensor(Uint8Array.from(rows.flat(), Number), {
    shape: [rows.length, rows[0]!.length],
    dtype: 'bool',
  });

function vectors(model: Decoder, rows: readonly (readonly (readonly number[])[])[]): Tensor {
  const { dtype, latent } = model.config;
  const shape = [rows.length, rows[0]!.length, latent!.dim];
  return tensor(Float64Array.from(rows.flat(2)), { shape, dtype });
}

/** `[b][t][v]`: logits of the tokens from `start` to `end`. */
function logits(
  model: Decoder,
  { ids, within, latents }: Batch,
  [start, end]: readonly [number, number],
  options: ForwardOptions,
): number[][][] {
  const cut = <T>(rows: T[][]): T[][] => rows.map((row) => row.slice(start, end));
  const { positions, latent } = model.config;
  using scores = tidy(() => {
    const hidden = model.forward(integers(cut(ids)), {
      ...options,
      ...(positions.includes('within-block') ? { within: integers(cut(within)) } : {}),
      ...(latent === null ? {} : { latents: vectors(model, cut(latents)) }),
    });
    return model.logits(hidden);
  });
  const flat = scores.dataSync();
  const n = end - start;
  return ids.map((_, row) =>
    Array.from({ length: n }, (__, i) =>
      Array.from(flat.subarray((row * n + i) * VOCAB, (row * n + i + 1) * VOCAB), Number),
    ),
  );
}

/** Logits of all tokens, cut into calls with a cache at random places. */
function cached(random: HostRandom, model: Decoder, batch: Batch, padded: boolean): number[][][] {
  const [b, t] = [batch.ids.length, batch.ids[0]!.length];
  const room = t + random.int(4);
  using cache = makeCache(model.config, b, room);
  const mask = bools(batch.real.map((row) => [...row, ...new Array<boolean>(room - t).fill(true)]));
  const made: number[][][] = batch.ids.map(() => []);
  for (let at = 0; at < t; ) {
    const n = between(random, 1, t - at);
    const options = padded ? { cache, attentionMask: mask } : { cache };
    logits(model, batch, [at, at + n], options).forEach((row, r) => {
      made[r]!.push(...row);
    });
    at += n;
  }
  must(cache.length === t, () => `the cache has ${cache.length} of ${t} tokens`);
  mask.dispose();
  return made;
}

/** What each row alone gets, without padding and without a cache. */
function alone(model: Decoder, row: readonly Token[]): number[][] {
  return logits(model, batchOf([row], row.length), [0, row.length], {})[0]!;
}

function apart(what: string, got: readonly number[][], want: readonly number[][], bound: number) {
  must(got.length === want.length, () => `${what}: ${got.length} tokens, not ${want.length}`);
  want.forEach((scores, i) => {
    scores.forEach((w, v) => {
      const g = got[i]![v]!;
      must(Math.abs(g - w) <= bound * Math.max(1, Math.abs(w)), () => {
        return `${what}: logit ${v} of token ${i} is ${g}, of the full pass ${w}`;
      });
    });
  });
}

/** The best id after the row, again and again, by a full pass for each. */
function slowGreedy(model: Decoder, row: readonly Token[], n: number): number[] {
  const context = [...row];
  for (let step = 0; step < n; step++) {
    const scores = alone(model, context).at(-1)!;
    context.push({
      id: scores.indexOf(Math.max(...scores)),
      within: step % WITHIN,
      latent: row[0]!.latent.map(() => 0),
    });
  }
  return context.slice(row.length).map(({ id }) => id);
}

function greedy(model: Decoder, batch: Batch, n: number, padded: boolean): number[][] {
  const { positions, latent } = model.config;
  const prompt = integers(batch.ids);
  const more = {
    ...(padded ? { attentionMask: bools(batch.real) } : {}),
    ...(latent === null ? {} : { latents: vectors(model, batch.latents) }),
  };
  const within = positions.includes('within-block')
    ? { within: { prompt: integers(batch.within), next: (step: number) => step % WITHIN } }
    : {};
  const options = { maxNewTokens: n, temperature: 0, ...more, ...within };
  const tokens = generateFixed(model, prompt, options);
  const flat = [...tokens.dataSync()].map(Number);
  const held = [
    prompt,
    tokens,
    ...Object.values(more),
    ...(within.within ? [within.within.prompt] : []),
  ];
  for (const x of held) x.dispose();
  return batch.ids.map((_, r) => flat.slice(r * n, (r + 1) * n));
}

function check(random: HostRandom, index: number, dtype: FloatDType): void {
  const mixer = MIXERS[index % MIXERS.length]!;
  const latent = random.int(4) === 0 ? { dim: 2, components: 2 } : null;
  const config = { ...randomConfig(random, mixer, dtype, MAX_LENGTH), latent };
  using model = new Decoder(config, key(random.int(2 ** 30)));
  const drawn = Array.from({ length: between(random, 1, 3) }, () =>
    drawRow(random, latent?.dim ?? 0),
  );
  const longest = Math.max(...drawn.map((row) => row.length));
  const padded = coin(random);
  const rows = padded ? drawn : drawn.map((row) => [...row, ...drawn.flat()].slice(0, longest));
  const t = longest + (padded ? random.int(3) : 0);
  const batch = batchOf(rows, t);
  const bound = BOUND[dtype];
  const told = JSON.stringify(config);
  const wants = rows.map((row) => alone(model, row));
  const made = cached(random, model, batch, padded);
  const mask = bools(batch.real);
  const whole = logits(model, batch, [0, t], padded ? { attentionMask: mask } : {});
  mask.dispose();
  const n = between(random, 1, 5);
  rows.forEach((row, r) => {
    const from = t - row.length;
    apart(`row ${r} of the batch, ${told}`, whole[r]!.slice(from), wants[r]!, bound);
    apart(`row ${r} with a cache, ${told}`, made[r]!.slice(from), wants[r]!, bound);
  });
  const slow = rows.map((row) => slowGreedy(model, row, n));
  // recorded, then replayed
  for (const round of ['first', 'second']) {
    const fast = greedy(model, batch, n, padded);
    must(
      JSON.stringify(fast) === JSON.stringify(slow),
      () =>
        `the ${round} generation is ${JSON.stringify(fast)}, by full passes ${JSON.stringify(slow)}, ${told}`,
    );
  }
}

export const cachedDecoding: Row = {
  name: 'cached-decoding',
  holds:
    'with a cache logits are those of the full pass, within 1e-9 in f64, and greedy ids the same',
  ci: 50,
  release: 1000,
  async check(runs, seed, report) {
    const backends: Readonly<Record<FloatDType, Backend>> = {
      f64: referenceBackend(),
      f32: cpu({ threads: 1 }),
    };
    await eachCase(runs, seed, report, (random, index) => {
      const dtype = pick(random, ['f64', 'f32'] as const);
      const backend = backends[dtype];
      setBackend(backend);
      const before = backend.memory().buffers;
      check(random, index, dtype);
      const left = backend.memory().buffers - before;
      must(left === 0, () => `${left} buffers are left`);
    });
    await backends.f32.dispose();
  },
};
