/**
 * The contrastive baseline: encoders of single modalities into one space, trained by InfoNCE on the observed pairs, as CLIP
 * (Radford et al. 2021), with the space of the link shared by all pairs, as ImageBind (Girdhar et al. 2023).
 */
import {
  add,
  crossEntropy,
  full,
  iota,
  type Key,
  key,
  matmul,
  mean,
  sqrt,
  square,
  sum,
  type Tensor,
  tensor,
  throwIfAborted,
  tidy,
  valueAndGrad,
  construct,
} from '@loretta-ts/core';
import {
  AdamW,
  checkFinite,
  cosineWarmupMin,
  type Decoder,
  gradNorm,
  Linear,
  Module,
  Param,
} from '@loretta-ts/nn';
import type { JobOptions, StepEvent } from '../events';
import type { PairSource } from '../data/sampler';
import type { Rows } from '../infer/rows';
import type { ExperimentConfig } from '../experiment/config';
import { makeModel } from '../experiment/warmup';
import { forwardPacked } from '../loss';
import { maskInPlace } from '../objectives/bidirectional';
import { pack, unpackRows } from '../sequence';
import { toBatch } from '../train/data';
import type { Vocabulary } from '../vocabulary';
import type { Learned } from './learned';

/** Rows that are embedded at once. */
const CHUNK = 128;

/** One encoder for all modalities, told apart by their tokens: as many weights as the other methods have. */
class ContrastiveModel extends Module {
  readonly encoder: Decoder;
  readonly projection: Linear;
  /** log 1/τ. */
  readonly logScale: Param;

  constructor(vocab: Vocabulary, config: Pick<ExperimentConfig, 'model' | 'seed'>) {
    super();
    const { dim } = config.model;
    this.encoder = makeModel(vocab, config, false);
    this.projection = new Linear(dim, dim, {
      key: key(config.seed).fold(2),
      std: 1 / Math.sqrt(dim),
    });
    this.logScale = new Param(full([], Math.log(1 / 0.07)));
  }

  /** `[b, d]` of length 1. */
  embed(vocab: Vocabulary, { modality, ids }: Rows, b: number, dropout: Key | null): Tensor {
    const packed = pack(vocab, [{ modality, ids, generated: false }], new Array(b).fill([0]), {
      lossOn: 'all',
    });
    const rows = unpackRows(vocab, packed);
    const whole = maskInPlace(
      rows,
      rows.map(() => []),
    );
    const real = tensor(
      Float32Array.from(whole.ids, (id) => (id === 0 ? 0 : 1)),
      {
        shape: [whole.b, whole.t, 1],
      },
    );
    const states = forwardPacked(this.encoder, whole, dropout).mul(real).sum(1); // [b, d]
    const z = this.projection.forward(states.div(real.sum(1)));
    return z.div(sqrt(add(sum(square(z), 1, { keepDims: true }), 1e-12)));
  }
}

/** What `trainContrastive` works with. */
export interface ContrastiveOptions extends JobOptions<StepEvent> {
  /** Joint vocabulary. */
  readonly vocab: Vocabulary;
  /** One stream of batches for each observed pair. */
  readonly sources: readonly PairSource[];
  /** Sizes and optimisation, the same as for the other methods. */
  readonly config: ExperimentConfig;
}

/**
 * Symmetric InfoNCE over the rows of each batch.
 * @throws NonFiniteError when training diverges; what the signal was aborted with
 */
export async function trainContrastive(options: ContrastiveOptions): Promise<Learned> {
  const { vocab, sources, config, onEvent, signal } = options;
  const { steps, lr, lrWarmup, minLr, weightDecay, clip } = config.train;
  const { model, optimizer } = construct(() => {
    const made = new ContrastiveModel(vocab, config);
    const options = { lr, betas: [0.9, 0.95], weightDecay } as const;
    return { model: made, optimizer: new AdamW(made.namedParameters(), options) };
  });
  const schedule = cosineWarmupMin(lr, lrWarmup, steps, lr * minLr);
  const noise = key(config.seed).fold(3);
  try {
    for (let step = 0; step < steps; step++) {
      await throwIfAborted(signal);
      const batches = sources.map((source) => {
        source.resume(step);
        return toBatch(vocab, source.next());
      });
      const dropout = noise.fold(step);
      const lossOf = (): Tensor => {
        const losses = batches.map(({ b, blocks }, i) => {
          const [x, y] = Object.entries(blocks).map(([modality, ids], side) =>
            model.embed(vocab, { modality, ids }, b, dropout.fold(2 * i + side)),
          );
          const logits = matmul(x!, y!, { transB: true }).mul(model.logScale.value.exp()); // [b, b]
          const diagonal = iota(b);
          return mean(
            add(crossEntropy(logits, diagonal), crossEntropy(logits.permute(1, 0), diagonal)),
          );
        });
        return losses.reduce((p, q) => add(p, q)).mul(1 / losses.length);
      };
      const { value, grads } = valueAndGrad(model.parameters(), lossOf);
      let norm: Tensor | null = null;
      try {
        norm = tidy(() => gradNorm(grads));
        const [loss, size] = (await Promise.all([value.item(), norm.item()])) as [number, number];
        await checkFinite({
          ...{ where: 'contrastive', step, loss, norm: size },
          ...{ params: model.namedParameters(), fn: lossOf },
        });
        tidy(() => {
          optimizer.step(grads, {
            lr: schedule(step),
            gradScale: Math.min(1, clip / (size + 1e-6)),
          });
        });
        onEvent?.({ type: 'step', step, steps, loss });
      } finally {
        for (const owned of [value, norm, grads]) owned?.dispose();
      }
    }
    return learned(model, vocab);
  } catch (error) {
    model.dispose();
    throw error;
  } finally {
    optimizer.dispose();
  }
}

function learned(model: ContrastiveModel, vocab: Vocabulary): Learned {
  const { dim } = model.encoder.config;
  const embed = async (rows: Rows, n: number): Promise<Float32Array> => {
    const out = new Float32Array(n * dim);
    const length = rows.ids.length / n;
    for (let at = 0; at < n; at += CHUNK) {
      const b = Math.min(CHUNK, n - at);
      const part = { ...rows, ids: rows.ids.subarray(at * length, (at + b) * length) };
      const z = tidy(() => model.embed(vocab, part, b, null).keep());
      try {
        out.set((await z.data()) as Float32Array, at * dim);
      } finally {
        z.dispose();
      }
    }
    return out;
  };
  return {
    dim,
    parameters: model.parameterCount,
    decoder: null,
    async features(blocks, n) {
      const out = new Float32Array(n * dim);
      for (const block of blocks) {
        (await embed(block, n)).forEach((value, i) => {
          out[i]! += value / blocks.length;
        });
      }
      return out;
    },
    async scores(x, y, n, candidates) {
      const [p, q] = [await embed(x, n), await embed(y, n)];
      return Float64Array.from(candidates.x, (i, j) => {
        const [a, b] = [i * dim, candidates.y[j]! * dim];
        let cosine = 0;
        for (let d = 0; d < dim; d++) cosine += p[a + d]! * q[b + d]!;
        return cosine;
      });
    },
    dispose: () => model.dispose(),
    [Symbol.dispose]: () => model.dispose(),
  };
}
