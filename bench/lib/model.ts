/** The decoders that all subjects share: GPT-2's form, sizes S and M; peers build the same. */
import { capture, key, type Tensor, tensor, tidy, valueAndGrad } from '@loretta-ts/core';
import { AdamW, crossEntropyLoss, Decoder } from '@loretta-ts/nn';

/** Sizes of a decoder and of a training batch. */
export interface Preset {
  readonly vocab: number;
  readonly layers: number;
  readonly dim: number;
  readonly heads: number;
  readonly ffDim: number;
  readonly length: number;
  readonly batch: number;
}

export const PRESETS: Readonly<Record<'S' | 'M', Preset>> = {
  S: { vocab: 512, layers: 4, dim: 128, heads: 4, ffDim: 512, length: 128, batch: 16 },
  M: { vocab: 512, layers: 6, dim: 256, heads: 8, ffDim: 1024, length: 256, batch: 8 },
};

/** Operations of the matrix products of one training step, forward and backward. */
export function trainFlops({ vocab, layers, dim, ffDim, length, batch }: Preset): number {
  const weights = layers * (4 * dim * dim + 2 * dim * ffDim) + dim * vocab;
  return 6 * batch * length * weights + 12 * layers * batch * length * length * dim;
}

export function makeDecoder(p: Preset): Decoder {
  const { vocab, layers, dim, heads, ffDim, length } = p;
  return new Decoder(
    {
      ...{ vocab, layers, dim, heads, ffDim, maxLength: length },
      ...{ norm: 'layer', mlp: 'gelu', positions: 'learned', bias: true },
    },
    key(0),
  );
}

/** A training step on one batch, as every peer does it. */
export interface TrainStep {
  /** Loss before the update, nats: a scalar of the caller's. */
  loss(): Tensor;
  /** The same, read at once. */
  step(): number;
  readonly decoder: Decoder;
  /** Of the captured program. */
  readonly instructions: number;
  dispose(): void;
}

/** @param captured false runs the step op by op */
export function makeTrainStep(p: Preset, captured = true): TrainStep {
  const decoder = makeDecoder(p);
  const optimizer = new AdamW(decoder.namedParameters(), { lr: 1e-3, weightDecay: 0.01 });
  const n = p.batch * p.length;
  const sequence = Int32Array.from({ length: n + 1 }, (_, i) => (i * 7919) % p.vocab);
  const shape = [p.batch, p.length];
  const ids = tensor(sequence.slice(0, n), { shape, dtype: 'i32' }).keep();
  const targets = tensor(sequence.slice(1), { shape, dtype: 'i32' }).keep();
  const body = (x: Tensor, y: Tensor, decayed: Tensor, plain: Tensor): Tensor => {
    const { value, grads } = valueAndGrad(decoder.parameters(), () =>
      crossEntropyLoss(decoder.logits(decoder.forward(x)), y),
    );
    optimizer.apply(grads, [decayed, plain]);
    return value;
  };
  const program = capture(body, { state: optimizer.leaves() });
  const loss = (): Tensor => {
    const hypers = optimizer.hypers();
    const value = captured
      ? program.call(ids, targets, ...hypers)
      : tidy(() => body(ids, targets, ...hypers));
    for (const t of hypers) t.dispose();
    return value;
  };
  return {
    decoder,
    loss,
    step() {
      const value = loss();
      const number = value.itemSync();
      value.dispose();
      return number;
    },
    get instructions() {
      return program.program.instructions.length;
    },
    dispose() {
      program.dispose();
      optimizer.dispose();
      decoder.dispose();
      for (const t of [ids, targets]) t.dispose();
    },
  };
}
