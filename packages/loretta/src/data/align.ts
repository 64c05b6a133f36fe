/**
 * Alignment as the script of the LoReTTa paper does it (LORETTA §3.1): a sample of class k of one modality is paired
 * with one of class k of the other, and the class is all that they share. Every modality gives each of its partners
 * samples of its own, so no sample is in two pair sets and the never-seen pair has no path through a shared sample.
 */
import { hostRandom } from '@loretta-ts/core';
import { DataError, requireCount } from './errors';
import type { ModalityData } from './modality';
import { byClass } from './source';

/** Two aligned modalities. */
export interface PairSet {
  /** Columns of `index`. */
  readonly modalities: readonly [string, string];
  /** Number of pairs. */
  readonly size: number;
  /** Index of the training sample in each modality, `[size, 2]`. */
  readonly index: Int32Array;
  /** Class of each pair, `[size]`. */
  readonly labels: Int32Array;
}

/** Fully aligned test samples of all modalities: for evaluation only. */
export interface AlignedTest {
  /** Columns of `index`. */
  readonly modalities: readonly string[];
  /** Number of rows. */
  readonly size: number;
  /** Index of the test sample in each modality, `[size, modalities]`. */
  readonly index: Int32Array;
  /** Class of each row, `[size]`. */
  readonly labels: Int32Array;
}

/** Modalities and the pairs in which they may be seen together. */
export interface AlignedData {
  /** Tokenized modalities by name. */
  readonly modalities: Readonly<Record<string, ModalityData>>;
  /** The observed pairs, for training. */
  readonly pairs: readonly PairSet[];
  /** Test rows of all modalities. */
  readonly test: AlignedTest;
  /**
   * Real pairs of two modalities that are in no pair set, from the training samples that are used there.
   * Only the oracle may call this. @throws DataError when the pair is observed anyway
   */
  oraclePairs(a: string, b: string): PairSet;
}

/** Options of {@link alignByClass}. */
export interface AlignOptions {
  /** The observed pairs. */
  readonly pairs: readonly (readonly [string, string])[];
  /** Decides which samples go together. */
  readonly seed: number;
  /** Pairs per class of each pair set, all alike or one number a set. Default: as many as the samples allow. */
  readonly pairsPerClass?: number | readonly number[];
  /** Draw with replacement where a class has too few samples; shares of partners stay disjoint. Default false. */
  readonly reuse?: boolean;
  /** Test rows per class. Default: as many as all modalities have. */
  readonly testPerClass?: number;
}

/**
 * Aligns modalities by class.
 * @throws DataError for an unknown modality, different numbers of classes, or a class with too few samples
 */
export function alignByClass(
  modalities: Readonly<Record<string, ModalityData>>,
  options: AlignOptions,
): AlignedData {
  const classes = checkPairs(modalities, options);
  const pools = new Map(
    Object.entries(modalities).map(([name, data], i) => [
      name,
      shuffled(byClass(data.train.labels, classes), options.seed, i),
    ]),
  );
  const shares = sharePools(pools, options, classes);
  const pairs = options.pairs.map((modality, p) => {
    const draw = (name: string) => shares.get(shareKey(p, name))!;
    return makePairs(modality, draw(modality[0]), draw(modality[1]));
  });
  const test = alignTest(modalities, classes, options);
  return { modalities, pairs, test, oraclePairs: (a, b) => oracle(pairs, a, b, classes) };
}

/** Every two modalities that are in no pair set together, in the order of `modalities`. */
export function unseenPairs(data: AlignedData): [string, string][] {
  const names = Object.keys(data.modalities);
  return names.flatMap((a, i) =>
    names
      .slice(i + 1)
      .filter((b) => !data.pairs.some((pair) => isPair(pair.modalities, a, b)))
      .map((b): [string, string] => [a, b]),
  );
}

/** Whether a pair of modalities is {a, b} in either order. */
export function isPair(pair: readonly string[], a: string, b: string): boolean {
  return pair.includes(a) && pair.includes(b) && a !== b;
}

