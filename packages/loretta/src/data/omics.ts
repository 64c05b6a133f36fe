/**
 * Molecular profiles of patients as modalities (LORETTA §3.2): one token a feature, its quantile among the training
 * patients; the feature is known by its place. Pairs are patients, and no patient is in two pair sets.
 */
import { hostRandom } from '@loretta-ts/core';
import type { ComparisonData } from '../compare/data';
import type { TokenData } from '../train/data';
import { type AlignedTest, type PairSet, shuffle } from './align';
import { DataError, requireCount } from './errors';
import { byClass } from './source';

/** Measurements of one kind. */
export interface OmicsTable {
  /** `mrna`, `mirna`, … */
  readonly name: string;
  /** Names of the columns. */
  readonly features: readonly string[];
  /** `[patients, features]`. */
  readonly values: Float64Array;
}

/** Patients with all kinds of measurements. */
export interface OmicsCohort {
  /** Tables whose rows are the same patients. */
  readonly tables: readonly OmicsTable[];
  /** Class of each patient. */
  readonly labels: Int32Array;
  /** Names of the classes. */
  readonly classes: readonly string[];
}

/** Options of `omicsComparison`. */
export interface OmicsOptions {
  /** The kind that is measured with each of the two others. */
  readonly link: string;
  /** Features of a kind: those that vary most among the training patients. */
  readonly features: number;
  /** Levels of a token. */
  readonly levels: number;
  /** Which of the `folds` parts of the patients tests. */
  readonly fold: number;
  /** Parts of the patients, alike in their classes. */
  readonly folds: number;
  /** Of the parts and the simulated risk. */
  readonly seed: number;
}

/** Deviation of the simulated log-risk. */
const RISK_DEVIATION = 1.5;
/** Features of each kind outside the link that the simulated risk depends on. */
const RISK_FEATURES = 6;

/**
 * A cohort as a comparison: one part tests; of the rest one half gives pairs of the link with the first other kind, the
 * other half with the second. The simulated risk is a random combination of features of the two kinds that are never
 * seen together, and of the class.
 * @throws DataError for options out of range, or other than three kinds
 */
export function omicsComparison(cohort: OmicsCohort, options: OmicsOptions): ComparisonData {
  const { link, features, levels, fold, folds, seed } = options;
  const { tables, labels, classes } = cohort;
  requireCount('omics: features', features, 1, Math.min(...tables.map((t) => t.features.length)));
  requireCount('omics: levels', levels, 2, 256);
  requireCount('omics: folds', folds, 2, labels.length);
  requireCount('omics: fold', fold, 0, folds - 1);
  const others = tables.filter((t) => t.name !== link);
  if (tables.length !== 3 || others.length !== 2) {
    const names = tables.map((t) => t.name).join(', ');
    throw new DataError('config', 'omics: link', `${link} is not one of three kinds: ${names}`);
  }
  const random = hostRandom(seed);
  const part = new Int32Array(labels.length);
  for (const group of byClass(labels, classes.length)) {
    shuffle(group, random);
    group.forEach((patient, i) => {
      part[patient] = i % folds;
    });
  }
  const all = Int32Array.from(labels, (_, i) => i);
  const train = all.filter((i) => part[i] !== fold);
  const test = all.filter((i) => part[i] === fold);
  const modalities = Object.fromEntries(
    tables.map((t) => [
      t.name,
      tokens(t, labels, classes.length, { train, test }, features, levels),
    ]),
  );
  const trainLabels = Int32Array.from(train, (i) => labels[i]!);
  const halves: number[][] = [[], []];
  for (const group of byClass(trainLabels, classes.length)) {
    shuffle(group, random);
    group.forEach((row, i) => {
      halves[i % 2]!.push(row);
    });
  }
  const pairs = others.map((t, i) => pairSet([link, t.name], halves[i]!, trainLabels));
  const names = tables.map((t) => t.name);
  const risk = risks(others, labels, { train, test }, seed);
  return {
    modalities,
    pairs,
    oracle: pairSet(
      [others[0]!.name, others[1]!.name],
      Array.from(train, (_, i) => i),
      trainLabels,
    ),
    pairing: 'instance',
    link,
    fit: aligned(names, trainLabels),
    test: aligned(
      names,
      Int32Array.from(test, (i) => labels[i]!),
    ),
    risk,
  };
}

