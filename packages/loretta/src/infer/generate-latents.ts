/** Generating a modality of vectors after others, and either kind where it is for the modality to say. */
import { type Abortable, type Key, scope, ValueError } from '@loretta-ts/core';
import {
  type Decoder,
  type GenerateLatentsOptions,
  generateLatents,
  generateLatentsStream,
} from '@loretta-ts/nn';
import type { Block } from '../sequence';
import type { Vocabulary } from '../vocabulary';
import { padded } from './decode';
import { behind, contextRows, generateBlock, type GenerateBlockOptions } from './generate-block';
import { countRows } from './rows';

/** Options of `generateLatentBlock`. */
export interface GenerateLatentBlockOptions extends Abortable {
  /** Needed unless temperature is 0. */
  readonly key?: Key;
  /** Multiplies σ (GIVT); 0 gives the mean of the most probable component; default 1. */
  readonly temperature?: number;
  /** Rows, where there is no condition to tell. */
  readonly rows?: number;
}

/**
 * The vectors of a block of `target` for each row of the condition, `[b, length, z]`; read back once, at the end, so no
 * gradient flows through them. Conditions may hold ids and vectors.
 * @throws ValueError when the blocks do not fit each other, or the target has no vectors
 */
export async function generateLatentBlock(
  model: Decoder,
  vocab: Vocabulary,
  condition: readonly Block[],
  target: string,
  { key, temperature = 1, rows, signal }: GenerateLatentBlockOptions = {},
): Promise<Float32Array> {
  const { length, latent } = vocab.modality(target);
  if (latent === undefined) {
    throw new ValueError('generateLatentBlock', `${target} has no vectors: use generateBlock`);
  }
  if (latent.dim !== model.config.latent?.dim) {
    throw new ValueError(
      'generateLatentBlock',
      `${target} has vectors of ${latent.dim}, the model of ${model.config.latent?.dim ?? 'none'}`,
    );
  }
  const b = countRows('generateLatentBlock', vocab, condition, rows);
  const [start, first] = [vocab.start(target), vocab.within(target, 0)];
  const contexts = contextRows(vocab, condition, b).map((row) => behind(row, start, first));
  const t = Math.max(...contexts.map((row) => row.ids.length));
  using owned = scope();
  const { ids, settings } = owned.run(() => {
    const { ids, within, latents, seen } = padded(contexts, t, model.config);
    const settings: GenerateLatentsOptions = {
      maxNewTokens: length,
      tokenId: vocab.content(target)[0],
      temperature,
      ...(key === undefined ? {} : { key }),
      ...(latents === null ? {} : { latents }),
      ...(seen === null ? {} : { attentionMask: seen }),
      ...(model.config.positions.includes('within-block')
        ? { within: { prompt: within, next: (step: number) => first + 1 + step } }
        : {}),
    };
    return { ids, settings };
  });
  if (signal === undefined) {
    return Float32Array.from(await owned.run(() => generateLatents(model, ids, settings)).data());
  }
  // with a signal, step by step: each is read back, so that a stop is heard
  const out = new Float32Array(b * length * latent.dim);
  let step = 0;
  for await (const vectors of generateLatentsStream(model, ids, { ...settings, signal })) {
    for (let row = 0; row < b; row++) {
      const vector = vectors.subarray(row * latent.dim, (row + 1) * latent.dim);
      out.set(vector, (row * length + step) * latent.dim);
    }
    step++;
  }
  return out;
}

/**
 * A generated block of either kind: `generateBlock`, or `generateLatentBlock` with the placeholder as ids.
 * @throws ValueError as they do; for guidance or filters of a modality of vectors, which has no logits to guide
 */
export async function pseudoBlock(
  model: Decoder,
  vocab: Vocabulary,
  condition: readonly Block[],
  target: string,
  options: GenerateBlockOptions,
): Promise<Block> {
  if (!vocab.isLatent(target)) {
    const ids = await generateBlock(model, vocab, condition, target, options);
    return { modality: target, ids, generated: true };
  }
  const { key, temperature, rows, signal, guidance = null, ...filters } = options;
  const [filter] = Object.entries(filters).filter(([, value]) => value !== undefined);
  if ((guidance !== null && guidance !== 1) || filter !== undefined) {
    throw new ValueError(
      'generateLatentBlock',
      `${filter?.[0] ?? 'guidance'} is of logits, and ${target} has vectors: use temperature`,
    );
  }
  const latents = await generateLatentBlock(model, vocab, condition, target, {
    ...(key === undefined ? {} : { key }),
    ...(temperature === undefined ? {} : { temperature }),
    ...(rows === undefined ? {} : { rows }),
    signal,
  });
  const { latent } = vocab.modality(target);
  const ids = new Int32Array(latents.length / latent!.dim).fill(vocab.content(target)[0]);
  return { modality: target, ids, latents, generated: true };
}
