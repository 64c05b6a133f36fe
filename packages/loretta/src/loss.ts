/**
 * Next-token loss, split by modality: the mean over modalities of the mean over their targets (LORETTA §1.5, 10). A
 * target that is an id costs its cross-entropy, one that is a vector its negative log-density per dimension.
 */
import {
  concat,
  crossEntropy,
  embedding,
  indexSelect,
  type Key,
  matmul,
  stopGradient,
  type Tensor,
  tensor,
  ValueError,
} from '@loretta-ts/core';
import { type Decoder, mixtureNll, selectRows } from '@loretta-ts/nn';
import type { Packed } from './sequence';
import { Vocabulary } from './vocabulary';

/** Options of `packedLoss`. */
export interface LossOptions {
  /** Dropout's key; without one the pass is evaluation. */
  readonly key?: Key | null;
  /** Each modality counts the same (default), or each token. */
  readonly weighting?: 'per-modality' | 'per-token';
  /** Weights of modalities by name against each other, with `per-modality`; default 1 each. */
  readonly modalityWeights?: Readonly<Record<string, number>>;
  /** Normalises over the ids of the target's modality only, as constrained decoding does; default false. */
  readonly constrained?: boolean;
}

/** A loss and what it is made of. */
export interface LossParts {
  /** Scalar, nats. */
  readonly loss: Tensor;
  /** `[m]` summed nats of every modality, of vectors nats per dimension; no gradient flows through it. */
  readonly sums: Tensor;
  /** Targets of every modality, `[m]`. */
  readonly counts: number[];
}

/**
 * The loss of packed rows. Logits are computed only at positions that carry loss.
 * @throws ValueError when no position carries loss, or `constrained` meets a target of no modality
 */
export function packedLoss(
  model: Decoder,
  vocab: Vocabulary,
  packed: Packed,
  {
    key = null,
    weighting = 'per-modality',
    constrained = false,
    modalityWeights,
  }: LossOptions = {},
): LossParts {
  const { rows, targets, keys, counts } = lossRows(vocab, packed);
  const n = rows.length;
  if (n === 0)
    throw new ValueError(
      'packedLoss',
      'no position carries loss: every block is generated, or every row is empty',
    );
  if (constrained) checkTargets(vocab, targets, keys);
  const shares = modalityShares(vocab, counts, modalityWeights);
  const weights = Float32Array.from(keys, (m) =>
    weighting === 'per-token' ? 1 / n : shares[m]! / counts[m]!,
  );
  const { dtype } = model.config;
  const hidden = forwardPacked(model, packed, key); // [b, t, d]
  const losses = targetLosses(vocab, keys, {
    ids: (of) => {
      const all = model.logits(selectRows(hidden, tensor(of(rows)))); // [n, v]
      const logits = constrained
        ? all.add(embedding(rangeTable(vocab, dtype), tensor(of(keys))))
        : all;
      return crossEntropy(logits, tensor(of(targets))); // [n]
    },
    vectors: (of) => latentNats(model, vocab, packed, hidden, of(rows)).div(vocab.latentDim!),
  }); // [n]
  const perModality = tensor(membership(keys, counts.length), { shape: [n, counts.length] }).cast(
    dtype,
  ); // [n, m]
  return {
    loss: losses.mul(tensor(weights).cast(dtype)).sum(),
    sums: matmul(stopGradient(losses).reshape(1, n), perModality).reshape(counts.length),
    counts,
  };
}

/** `[b, t, d]`: hidden states of packed rows, with the positions and segments that the model wants. */
export function forwardPacked(model: Decoder, packed: Packed, key: Key | null = null): Tensor {
  const shape = [packed.b, packed.t];
  const { segments, positions, latents } = packed;
  const absolute = model.config.positions.some((kind) => kind !== 'within-block');
  return model.forward(tensor(packed.ids, { shape }), {
    key,
    ...(model.config.positions.includes('within-block')
      ? { within: tensor(packed.within, { shape }) }
      : {}),
    // an encoder would see padding; behind a causal row it is seen by none
    ...(model.config.causal
      ? {}
      : {
          attentionMask: tensor(
            Uint8Array.from(packed.ids, (id) => (id === Vocabulary.PAD ? 0 : 1)),
            {
              shape,
              dtype: 'bool',
            },
          ),
        }),
    ...(latents === undefined
      ? {}
      : {
          latents: tensor(latents, { shape: [...shape, latents.length / packed.ids.length] }).cast(
            model.config.dtype,
          ),
        }),
    ...(segments === undefined ? {} : { segments: tensor(segments, { shape }) }),
    ...(positions === undefined || !absolute ? {} : { positions: tensor(positions, { shape }) }),
  });
}

