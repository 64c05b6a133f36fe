/** Training runs that every mode of the GPU backend repeats: what they give must be what the CPU backend gives. */
import {
  type Backend,
  capture,
  key,
  setBackend,
  type Tensor,
  tensor,
  tidy,
  valueAndGrad,
} from '@loretta-ts/core';
import { TOY_CHAIN, ToyRun, toySettings } from '@loretta-ts/loretta';
import {
  AdamW,
  crossEntropyLoss,
  Decoder,
  generateFixed,
  generateLatents,
  type MixerKind,
  mixtureNll,
  trainVqVae,
  VqVae,
} from '@loretta-ts/nn';

const vocab = 29;
const batch = 4;
const length = 16;

/** A small decoder of Llama's form on one text of a fixed pattern: losses of the steps, captured, in nats. */
export async function decoderRun(backend: Backend, steps = 50): Promise<number[]> {
  setBackend(backend);
  const decoder = new Decoder(
    { vocab, layers: 2, dim: 32, heads: 4, kvHeads: 2, ffDim: 64, maxLength: length },
    key(3),
  );
  const optimizer = new AdamW(decoder.namedParameters(), { lr: 3e-3, weightDecay: 0.1 });
  const size = batch * length;
  const text = Int32Array.from({ length: size + 1 }, (_, i) => (i * i + 3 * i) % vocab);
  const shape = [batch, length];
  const ids = tensor(text.slice(0, size), { shape, dtype: 'i32' });
  const targets = tensor(text.slice(1), { shape, dtype: 'i32' });
  const step = capture(
    (x: Tensor, y: Tensor, decayed: Tensor, plain: Tensor) => {
      const { value, grads } = valueAndGrad(decoder.parameters(), () =>
        crossEntropyLoss(decoder.logits(decoder.forward(x)), y),
      );
      optimizer.apply(grads, [decayed, plain]);
      return value;
    },
    { state: optimizer.leaves() },
  );
  const losses: number[] = [];
  for (let t = 0; t < steps; t++) {
    const hypers = optimizer.hypers();
    const loss = step.call(ids, targets, ...hypers);
    losses.push(await loss.item());
    for (const x of [loss, ...hypers]) x.dispose();
  }
  step.dispose();
  optimizer.dispose();
  decoder.dispose();
  for (const x of [ids, targets]) x.dispose();
  return losses;
}

/** Logits of a small decoder of each mixer, and what it generates behind a padded prompt. */
export async function mixerRun(
  backend: Backend,
  mixer: MixerKind,
): Promise<{ readonly logits: readonly number[]; readonly tokens: readonly number[] }> {
  setBackend(backend);
  const decoder = new Decoder(
    { vocab, layers: 2, dim: 16, heads: 2, mixer, stateDim: 4, maxLength: length, initStd: 0.2 },
    key(5),
  );
  const shape = [batch, 5];
  const ids = tensor(
    Int32Array.from({ length: 5 * batch }, (_, i) => (7 * i) % vocab),
    { shape },
  );
  const attentionMask = tensor(
    Uint8Array.from({ length: 5 * batch }, (_, i) => Number(i % 5 >= Math.floor(i / 5))),
    { shape, dtype: 'bool' },
  );
  const logits = tidy(() => decoder.logits(decoder.forward(ids, { attentionMask })).keep());
  const settings = { maxNewTokens: 8, temperature: 0, attentionMask };
  const tokens = generateFixed(decoder, ids, settings);
  const result = {
    logits: [...(await logits.data())].map(Number),
    tokens: [...(await tokens.data())].map(Number),
  };
  decoder.dispose();
  for (const x of [ids, attentionMask, logits, tokens]) x.dispose();
  return result;
}