function checkPairs(
  modalities: Readonly<Record<string, ModalityData>>,
  options: AlignOptions,
): number {
  const names = Object.keys(modalities);
  if (options.pairs.length === 0) {
    throw new DataError('config', 'align: pairs', 'is empty: name at least one pair');
  }
  options.pairs.forEach(([a, b], i) => {
    for (const name of [a, b]) {
      if (names.includes(name)) continue;
      throw new DataError('config', 'align: pairs', `no modality ${name}: ${names.join(', ')}`);
    }
    if (a === b) throw new DataError('config', 'align: pairs', `${a} is paired with itself`);
    if (options.pairs.findIndex((other) => isPair(other, a, b)) === i) return;
    throw new DataError('config', 'align: pairs', `${a} and ${b} are paired twice`);
  });
  const counts = new Set(Object.values(modalities).map((m) => m.classes));
  if (counts.size !== 1) {
    const found = Object.values(modalities).map((m) => `${m.name} ${m.classes}`);
    throw new DataError('class', 'align', `numbers of classes differ: ${found.join(', ')}`);
  }
  return Object.values(modalities)[0]!.classes;
}

function shuffled(groups: Int32Array[], seed: number, stream: number): Int32Array[] {
  const random = hostRandom(seed + stream);
  for (const group of groups) shuffle(group, random);
  return groups;
}

/** Fisher–Yates, in place. */
export function shuffle(values: Int32Array, random: { int(n: number): number }): void {
  for (let i = values.length - 1; i > 0; i--) {
    const j = random.int(i + 1);
    const held = values[i]!;
    values[i] = values[j]!;
    values[j] = held;
  }
}

const shareKey = (pair: number, modality: string): string => `${pair} ${modality}`;

/** Samples by class that each modality gives to each pair set: equally many on both sides, disjoint within a modality. */
function sharePools(
  pools: ReadonlyMap<string, readonly Int32Array[]>,
  options: AlignOptions,
  classes: number,
): Map<string, Int32Array[]> {
  const shares = new Map<string, Int32Array[]>();
  for (let k = 0; k < classes; k++) {
    const wanted = options.pairs.map((pair, p) => pairCount(pools, options, pair, p, k));
    for (const [name, groups] of pools) {
      const pool = groups[k]!;
      const partners = options.pairs.flatMap((pair, p) => (pair.includes(name) ? [p] : []));
      const needed = partners.reduce((sum, p) => sum + wanted[p]!, 0);
      if (needed > pool.length && options.reuse !== true) {
        throw new DataError(
          'class',
          name,
          `class ${k} has ${pool.length} samples, its pair sets need ${needed}: lower pairsPerClass or allow reuse`,
        );
      }
      let from = 0;
      partners.forEach((p, i) => {
        const count = wanted[p]!;
        const left = partners.length - 1 - i;
        const share =
          needed <= pool.length
            ? count
            : Math.max(
                1,
                Math.min(Math.round((pool.length * count) / needed), pool.length - from - left),
              );
        if (share < 1 || from + share > pool.length) {
          throw new DataError(
            'class',
            name,
            `class ${k} has ${pool.length} samples for ${partners.length} pair sets: each needs one of its own`,
          );
        }
        const own = pool.subarray(from, from + share);
        from += share;
        const all = shares.get(shareKey(p, name)) ?? [];
        // Going round the share is drawing with replacement without leaving any sample out.
        all.push(Int32Array.from({ length: count }, (_, n) => own[n % share]!));
        shares.set(shareKey(p, name), all);
      });
    }
  }
  return shares;
}

