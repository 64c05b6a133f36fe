/** Trains a pretrained language model further on texts. */
import { hostRandom, tensor, tidy, ValueError, valueAndGrad } from '@loretta-ts/core';
import type { LanguageModel } from '@loretta-ts/loretta/node';
import { AdamW, clipGradNorm, cosineWarmupMin, crossEntropyLoss, generate } from '@loretta-ts/nn';

/** What can be chosen. */
export interface FinetuneOptions {
  readonly steps: number;
  readonly batch: number;
  /** Tokens of a row at most: longer texts are cut. */
  readonly length: number;
  readonly lr: number;
  readonly seed: number;
  readonly onProgress?: (step: number, loss: number) => void;
}

/** Texts as rows of one length, with the id that ends a text; what stands behind it is no target. */
function rows(lm: LanguageModel, texts: readonly string[], most: number) {
  const { tokenizer, prefix, eosIds, model } = lm;
  const end = eosIds.slice(0, 1);
  const encoded = texts.map((text) => [...prefix, ...tokenizer.encode(text), ...end]);
  const length = Math.min(Math.max(...encoded.map((ids) => ids.length)), most) - 1;
  if (length < 1 || length > model.config.maxLength)
    throw new ValueError(
      'finetune',
      `rows of ${length} tokens; the model sees 1 to ${model.config.maxLength}`,
    );
  const padded = (shift: number, fill: number) =>
    tensor(
      encoded.map((ids) => Array.from({ length }, (_, i) => ids[i + shift] ?? fill)),
      { dtype: 'i32' },
    );
  return [padded(0, 0), padded(1, -100)] as const; // [texts, length] each
}

/** Mean loss of a model on texts, nats per token. */
export async function lossOn(lm: LanguageModel, texts: readonly string[], length: number) {
  using loss = tidy(() => {
    const [x, y] = rows(lm, texts, length);
    return crossEntropyLoss(lm.model.logits(lm.model.forward(x)), y);
  });
  return await loss.item();
}

/** Changes the model in place. */
export async function finetune(
  lm: LanguageModel,
  texts: readonly string[],
  { steps, batch, length, lr, seed, onProgress }: FinetuneOptions,
): Promise<void> {
  const { model } = lm;
  const adam = new AdamW(model.namedParameters(), { weightDecay: 0.01 });
  const rate = cosineWarmupMin(lr, Math.ceil(steps / 10), steps);
  const random = hostRandom(seed);
  for (let step = 0; step < steps; step++) {
    const drawn = Array.from({ length: batch }, () => texts[random.int(texts.length)]!);
    const { value, grads } = valueAndGrad(model.parameters(), () => {
      const [x, y] = rows(lm, drawn, length);
      return crossEntropyLoss(model.logits(model.forward(x)), y);
    });
    const { scale } = await clipGradNorm(grads, 1);
    adam.step(grads, { lr: rate(step), gradScale: scale });
    onProgress?.(step + 1, await value.item());
    value.dispose();
    grads.dispose();
  }
  adam.dispose();
}

/** Goes on from a prompt, greedily. */
export async function tell(lm: LanguageModel, prompt: string, maxNewTokens: number) {
  const { model, tokenizer, prefix, eosIds } = lm;
  using start = tensor([[...prefix, ...tokenizer.encode(prompt)]], { dtype: 'i32' });
  const { ids, tokens } = await generate(model, start, {
    maxNewTokens,
    temperature: 0,
    stopIds: eosIds,
  });
  const text = tokenizer.decode(await ids.data(), { skipSpecial: true });
  ids.dispose();
  tokens.dispose();
  return text;
}
