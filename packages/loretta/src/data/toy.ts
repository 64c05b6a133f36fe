/**
 * The analytic toy of LORETTA §7.1: a latent class, and modalities that are noisy copies of a prototype of the class,
 * independent given it. Every right answer — Bayes, the optimum through the link, unconditional — can be computed.
 */
import { hostRandom } from '@loretta-ts/core';
import { DataError, requireCount, requireReal } from './errors';

/** One modality of the toy. */
export interface ToyModality {
  /** Name, unique in a toy. */
  readonly name: string;
  /** Tokens per sequence. */
  readonly length: number;
  /** Probability ε that a token is uniform instead of the prototype's. */
  readonly noise: number;
}

/** Options of {@link Toy}. */
export interface ToyOptions {
  /** Seed of the prototypes. */
  readonly seed: number;
  /** Default: A of 12 tokens and C of 8 with ε = 0.35, the link B of 4 with ε = 0.05. */
  readonly modalities?: readonly ToyModality[];
  /** Default 10. */
  readonly classes?: number;
  /** Number of different tokens. Default 8. */
  readonly alphabet?: number;
}

/** The three modalities of LORETTA §7.1. */
export const TOY_TRIPLE: readonly ToyModality[] = [
  { name: 'A', length: 12, noise: 0.35 },
  { name: 'B', length: 4, noise: 0.05 },
  { name: 'C', length: 8, noise: 0.35 },
];

/** A chain A–B–C–D: two short precise links between two noisy ends. */
export const TOY_CHAIN: readonly ToyModality[] = [
  { name: 'A', length: 12, noise: 0.35 },
  { name: 'B', length: 4, noise: 0.05 },
  { name: 'C', length: 4, noise: 0.05 },
  { name: 'D', length: 8, noise: 0.35 },
];

/** Sequences up to this many are enumerated; beyond, class confusion is estimated from samples. */
const ENUMERABLE = 2 ** 18;
const CONFUSION_SAMPLES = 2 ** 14;

/** The generative model and its exact posteriors. */
export class Toy {
  /** The modalities, neighbours first to last. */
  readonly modalities: readonly ToyModality[];
  /** Number of latent classes. */
  readonly classes: number;
  /** Number of different tokens. */
  readonly alphabet: number;
  readonly #seed: number;
  readonly #prototypes: ReadonlyMap<string, Int32Array>;

  /** @throws DataError for sizes or noise out of range, or a name that occurs twice */
  constructor(options: ToyOptions) {
    this.modalities = options.modalities ?? TOY_TRIPLE;
    this.classes = options.classes ?? 10;
    this.alphabet = options.alphabet ?? 8;
    this.#seed = options.seed;
    requireCount('toy: classes', this.classes, 1, 10_000);
    requireCount('toy: alphabet', this.alphabet, 1, 10_000);
    const random = hostRandom(options.seed);
    const prototypes = new Map<string, Int32Array>();
    for (const { name, length, noise } of this.modalities) {
      requireCount(`toy: length of ${name}`, length, 1, 10_000);
      requireReal(`toy: noise of ${name}`, noise, 0, 1);
      if (prototypes.has(name)) throw new DataError('config', 'toy', `two modalities ${name}`);
      const size = this.classes * length;
      prototypes.set(
        name,
        Int32Array.from({ length: size }, () => random.int(this.alphabet)),
      );
    }
    this.#prototypes = prototypes;
  }

  /** The modality of this name. @throws DataError when there is none */
  modality(name: string): ToyModality {
    const found = this.modalities.find((m) => m.name === name);
    if (found !== undefined) return found;
    throw new DataError('config', 'toy', `no modality ${name}`);
  }

  /** Prototype tokens of every class, `[classes, length]`. */
  prototypes(name: string): Int32Array {
    this.modality(name);
    return this.#prototypes.get(name)!.slice();
  }

  /** One sequence of each class in `labels`, `[n, length]`. */
  sample(
    name: string,
    labels: ArrayLike<number>,
    random: { uniform(): number; int(n: number): number },
  ): Int32Array {
    const { length, noise } = this.modality(name);
    const prototypes = this.#prototypes.get(name)!;
    const ids = new Int32Array(labels.length * length);
    for (let i = 0; i < ids.length; i++) {
      const row = Math.floor(i / length);
      const token = prototypes[labels[row]! * length + (i % length)]!;
      ids[i] = random.uniform() < noise ? random.int(this.alphabet) : token;
    }
    return ids;
  }

  /** log p(x | z) of one sequence for every class z, in nats, `[classes]`. */
  logLikelihoods(name: string, x: ArrayLike<number>): Float64Array {
    const { length, noise } = this.modality(name);
    const prototypes = this.#prototypes.get(name)!;
    if (x.length !== length) {
      throw new DataError('config', 'toy', `${name} has ${length} tokens, got ${x.length}`);
    }
    const miss = Math.log(noise / this.alphabet);
    const hit = Math.log(1 - noise + noise / this.alphabet);
    return Float64Array.from({ length: this.classes }, (_, z) => {
      let sum = 0;
      for (let t = 0; t < length; t++) sum += x[t] === prototypes[z * length + t] ? hit : miss;
      return sum;
    });
  }

  /** p(z | x) under the uniform prior, `[classes]`. */
  posterior(name: string, x: ArrayLike<number>): Float64Array {
    const logs = this.logLikelihoods(name, x);
    const peak = logs.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
    if (peak === Number.NEGATIVE_INFINITY) return logs.fill(1 / this.classes);
    const weights = logs.map((v) => Math.exp(v - peak));
    const total = weights.reduce((a, b) => a + b, 0);
    return weights.map((w) => w / total);
  }