/** Pairs of class `k` in pair set `p`: what was asked for, or the most that leaves the other sets of a modality their part. */
function pairCount(
  pools: ReadonlyMap<string, readonly Int32Array[]>,
  options: AlignOptions,
  pair: readonly [string, string],
  p: number,
  k: number,
): number {
  for (const name of pair) {
    if (pools.get(name)![k]!.length > 0) continue;
    throw new DataError('class', name, `class ${k} has no training samples: add some`);
  }
  const asked = options.pairsPerClass;
  if (asked !== undefined) {
    const count = typeof asked === 'number' ? asked : (asked[p] ?? 0);
    requireCount('align: pairsPerClass', count, 1, 10_000_000);
    return count;
  }
  const part = (name: string): number => {
    const pool = pools.get(name)![k]!.length;
    const others = options.pairs.filter((other) => other !== pair && other.includes(name));
    if (others.length === 0) return pool;
    // What the other partners cannot use is free; the rest is shared equally.
    const claimed = others.reduce((sum, [a, b]) => {
      return sum + pools.get(a === name ? b : a)![k]!.length;
    }, 0);
    return Math.max(Math.floor(pool / (others.length + 1)), pool - claimed);
  };
  const count = Math.min(part(pair[0]), part(pair[1]));
  if (count > 0) return count;
  throw new DataError('class', pair.join(' and '), `too few samples of class ${k} to pair any`);
}

function makePairs(
  modalities: readonly [string, string],
  left: readonly Int32Array[],
  right: readonly Int32Array[],
): PairSet {
  const size = left.reduce((sum, group) => sum + group.length, 0);
  const index = new Int32Array(2 * size);
  const labels = new Int32Array(size);
  let n = 0;
  left.forEach((group, k) => {
    group.forEach((sample, i) => {
      index[2 * n] = sample;
      index[2 * n + 1] = right[k]![i]!;
      labels[n] = k;
      n++;
    });
  });
  return { modalities: [modalities[0], modalities[1]], size, index, labels };
}

function alignTest(
  modalities: Readonly<Record<string, ModalityData>>,
  classes: number,
  options: AlignOptions,
): AlignedTest {
  const names = Object.keys(modalities);
  const groups = names.map((name, i) =>
    // Streams beyond those of the training pools.
    shuffled(byClass(modalities[name]!.test.labels, classes), options.seed, names.length + i),
  );
  const rows: number[] = [];
  const labels: number[] = [];
  for (let k = 0; k < classes; k++) {
    const counts = groups.map((group) => group[k]!.length);
    const most = Math.min(...counts);
    const count = options.testPerClass ?? most;
    if (count > most || most === 0) {
      const name = names[counts.indexOf(most)]!;
      throw new DataError(
        'class',
        name,
        `class ${k} has ${most} test samples, needed are ${Math.max(1, count)}: lower testPerClass or add samples`,
      );
    }
    for (let i = 0; i < count; i++) {
      rows.push(...groups.map((group) => group[k]![i]!));
      labels.push(k);
    }
  }
  return {
    modalities: names,
    size: labels.length,
    index: Int32Array.from(rows),
    labels: Int32Array.from(labels),
  };
}

function oracle(pairs: readonly PairSet[], a: string, b: string, classes: number): PairSet {
  if (a === b || pairs.some((pair) => isPair(pair.modalities, a, b))) {
    throw new DataError('config', 'oraclePairs', `${a} and ${b} are not a never-seen pair`);
  }
  const used = (name: string): Int32Array[] => {
    const samples = new Map<number, number>();
    for (const pair of pairs) {
      const side = pair.modalities.indexOf(name);
      if (side < 0) continue;
      pair.labels.forEach((label, n) => {
        samples.set(pair.index[2 * n + side]!, label);
      });
    }
    if (samples.size === 0) throw new DataError('config', 'oraclePairs', `no modality ${name}`);
    const ids = Int32Array.from(samples.keys());
    const groups = byClass(Int32Array.from(samples.values()), classes);
    return groups.map((group) => group.map((i) => ids[i]!));
  };
  const [left, right] = [used(a), used(b)];
  // The larger side goes through all of its samples, the smaller one goes round.
  const sizes = left.map((group, k) => Math.max(group.length, right[k]!.length));
  const fill = (groups: readonly Int32Array[]): Int32Array[] =>
    groups.map((group, k) =>
      Int32Array.from({ length: sizes[k]! }, (_, n) => group[n % group.length]!),
    );
  return makePairs([a, b], fill(left), fill(right));
}