/**
 * `[n]` nats of the vectors behind places in the flattened `[b · t]`, from `hidden` `[b, t, d]`.
 * @throws ValueError when the model has no `latent`
 */
export function latentNats(
  model: Decoder,
  vocab: Vocabulary,
  { latentTargets }: Packed,
  hidden: Tensor,
  places: Int32Array,
): Tensor {
  const dim = vocab.latentDim!;
  const wanted = new Float32Array(places.length * dim);
  places.forEach((at, i) => {
    wanted.set(latentTargets!.subarray(at * dim, (at + 1) * dim), i * dim);
  });
  const z = tensor(wanted, { shape: [places.length, dim] }).cast(model.config.dtype);
  return mixtureNll(model.latentParams(selectRows(hidden, tensor(places))), z);
}

/** Takes the entries of some targets. */
type Take = (of: Int32Array) => Int32Array;

/** `[n]` losses in the order of the targets, from those that are ids and those that are vectors. */
function targetLosses(
  vocab: Vocabulary,
  keys: Int32Array,
  losses: { readonly ids: (of: Take) => Tensor; readonly vectors: (of: Take) => Tensor },
): Tensor {
  const latent = vocab.modalities.map((m) => m.latent !== undefined);
  const places: [number[], number[]] = [[], []];
  keys.forEach((m, i) => {
    places[latent[m] ? 1 : 0].push(i);
  });
  const [ids, vectors] = places;
  const take =
    (chosen: readonly number[]): Take =>
    (of) =>
      chosen.length === of.length ? of : Int32Array.from(chosen, (i) => of[i]!);
  if (vectors.length === 0) return losses.ids(take(ids));
  if (ids.length === 0) return losses.vectors(take(vectors));
  const both = concat([losses.ids(take(ids)), losses.vectors(take(vectors))], 0);
  const order = new Int32Array(keys.length);
  [...ids, ...vectors].forEach((place, i) => {
    order[place] = i;
  });
  return indexSelect(both, tensor(order), 0);
}

/** Weight of each modality's mean: in the sum over those that are targets, 1. @throws ValueError */
function modalityShares(
  vocab: Vocabulary,
  counts: readonly number[],
  given: LossOptions['modalityWeights'] = {},
): number[] {
  for (const [name, w] of Object.entries(given)) {
    vocab.index(name);
    if (!(w > 0 && Number.isFinite(w))) {
      throw new ValueError('packedLoss', `the weight of ${name} is ${w}, not a positive number`);
    }
  }
  const weights = vocab.modalities.map(({ name }, m) => (counts[m]! > 0 ? (given[name] ?? 1) : 0));
  const total = weights.reduce((a, b) => a + b, 0);
  return weights.map((w) => w / total);
}

interface LossRows {
  /** Positions in the flattened `[b · t]`. */
  readonly rows: Int32Array;
  readonly targets: Int32Array;
  /** Modality of each target. */
  readonly keys: Int32Array;
  readonly counts: number[];
}

function lossRows(vocab: Vocabulary, { targets, weightsKey }: Packed): LossRows {
  const counts = new Array<number>(vocab.modalities.length).fill(0);
  const rows: number[] = [];
  for (let i = 0; i < targets.length; i++) {
    const m = weightsKey[i]!;
    if (targets[i]! < 0 || m < 0) continue;
    rows.push(i);
    counts[m]!++;
  }
  return {
    rows: Int32Array.from(rows),
    targets: Int32Array.from(rows, (i) => targets[i]!),
    keys: Int32Array.from(rows, (i) => weightsKey[i]!),
    counts,
  };
}

/** `[n, m]`: 1 at the modality of each target. */
function membership(keys: Int32Array, modalities: number): Float32Array {
  const table = new Float32Array(keys.length * modalities);
  keys.forEach((m, i) => {
    table[i * modalities + m] = 1;
  });
  return table;
}

/** `[m, v]`: 0 at the ids that a modality may have, −∞ elsewhere. */
function rangeTable(vocab: Vocabulary, dtype: 'f32' | 'f64'): Tensor {
  const { size, modalities } = vocab;
  const table = new Float32Array(modalities.length * size).fill(Number.NEGATIVE_INFINITY);
  modalities.forEach(({ name }, m) => {
    for (const [from, to] of vocab.allowed(name)) table.fill(0, m * size + from, m * size + to);
  });
  return tensor(table, { shape: [modalities.length, size] }).cast(dtype);
}

function checkTargets(vocab: Vocabulary, targets: Int32Array, keys: Int32Array): void {
  targets.forEach((id, i) => {
    const { name } = vocab.modalities[keys[i]!]!;
    if (vocab.allowed(name).some(([from, to]) => id >= from && id < to)) return;
    throw new ValueError(
      'packedLoss',
      `target ${id} is not an id of ${name}: constrained is not for masked rows`,
    );
  });
}