  /** The most probable class of a sequence: the judge that needs no training. */
  classify(name: string, x: ArrayLike<number>): number {
    const p = this.posterior(name, x);
    return p.reduce((best, value, z) => (value > p[best]! ? z : best), 0);
  }

  /** −log₂ Σ_z prior(z) p(x | z) per token. */
  bits(name: string, x: ArrayLike<number>, prior: ArrayLike<number>): number {
    const logs = this.logLikelihoods(name, x);
    const peak = logs.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
    let sum = 0;
    for (let z = 0; z < this.classes; z++) sum += prior[z]! * Math.exp(logs[z]! - peak);
    return -(peak + Math.log(sum)) / Math.LN2 / x.length;
  }

  /**
   * What a link does to the class: M(z, z′) = Σ_b p(z | b) p(b | z′), `[classes, classes]`, columns sum to 1.
   * Exact by enumeration up to 2¹⁸ sequences, else from 16,384 samples of each class.
   */
  confusion(name: string): Float64Array {
    const { length } = this.modality(name);
    const { classes, alphabet } = this;
    const matrix = new Float64Array(classes * classes);
    const add = (b: Int32Array, weight: (z: number) => number): void => {
      const posterior = this.posterior(name, b);
      for (let to = 0; to < classes; to++) {
        const w = weight(to);
        if (w === 0) continue;
        for (let z = 0; z < classes; z++) matrix[z * classes + to]! += posterior[z]! * w;
      }
    };
    const count = alphabet ** length;
    if (count <= ENUMERABLE) {
      const b = new Int32Array(length);
      for (let code = 0; code < count; code++) {
        for (let t = 0, rest = code; t < length; t++, rest = Math.floor(rest / alphabet)) {
          b[t] = rest % alphabet;
        }
        const logs = this.logLikelihoods(name, b);
        add(b, (z) => Math.exp(logs[z]!));
      }
      return matrix;
    }
    const random = hostRandom(this.#seed + 1);
    for (let to = 0; to < classes; to++) {
      for (let n = 0; n < CONFUSION_SAMPLES; n++) {
        add(this.sample(name, [to], random), (z) => (z === to ? 1 / CONFUSION_SAMPLES : 0));
      }
    }
    return matrix;
  }
}

/** Exact scores of `target` given another modality, means over aligned test sequences, in bits per token of `target`. */
export interface ToyOptimum {
  /** True conditional: no model can do better on average. */
  readonly bayes: number;
  /** p*(a|c) = Σ_{z,z'} p(a|z) M(z,z') p(z'|c), the best that transitive training can reach (LORETTA §1.4). */
  readonly link: number;
  /** Without a condition. */
  readonly unconditional: number;
  /** Share of the given sequences whose class Bayes' rule finds. */
  readonly givenAccuracy: number;
  /** The same of the target sequences: the ceiling for generated ones. */
  readonly targetAccuracy: number;
}

/**
 * The optimum of a route, given modality first, target last, links between: `['C', 'B', 'A']`.
 * @param given Sequences of the first modality, `[n, length]`.
 * @param target Sequences of the last one, `[n, length]`, of the same classes.
 * @throws DataError for a route of one modality or arrays that do not fit
 */
export function toyOptimum(
  toy: Toy,
  route: readonly string[],
  given: Int32Array,
  target: Int32Array,
  labels: ArrayLike<number>,
): ToyOptimum {
  const [first, last] = [route[0], route.at(-1)];
  if (first === undefined || last === undefined || route.length < 2) {
    throw new DataError('config', 'toyOptimum', 'a route has at least two modalities');
  }
  const n = labels.length;
  const [from, to] = [toy.modality(first).length, toy.modality(last).length];
  if (n === 0 || given.length !== n * from || target.length !== n * to) {
    throw new DataError('config', 'toyOptimum', 'labels, given and target differ in size');
  }
  const links = route.slice(1, -1).map((name) => toy.confusion(name));
  const uniform = new Float64Array(toy.classes).fill(1 / toy.classes);
  const sums = { bayes: 0, link: 0, unconditional: 0, givenAccuracy: 0, targetAccuracy: 0 };
  for (let i = 0; i < n; i++) {
    const y = given.subarray(i * from, (i + 1) * from);
    const x = target.subarray(i * to, (i + 1) * to);
    const posterior = toy.posterior(first, y);
    const through = links.reduce((p, matrix) => apply(matrix, p), posterior);
    sums.bayes += toy.bits(last, x, posterior);
    sums.link += toy.bits(last, x, through);
    sums.unconditional += toy.bits(last, x, uniform);
    sums.givenAccuracy += toy.classify(first, y) === labels[i] ? 1 : 0;
    sums.targetAccuracy += toy.classify(last, x) === labels[i] ? 1 : 0;
  }
  return {
    bayes: sums.bayes / n,
    link: sums.link / n,
    unconditional: sums.unconditional / n,
    givenAccuracy: sums.givenAccuracy / n,
    targetAccuracy: sums.targetAccuracy / n,
  };
}

function apply(matrix: Float64Array, p: Float64Array): Float64Array {
  const n = p.length;
  return Float64Array.from({ length: n }, (_, z) => {
    let sum = 0;
    for (let to = 0; to < n; to++) sum += matrix[z * n + to]! * p[to]!;
    return sum;
  });
}
