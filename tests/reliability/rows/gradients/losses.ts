/** Gradients of every loss, in all its float arguments. */
import { type HostRandom, key, softmax, type Tensor, tensor } from '@loretta-ts/core';
import * as loretta from '@loretta-ts/loretta';
import * as nn from '@loretta-ts/nn';
import { randomConfig } from '../../decoders';
import { coin, values } from '../../draw';
import { pick } from '../../row';
import { axisOf, batchOf, type Draw, type GradientCase, type Size, withWeights } from './case';

const REDUCTIONS = ['mean', 'sum', 'none'] as const;
const IGNORED = -100;

const shapeOf = (random: HostRandom, size: Size): number[] => {
  const n = batchOf(random, size);
  return coin(random) ? [n] : [n, axisOf(random, size)];
};

/** Targets below v, some of them ignored. */
function targets(random: HostRandom, shape: readonly number[], v: number): Tensor {
  const n = shape.reduce((a, b) => a * b, 1);
  const data = Int32Array.from({ length: n }, () =>
    random.int(5) === 0 ? IGNORED : random.int(v),
  );
  return tensor(data, { shape });
}

const pairwise =
  (loss: (random: HostRandom) => (a: Tensor, b: Tensor) => Tensor): Draw =>
  (random, size) => {
    const shape = shapeOf(random, size);
    const fn = loss(random);
    return { inputs: [values(random, shape), values(random, shape)], fn: (x, y) => fn(x!, y!) };
  };

const overClasses = (random: HostRandom, size: Size) => {
  const lead = shapeOf(random, size);
  const v = axisOf(random, size, 5);
  return { v, lead, logits: values(random, [...lead, v]), target: targets(random, lead, v) };
};

const vocabulary = new loretta.Vocabulary([
  { name: 'A', vocabSize: 4, length: 2, variable: false },
  { name: 'B', vocabSize: 3, length: 1, variable: false },
]);

/** In the weights of the decoder that it is the loss of; a batch of nothing is refused. */
function packedLoss(random: HostRandom, size: Size): GradientCase {
  const rows = Math.max(1, batchOf(random, size));
  const blocks = vocabulary.modalities.map(({ name, vocabSize, length }) => ({
    modality: name,
    ids: vocabulary.toJoint(
      name,
      Int32Array.from({ length: rows * length }, () => random.int(vocabSize)),
    ),
    generated: false,
  }));
  const order = loretta.sameOrder(rows, coin(random) ? [0, 1] : [1, 0]);
  const packed = loretta.pack(vocabulary, blocks, order, { lossOn: 'real' });
  const config = randomConfig(random, pick(random, ['attention', 'mamba']), 'f64', 16);
  const model = new nn.Decoder(
    {
      ...{ ...config, layers: 1, vocab: vocabulary.size },
      ...(config.withinLength === undefined ? {} : { withinLength: vocabulary.withinSize }),
    },
    key(random.int(2 ** 30)),
  );
  const options = {
    weighting: pick(random, ['per-modality', 'per-token'] as const),
    constrained: coin(random),
  };
  return withWeights(
    model,
    [],
    (like) => values(random, like.shape).mul(0.2),
    (m) => loretta.packedLoss(m, vocabulary, packed, options).loss,
  );
}

export const lossDraws: Readonly<Record<string, Draw>> = {
  mseLoss: pairwise((random) => {
    const reduction = pick(random, REDUCTIONS);
    return (x, y) => nn.mseLoss(x, y, { reduction });
  }),
  l1Loss: pairwise((random) => {
    const reduction = pick(random, REDUCTIONS);
    return (x, y) => nn.l1Loss(x, y, { reduction });
  }),
  huberLoss: pairwise((random) => {
    const options = { reduction: pick(random, REDUCTIONS), delta: 0.25 + random.uniform() };
    return (x, y) => nn.huberLoss(x, y, options);
  }),
  bceWithLogitsLoss(random, size) {
    const shape = shapeOf(random, size);
    const reduction = pick(random, REDUCTIONS);
    const weight = coin(random) ? [values(random, shape.slice(-1)).square()] : [];
    return {
      inputs: [values(random, shape), values(random, shape), ...weight],
      fn: (x, y, posWeight) =>
        nn.bceWithLogitsLoss(x!, y!, { reduction, posWeight: posWeight ?? null }),
    };
  },
  klDivLoss(random, size) {
    const { lead, v, logits } = overClasses(random, size);
    const reduction = pick(random, [...REDUCTIONS, 'batchmean'] as const);
    const p = softmax(values(random, [...lead, v]));
    return { inputs: [logits, p], fn: (x, y) => nn.klDivLoss(x!, y!, { reduction }) };
  },
  nllLoss(random, size) {
    const { v, logits, target } = overClasses(random, size);
    const options = { reduction: pick(random, REDUCTIONS), ignoreIndex: IGNORED };
    const weight = coin(random) ? [values(random, [v]).square().add(0.1)] : [];
    return {
      inputs: [logits, ...weight],
      fn: (x, w) => nn.nllLoss(x!, target, { ...options, weight: w ?? null }),
    };
  },
  crossEntropyLoss(random, size) {
    const { v, lead, logits, target } = overClasses(random, size);
    const options = {
      ...{ reduction: pick(random, REDUCTIONS), ignoreIndex: IGNORED },
      labelSmoothing: pick(random, [0, 0.1, 1]),
    };
    const weight = coin(random) ? values(random, [v]).square().add(0.1) : null;
    if (coin(random)) {
      const spread = softmax(values(random, [...lead, v]));
      return {
        inputs: [logits, spread],
        fn: (x, p) => nn.crossEntropyLoss(x!, p!, { ...options, weight }),
      };
    }
    return { inputs: [logits], fn: (x) => nn.crossEntropyLoss(x!, target, { ...options, weight }) };
  },
  mixtureNll(random, size) {
    const [lead, dim, components] = [
      shapeOf(random, size),
      axisOf(random, size, 3),
      axisOf(random, size, 3),
    ];
    const params = values(random, [...lead, nn.mixtureSize(dim, components)]);
    return {
      inputs: [params, values(random, [...lead, dim])],
      fn: (x, z) => nn.mixtureNll(x!, z!),
    };
  },
  packedLoss,
};

/** What is a loss by its name. */
const LOSS = /^[a-z].*(Loss|Nll)$/;

/** Every function of `nn` and `loretta` that is a loss, by name. */
export const losses: readonly string[] = Object.entries({ ...nn, ...loretta }).flatMap(
  ([name, value]) => (typeof value === 'function' && LOSS.test(name) ? [name] : []),
);
