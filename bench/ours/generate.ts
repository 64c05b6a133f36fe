/** Generation with a cache; and LoReTTa's transitive step: generate, then train on what was generated. */
import {
  capture,
  concat,
  full,
  key,
  noGrad,
  type Tensor,
  tensor,
  tidy,
  valueAndGrad,
} from '@loretta-ts/core';
import { AdamW, crossEntropyLoss, generateFixed } from '@loretta-ts/nn';
import type { GenerateCase, LorettaCase } from '../lib/cases';
import { makeDecoder } from '../lib/model';
import { patternIds, type Work } from '../peers/serve.mjs';

export function generateWork({ preset, batch, tokens }: GenerateCase): Work {
  const decoder = makeDecoder(preset);
  const prompt = full([batch, 1], 0, { dtype: 'i32' }).keep();
  const options = { maxNewTokens: tokens, temperature: 0 };
  const run = (): number[] => {
    using out = generateFixed(decoder, prompt, options);
    return Array.from(out.dataSync());
  };
  return {
    run,
    check: () => run().slice(0, tokens),
    free: () => decoder.dispose(),
  };
}

export function lorettaWork({ preset, batch, prompt, generated }: LorettaCase): Work {
  const { vocab, length } = preset;
  const decoder = makeDecoder(preset);
  const optimizer = new AdamW(decoder.namedParameters(), { lr: 1e-3, weightDecay: 0.01 });
  const known = prompt + generated;
  const ids = patternIds(batch * length, vocab);
  const rows = tensor(ids, { shape: [batch, length], dtype: 'i32' }).keep();
  const given = tidy(() => rows.narrow(1, 0, prompt)).keep(); // [b, prompt]
  const real = tidy(() => rows.narrow(1, known, length - known)).keep(); // [b, rest]
  const train = capture(
    (pseudo: Tensor, decayed: Tensor, plain: Tensor) => {
      const whole = concat([given, pseudo, real], 1); // [b, length]
      const { value, grads } = valueAndGrad(decoder.parameters(), () => {
        const hidden = decoder.forward(whole.narrow(1, 0, length - 1)); // [b, length - 1, d]
        return crossEntropyLoss(decoder.logits(hidden.narrow(1, known - 1, length - known)), real);
      });
      optimizer.apply(grads, [decayed, plain]);
      return value;
    },
    { state: optimizer.leaves() },
  );
  let steps = 0;
  const step = (temperature: number): number => {
    const pseudo = noGrad(() =>
      generateFixed(decoder, given, {
        maxNewTokens: generated,
        temperature,
        key: key(1).fold(steps++),
      }),
    );
    const [decayed, plain] = optimizer.hypers();
    const loss = train.call(pseudo, decayed, plain);
    const value = loss.itemSync();
    for (const t of [pseudo, loss, decayed, plain]) t.dispose();
    return value;
  };
  return {
    run: () => step(1),
    check: () => [step(0), step(0), step(0)],
  };
}