interface Split {
  readonly train: Int32Array;
  readonly test: Int32Array;
}

/** Tokens of the features that vary most, by the quantiles of the training patients. */
function tokens(
  { name, features, values }: OmicsTable,
  labels: Int32Array,
  classes: number,
  { train, test }: Split,
  kept: number,
  levels: number,
): TokenData {
  const width = features.length;
  const column = (f: number): Float64Array =>
    Float64Array.from(train, (i) => values[i * width + f]!).sort();
  const columns = features.map((_, f) => column(f));
  const order = features
    .map((_, f) => f)
    .sort((p, q) => variance(columns[q]!) - variance(columns[p]!))
    .slice(0, kept);
  const bounds = order.map((f) =>
    Array.from(
      { length: levels - 1 },
      (_, i) => columns[f]![Math.floor(((i + 1) * train.length) / levels)]!,
    ),
  );
  const encode = (patients: Int32Array): TokenData['train'] => {
    const ids = new Int32Array(patients.length * kept);
    patients.forEach((patient, row) => {
      order.forEach((f, at) => {
        const value = values[patient * width + f]!;
        ids[row * kept + at] = bounds[at]!.filter((bound) => value >= bound).length;
      });
    });
    const own = Int32Array.from(patients, (i) => labels[i]!);
    return { ids, length: kept, labels: own, classes };
  };
  return {
    ...{ name, vocabSize: levels, maxLength: kept, fixedLength: true },
    train: encode(train),
    test: encode(test),
  };
}

function variance(values: Float64Array): number {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  return values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / values.length;
}

function pairSet(
  modalities: readonly [string, string],
  rows: readonly number[],
  labels: Int32Array,
): PairSet {
  return {
    modalities,
    size: rows.length,
    index: Int32Array.from(rows.flatMap((row) => [row, row])),
    labels: Int32Array.from(rows, (row) => labels[row]!),
  };
}

/** Row i of every modality is the same patient. */
function aligned(names: readonly string[], labels: Int32Array): AlignedTest {
  return {
    modalities: names,
    size: labels.length,
    index: Int32Array.from(
      { length: labels.length * names.length },
      (_, j) => Math.floor(j / names.length), //
    ),
    labels,
  };
}

/** Standardised features of the two kinds, and the class, in a random combination. */
function risks(
  kinds: readonly OmicsTable[],
  labels: Int32Array,
  { train, test }: Split,
  seed: number,
): NonNullable<ComparisonData['risk']> {
  const random = hostRandom(seed + 1);
  const raw = new Float64Array(labels.length);
  const add = (value: (patient: number) => number, weight: number): void => {
    const known = Float64Array.from(train, value);
    const mean = known.reduce((a, b) => a + b, 0) / known.length;
    const deviation = Math.sqrt(Math.max(variance(known), 1e-12));
    for (let i = 0; i < raw.length; i++) raw[i]! += (weight * (value(i) - mean)) / deviation;
  };
  for (const { features, values } of kinds) {
    const width = features.length;
    for (let k = 0; k < RISK_FEATURES; k++) {
      const f = random.int(width);
      add((i) => values[i * width + f]!, random.uniform() < 0.5 ? -1 : 1);
    }
  }
  add((i) => labels[i]!, RISK_FEATURES / 2);
  const scale = RISK_DEVIATION / Math.sqrt(variance(Float64Array.from(train, (i) => raw[i]!)));
  const of = (rows: Int32Array): Float64Array => Float64Array.from(rows, (i) => raw[i]! * scale);
  return { fit: of(train), test: of(test) };
}