/** Losses of a decoder of ids and vectors on a fixed pattern, then the vectors and ids that it generates. */
export async function latentRun(backend: Backend): Promise<{
  readonly losses: readonly number[];
  readonly vectors: readonly number[];
  readonly tokens: readonly number[];
}> {
  setBackend(backend);
  const latent = { dim: 3, components: 2 };
  const decoder = new Decoder(
    { vocab, layers: 2, dim: 16, heads: 2, maxLength: 2 * length, latent },
    key(7),
  );
  const optimizer = new AdamW(decoder.namedParameters(), { lr: 1e-2 });
  const shape = [batch, length];
  const ids = tensor(
    Int32Array.from({ length: batch * length }, (_, i) => (i % 2 === 0 ? 1 : (3 * i) % vocab)),
    { shape },
  );
  const latents = tensor(
    Float32Array.from({ length: 3 * batch * length }, (_, i) =>
      Math.floor(i / 3) % 2 === 0 ? Math.sin(0.3 * i) : 0,
    ),
    { shape: [...shape, 3] },
  );
  const losses: number[] = [];
  for (let t = 0; t < 10; t++) {
    const { value, grads } = valueAndGrad(decoder.parameters(), () => {
      const hidden = decoder.forward(ids, { latents }).narrow(1, 0, length - 1);
      const nll = mixtureNll(decoder.latentParams(hidden), latents.narrow(1, 1, length - 1));
      return crossEntropyLoss(decoder.logits(hidden), ids.narrow(1, 1, length - 1)).add(nll.mean());
    });
    losses.push(await value.item());
    tidy(() => optimizer.step(grads));
    grads.dispose();
    value.dispose();
  }
  const made = generateLatents(decoder, ids, { maxNewTokens: 6, tokenId: 1, key: key(2), latents });
  const next = generateFixed(decoder, ids, { maxNewTokens: 6, temperature: 0, latents });
  const vectors = [...(await made.data())].map(Number);
  const tokens = [...(await next.data())].map(Number);
  for (const x of [made, next, ids, latents, optimizer, decoder]) x.dispose();
  return { losses, vectors, tokens };
}

/** Steps of LoReTTa on the toy chain, commutative and transitive in turn; the transitive ones generate. */
export async function lorettaRun(
  backend: Backend,
): Promise<{ readonly losses: readonly number[]; readonly generated: number }> {
  setBackend(backend);
  const run = new ToyRun(
    toySettings(TOY_CHAIN, {
      steps: 60,
      switchAt: 2,
      batch: 4,
      dim: 16,
      layers: 1,
      heads: 2,
      transitive: { share: 1 },
    }),
  );
  const losses: number[] = [];
  let generated = 0;
  await run.train({
    to: 6,
    onEvent(report) {
      losses.push(report.loss);
      for (const g of report.generated) generated += g.ids.length;
    },
  });
  run.dispose();
  return { losses, generated };
}

/** A small VQ-VAE on a fixed pattern: losses of its steps with the revival of codes, then the codes of the pattern. */
export async function vqRun(
  backend: Backend,
  quantizer: 'vq' | 'gumbel',
): Promise<{ readonly losses: readonly number[]; readonly codes: readonly number[] }> {
  setBackend(backend);
  const size = [6, 6];
  const model = new VqVae(
    { size, channels: 1, codes: 8, hidden: 8, blocks: 1, dim: 4, levels: 1, quantizer },
    key(5),
  );
  const data = Float32Array.from({ length: 8 * 36 }, (_, i) =>
    Math.sin(0.7 * (i % 36) + Math.floor(i / 36)),
  );
  const losses: number[] = [];
  const options = { steps: 6, batch: 4, seed: 2, klWeight: () => 0.01 };
  for await (const { loss } of trainVqVae(model, data, options)) losses.push(loss);
  const x = tensor(data, { shape: [8, 1, ...size] });
  const codes = model.encode(x);
  const found = Array.from(await codes.data());
  for (const t of [x, codes]) t.dispose();
  model.dispose();
  return { losses, codes: found };
}
