/** The training step of LoReTTa under every objective; the sequences are host data, so each pack is a program. */
import { hostRandom, type HostRandom, key } from '@loretta-ts/core';
import {
  ARMS,
  type Batch,
  bidirectional,
  forwardPacked,
  type LossOptions,
  makeArm,
  type Modality,
  ModalityGraph,
  type Objective,
  packedLoss,
  type TransitiveSchedule,
  Vocabulary,
} from '@loretta-ts/loretta';
import { Decoder } from '@loretta-ts/nn';
import type { ReplayCase, ReplayModel } from './replay-models';
import { pick } from './row';

interface Method {
  readonly objective: Objective;
  readonly loss?: Omit<LossOptions, 'key'>;
  readonly causal?: boolean;
  /** Modality A is one of vectors. */
  readonly latent?: boolean;
}

const NAMES = ['A', 'B', 'C'] as const;
const Z = 2;

/** A and B are seen together, and B and C. */
function vocabulary(random: HostRandom, latent: boolean): Vocabulary {
  return new Vocabulary(
    NAMES.map((name): Modality => {
      const length = 2 + random.int(3);
      if (latent && name === 'A')
        return { name, vocabSize: 1, length, variable: false, latent: { dim: Z } };
      return { name, vocabSize: 3 + random.int(4), length, variable: name === 'C' };
    }),
  );
}

/** Random rows of some modalities; variable ones are of every length. */
function batchOf(vocab: Vocabulary, names: readonly string[], random: HostRandom): Batch {
  const b = 2 + random.int(3);
  const latents: Record<string, Float32Array> = {};
  const blocks = Object.fromEntries(
    names.map((name) => {
      const { length, vocabSize, variable, latent } = vocab.modality(name);
      const local = Int32Array.from({ length: b * length }, () => random.int(vocabSize));
      const joint = vocab.toJoint(name, local);
      for (let row = 0; variable && row < b; row++) {
        const n = 1 + random.int(length);
        if (n === length) continue;
        joint[row * length + n] = vocab.end(name);
        joint.fill(Vocabulary.PAD, row * length + n + 1, (row + 1) * length);
      }
      if (latent !== undefined) {
        const size = b * length * latent.dim;
        latents[name] = Float32Array.from({ length: size }, () => 2 * random.uniform() - 1);
      }
      return [name, joint] as const;
    }),
  );
  return { b, blocks, ...(Object.keys(latents).length === 0 ? {} : { latents }) };
}

async function trainingStep(random: HostRandom, method: Method): Promise<ReplayModel> {
  const { objective, loss = {}, causal = true, latent = false } = method;
  const vocab = vocabulary(random, latent);
  const model = new Decoder(
    {
      ...{ vocab: vocab.size, dim: 16, layers: 1 + random.int(2), heads: 2, causal, initStd: 0.3 },
      ...{ positions: ['rope', 'within-block'], withinLength: vocab.withinSize, maxLength: 64 },
      ...{ dropout: pick(random, [0, 0.2]) },
      ...(latent ? { latent: { dim: Z, components: 2 } } : {}),
    },
    key(random.int(1000)),
  );
  const dropoutKey = key(random.int(1000));
  const pair = pick(random, [
    ['A', 'B'],
    ['B', 'C'],
  ] as const);
  const { packed } = await objective(batchOf(vocab, pair, random), {
    ...{ model, vocab, random: hostRandom(random.int(1000)), key: key(random.int(1000)) },
    graph: new ModalityGraph(NAMES, [
      ['A', 'B'],
      ['B', 'C'],
    ]),
  });
  return {
    module: model,
    state: [],
    inputs: () => [],
    forward: () => {
      const parts = packedLoss(model, vocab, packed, loss);
      return [forwardPacked(model, packed), parts.loss, parts.sums];
    },
    loss: () => packedLoss(model, vocab, packed, { ...loss, key: dropoutKey }),
  };
}

const options: TransitiveSchedule = {
  ...{ share: 1, temperature: 0.9, guidance: 2, allProbability: 0.3 },
  lossOn: 'real',
};

/** Both objectives of every arm, the encoder's, and the two that take vectors. */
export const objectives: readonly ReplayCase[] = [
  ...ARMS.flatMap((name) => {
    const { base, transitive, loss } = makeArm(name, NAMES, options);
    const methods = [{ name, method: { objective: base, loss } }];
    if (transitive !== null) methods.push({ name, method: { objective: transitive, loss } });
    return methods.map(({ method }, i) => ({
      name: `loretta, ${name}${i === 0 ? '' : ', a transitive step'}`,
      make: (random: HostRandom) => trainingStep(random, method),
    }));
  }),
  {
    name: 'loretta, bidirectional',
    make: (random) => trainingStep(random, { objective: bidirectional(), causal: false }),
  },
  ...(['base', 'transitive'] as const).map((step) => ({
    name: `loretta, latents, ${step}`,
    make: (random: HostRandom) =>
      trainingStep(random, {
        objective: makeArm('transitive', NAMES, { ...options, guidance: null })[step]!,
        latent: true,
      }),
  })),
];
