/** Run-time proof that a pair of modalities was never seen together (LORETTA §7.3, point 10). */
import { isPair, type PairSet } from './align';
import { DataError } from './errors';

/** Where the real blocks of a batch came from; generated blocks are not listed or have index −1. */
export interface RealSources {
  /** Columns of `index`. */
  readonly modalities: readonly string[];
  /** Index of the training sample of each block, `[size, modalities]`; −1 for a generated block. */
  readonly index: ArrayLike<number>;
}

/** What the proof looks at. */
export interface PairedData {
  /** Modalities by name. */
  readonly modalities: Readonly<
    Record<
      string,
      {
        /** Training samples. */
        readonly train: {
          /** Class of each sample, `[n]`. */
          readonly labels: Int32Array;
        };
      }
    >
  >;
  /** The pair sets to look at. */
  readonly pairs: readonly PairSet[];
}

/** Throws DataError (kind `leak`) when a batch breaks the promise. */
export type BatchGuard = (batch: RealSources) => void;

/**
 * Asserts that no pair set joins `a` and `c`, that pairs agree in class, and that no sample of any modality is in two
 * pair sets, and returns a guard for batches: it accepts a row with two real blocks only when exactly this pair of
 * samples' pair set exists, and never one with real `a` and real `c`.
 * @throws DataError (kind `leak`)
 */
export function assertNeverPaired(data: PairedData, a: string, c: string): BatchGuard {
  for (const name of [a, c]) {
    if (data.modalities[name] === undefined) throw leak(`there is no modality ${name}`);
  }
  const owner = new Map(
    Object.keys(data.modalities).map((name) => [name, new Map<number, number>()]),
  );
  data.pairs.forEach((pair, p) => {
    if (isPair(pair.modalities, a, c)) throw leak(`a pair set joins ${a} and ${c}`);
    pair.modalities.forEach((name, side) => {
      const owners = owner.get(name);
      const labels = data.modalities[name]?.train.labels;
      if (owners === undefined || labels === undefined) throw leak(`no modality ${name}`);
      for (let n = 0; n < pair.size; n++) {
        const sample = pair.index[2 * n + side]!;
        if (labels[sample] !== pair.labels[n]) {
          throw leak(`pair ${n} of ${pair.modalities.join(' and ')} joins different classes`);
        }
        if ((owners.get(sample) ?? p) !== p) {
          throw leak(`${name} sample ${sample} is in two pair sets`);
        }
        owners.set(sample, p);
      }
    });
  });
  return (batch) => checkBatch(batch, owner, a, c);
}

function checkBatch(
  batch: RealSources,
  owner: ReadonlyMap<string, ReadonlyMap<number, number>>,
  a: string,
  c: string,
): void {
  const width = batch.modalities.length;
  const owners = batch.modalities.map((name) => owner.get(name));
  const left = batch.modalities.indexOf(a);
  const right = batch.modalities.indexOf(c);
  for (let row = 0; row * width < batch.index.length; row++) {
    const at = (m: number): number => batch.index[row * width + m]!;
    if (left >= 0 && right >= 0 && at(left) >= 0 && at(right) >= 0) {
      throw leak(`row ${row} of a batch has a real ${a} and a real ${c}`);
    }
    let set = -1;
    for (let m = 0; m < width; m++) {
      if (at(m) < 0) continue;
      const found = owners[m]?.get(at(m));
      if (found === undefined) {
        throw leak(`row ${row}: ${batch.modalities[m]} sample ${at(m)} is in no pair set`);
      }
      if (set >= 0 && set !== found) {
        throw leak(`row ${row} joins samples of different pair sets`);
      }
      set = found;
    }
  }
}

function leak(what: string): DataError {
  return new DataError('leak', 'never-seen pair', `${what}: this would be seeing the answer`);
}
