/** Generation of real vectors: a draw from the mixture of every step goes back in as the next token (GIVT §3.2). */
import {
  concat,
  full,
  noGrad,
  ones,
  scope,
  stack,
  type Tensor,
  throwIfAborted,
  tidy,
  ValueError,
} from '@loretta-ts/core';
import type { Decoder } from '../decoder/decoder';
import { makeCache } from '../decoder/make-cache';
import { drawMixture, mixtureNoise } from '../latent/mixture';
import { checkGenerateOptions, type GenerateOptions } from './options';

/** Options of `generateLatents` and `generateLatentsStream`. */
export interface GenerateLatentsOptions
  extends Pick<
    GenerateOptions,
    'maxNewTokens' | 'key' | 'latents' | 'attentionMask' | 'within' | 'temperature' | 'signal'
  > {
  /** Id of every new token: the placeholder that stands where a vector is. */
  readonly tokenId: number;
}

/**
 * `(prompt: i32[b, t]) -> [b, maxNewTokens, z]`: new vectors after a prompt of ids, some of which may be placeholders of
 * `options.latents`. `temperature` multiplies σ; at 0 a vector is the mean of the most probable component. Nothing is
 * read back, and no gradient flows. The result belongs to the running scope. It is synchronous: a signal is looked at
 * once, at the start.
 * @throws ShapeError, ValueError when an option does not fit, or the model has no `latent`
 */
export function generateLatents(
  model: Decoder,
  prompt: Tensor,
  options: GenerateLatentsOptions,
): Tensor {
  checkLatentOptions(model, prompt, options);
  options.signal?.throwIfAborted();
  return tidy(() => stack([...steps(model, prompt, options)], 1));
}

/**
 * As `generateLatents`, one `[b, z]` of vectors a step, each as soon as it is there. Leaving the loop early frees
 * everything, and so does a signal.
 * @throws ShapeError, ValueError as `generateLatents`; what the signal was aborted with
 */
export async function* generateLatentsStream(
  model: Decoder,
  prompt: Tensor,
  options: GenerateLatentsOptions,
): AsyncGenerator<Float32Array, void, undefined> {
  checkLatentOptions(model, prompt, options);
  using owned = scope();
  const made = steps(model, prompt, options);
  try {
    while (true) {
      await throwIfAborted(options.signal);
      const next = owned.run(() => made.next());
      if (next.done === true) return;
      yield Float32Array.from(await next.value.data());
    }
  } finally {
    owned.run(() => made.return());
  }
}

/** The vectors of each step, `[b, z]`; the cache lives as long as the generator, the rest in the running scope. */
function* steps(
  model: Decoder,
  prompt: Tensor,
  options: GenerateLatentsOptions,
): Generator<Tensor, void, undefined> {
  const { tokenId, maxNewTokens, key, temperature = 1, attentionMask, within } = options;
  const { config } = model;
  const latent = config.latent!;
  const [b, t] = prompt.shape as [number, number];
  using cache = makeCache(config, b, t + maxNewTokens - 1);
  const seen = (): { attentionMask?: Tensor } =>
    attentionMask === undefined
      ? {}
      : {
          attentionMask: concat([attentionMask, ones([b, maxNewTokens - 1], { dtype: 'bool' })], 1),
        };
  const hidden = (before: Tensor | null, step: number): Tensor =>
    before === null
      ? model.forward(prompt, {
          cache,
          ...seen(),
          ...(options.latents === undefined ? {} : { latents: options.latents }),
          ...(within === undefined ? {} : { within: within.prompt }),
        })
      : model.forward(full([b, 1], tokenId, { dtype: 'i32' }), {
          cache,
          ...seen(),
          latents: before.reshape(b, 1, latent.dim),
          ...(within === undefined
            ? {}
            : { within: full([b, 1], within.next(step - 1), { dtype: 'i32' }) }),
        });
  let before: Tensor | null = null;
  for (let step = 0; step < maxNewTokens; step++) {
    before = tidy(() =>
      noGrad(() => {
        const all = hidden(before, step);
        const last = all.narrow(1, all.shape[1]! - 1, 1).reshape(b, config.dim);
        const noise =
          temperature === 0 ? null : mixtureNoise(key!.fold(step), b, latent.dim, config.dtype);
        return drawMixture(model.latentParams(last), latent.dim, noise, temperature); // [b, z]
      }),
    );
    yield before;
  }
}

/** @throws ShapeError, ValueError */
function checkLatentOptions(model: Decoder, prompt: Tensor, options: GenerateLatentsOptions): void {
  const { tokenId, maxNewTokens } = options;
  const { latent, vocab, positions, maxLength } = model.config;
  checkGenerateOptions(model, prompt, options);
  if (latent === null) fail("the model's configuration has no latent: use generate");
  if (!Number.isInteger(tokenId) || tokenId < 0 || tokenId >= vocab)
    fail(`tokenId ${tokenId} is not in the vocabulary of ${vocab}`);
  const length = prompt.shape[1]! + maxNewTokens - 1;
  if (positions.includes('learned') && length > maxLength)
    fail(`${length} tokens, but the learned table has ${maxLength} positions`);
}

function fail(message: string): never {
  throw new ValueError('generateLatents', message);
}
