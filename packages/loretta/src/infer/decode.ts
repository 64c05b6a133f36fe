/** Decoding behind prompts of unequal length, under one condition, or guided by several. */
import { type Abortable, type Key, noGrad, scope, type Tensor, tensor } from '@loretta-ts/core';
import { type Decoder, type GenerateOptions, generate } from '@loretta-ts/nn';
import type { TokenRow } from '../sequence';

/** How tokens are chosen. */
export interface SamplingFilters {
  /** 0 is greedy; default 1. */
  readonly temperature?: number;
  /** Keeps the k most likely tokens; default all. */
  readonly topK?: number;
  /** Keeps the most likely tokens that hold this probability together; default all. */
  readonly topP?: number;
  /** Keeps tokens at least so many times as likely as the best; default all. */
  readonly minP?: number;
}

/** A context for each row, and what it weighs. */
export interface Context {
  /** `[b]` rows. */
  readonly rows: readonly Tokens[];
  /** s of logits = u + Σ s (c − u). */
  readonly scale: number;
}

type Tokens = Pick<TokenRow, 'ids' | 'within' | 'latents'>;

/** What is decoded, and from what. */
export interface DecodeRequest extends Abortable {
  /** One context, or several that guide together. */
  readonly contexts: readonly Context[];
  /** u: the context without a condition, the same for all rows; null is no guidance. */
  readonly free: Tokens | null;
  /** New tokens of a row. */
  readonly length: number;
  /** What may be sampled. */
  readonly allowed: NonNullable<GenerateOptions['allowed']>;
  /** Row of the within-block table of the new token of a step. */
  readonly next: (step: number) => number;
  /** Needed unless temperature is 0. */
  readonly key: Key | undefined;
  /** How tokens are chosen. */
  readonly filters: SamplingFilters;
}

/** New tokens `[b, length]`, without gradients; read back once, at the end. */
export async function decode(model: Decoder, request: DecodeRequest): Promise<Int32Array> {
  const { contexts, free, length, allowed, next, key, signal } = request;
  const { temperature = 1, topK, topP, minP } = request.filters;
  const positioned = model.config.positions.includes('within-block');
  const t = Math.max(...contexts.flatMap(({ rows }) => rows.map((row) => row.ids.length)));
  using owned = scope();
  const { prompt, settings } = owned.run(() =>
    noGrad(() => {
      const [main, ...branches] = contexts.map((x) => ({
        ...padded(x.rows, t, model.config),
        scale: x.scale,
      }));
      const within = (x: { within: Tensor }): object => (positioned ? { within: x.within } : {});
      const masked = (x: { seen: Tensor | null }): object =>
        x.seen === null ? {} : { attentionMask: x.seen };
      const vectors = (x: { latents: Tensor | null }): object =>
        x.latents === null ? {} : { latents: x.latents };
      const settings: GenerateOptions = {
        maxNewTokens: length,
        signal,
        temperature,
        allowed,
        ...(key === undefined ? {} : { key }),
        ...(topK === undefined ? {} : { topK }),
        ...(topP === undefined ? {} : { topP }),
        ...(minP === undefined ? {} : { minP }),
        ...masked(main!),
        ...vectors(main!),
        ...(positioned ? { within: { prompt: main!.within, next } } : {}),
        ...(free === null
          ? {}
          : {
              guidance: {
                prompt: matrix(Int32Array.from(free.ids), 1),
                scale: main!.scale,
                ...within({ within: matrix(Int32Array.from(free.within), 1) }),
                branches: branches.map((x) => ({
                  prompt: x.ids,
                  scale: x.scale,
                  ...within(x),
                  ...masked(x),
                  ...vectors(x),
                })),
              },
            }),
      };
      return { prompt: main!.ids, settings };
    }),
  );
  const { ids, tokens } = await generate(model, prompt, settings);
  try {
    return Int32Array.from(await tokens.data());
  } finally {
    ids.dispose();
    tokens.dispose();
  }
}

const matrix = (values: Int32Array, rows: number): Tensor =>
  tensor(values, { shape: [rows, values.length / rows] });

/** Contexts as a model takes them. */
interface Padded {
  readonly ids: Tensor;
  readonly within: Tensor;
  /** `[b, t, z]`; null where no row has vectors. */
  readonly latents: Tensor | null;
  /** bool [b, t]; null where all rows are full. */
  readonly seen: Tensor | null;
}

/** `[b, t]`, shorter rows padded on the left. */
export function padded(
  rows: readonly Tokens[],
  t: number,
  { latent, dtype }: Pick<Decoder['config'], 'latent' | 'dtype'>,
): Padded {
  const b = rows.length;
  const ids = new Int32Array(b * t);
  const within = new Int32Array(b * t);
  const seen = new Uint8Array(b * t);
  const dim = rows.some((row) => row.latents !== undefined) ? (latent?.dim ?? 0) : 0;
  const latents = new Float32Array(b * t * dim);
  rows.forEach((row, i) => {
    const at = (i + 1) * t - row.ids.length;
    ids.set(row.ids, at);
    within.set(row.within, at);
    seen.fill(1, at, (i + 1) * t);
    row.latents?.forEach((vector, j) => {
      if (vector !== null) latents.set(vector, (at + j) * dim);
    });
  });
  const full = rows.every((row) => row.ids.length === t);
  return {
    ids: matrix(ids, b),
    within: matrix(within, b),
    latents: dim === 0 ? null : tensor(latents, { shape: [b, t, dim] }).cast(dtype),
    seen: full ? null : tensor(seen, { shape: [b, t], dtype: 'bool' }),
  };
}
