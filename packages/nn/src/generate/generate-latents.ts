/** Generation of real vectors: a draw from the mixture of every step goes back in as the next token (GIVT §3.2). */
import { concat, full, noGrad, ones, stack, type Tensor, tidy, ValueError } from '@loretta-ts/core';
import type { Decoder } from '../decoder/decoder';
import { makeCache } from '../decoder/make-cache';
import { drawMixture, mixtureNoise } from '../latent/mixture';
import { checkGenerateOptions, type GenerateOptions } from './options';

/** Options of `generateLatents`. */
export interface GenerateLatentsOptions
  extends Pick<
    GenerateOptions,
    'maxNewTokens' | 'key' | 'latents' | 'attentionMask' | 'within' | 'temperature'
  > {
  /** Id of every new token: the placeholder that stands where a vector is. */
  readonly tokenId: number;
}

/**
 * `(prompt: i32[b, t]) -> [b, maxNewTokens, z]`: new vectors after a prompt of ids, some of which may be placeholders of
 * `options.latents`. `temperature` multiplies σ; at 0 a vector is the mean of the most probable component. Nothing is
 * read back, and no gradient flows. The result belongs to the running scope.
 * @throws ShapeError, ValueError when an option does not fit, or the model has no `latent`
 */
export function generateLatents(
  model: Decoder,
  prompt: Tensor,
  options: GenerateLatentsOptions,
): Tensor {
  const { tokenId, maxNewTokens, key, temperature = 1, attentionMask, within } = options;
  const { latent, vocab, dtype } = model.config;
  checkGenerateOptions(model, prompt, options);
  if (latent === null) fail("the model's configuration has no latent: use generate");
  if (!Number.isInteger(tokenId) || tokenId < 0 || tokenId >= vocab)
    fail(`tokenId ${tokenId} is not in the vocabulary of ${vocab}`);
  const [b, t] = prompt.shape as [number, number];
  const length = t + maxNewTokens - 1;
  if (model.config.positions.includes('learned') && length > model.config.maxLength)
    fail(`${length} tokens, but the learned table has ${model.config.maxLength} positions`);
  const draw = (hidden: Tensor, step: number): Tensor => {
    const last = hidden.narrow(1, hidden.shape[1]! - 1, 1).reshape(b, model.config.dim);
    const noise = temperature === 0 ? null : mixtureNoise(key!.fold(step), b, latent.dim, dtype);
    return drawMixture(model.latentParams(last), latent.dim, noise, temperature); // [b, z]
  };
  return tidy(() =>
    noGrad(() => {
      using cache = makeCache(model.config, b, length);
      const mask =
        attentionMask === undefined
          ? {}
          : {
              attentionMask: concat(
                [attentionMask, ones([b, maxNewTokens - 1], { dtype: 'bool' })],
                1,
              ),
            };
      const made: Tensor[] = [];
      for (let step = 0; step < maxNewTokens; step++) {
        const before = made.at(-1);
        const hidden = (): Tensor =>
          before === undefined
            ? model.forward(prompt, {
                cache,
                ...mask,
                ...(options.latents === undefined ? {} : { latents: options.latents }),
                ...(within === undefined ? {} : { within: within.prompt }),
              })
            : model.forward(full([b, 1], tokenId, { dtype: 'i32' }), {
                cache,
                ...mask,
                latents: before.reshape(b, 1, latent.dim),
                ...(within === undefined
                  ? {}
                  : { within: full([b, 1], within.next(step - 1), { dtype: 'i32' }) }),
              });
        made.push(tidy(() => draw(hidden(), step)));
      }
      return stack(made, 1);
    }),
  );
}

function fail(message: string): never {
  throw new ValueError('generateLatents', message);
}
