/** A small vocabulary, model and batches for the tests of objectives. */
import { type HostRandom, hostRandom, key, setBackend } from '@loretta-ts/core';
import { cpu } from '@loretta-ts/backend-cpu';
import { Decoder, type DecoderConfig } from '@loretta-ts/nn';
import { ModalityGraph } from '../src/graph';
import type { Modality } from '../src/modality';
import type { Batch, ObjectiveContext } from '../src/objectives/objective';
import type { Packed } from '../src/sequence';
import { Vocabulary } from '../src/vocabulary';

export const TRIPLE: readonly Modality[] = [
  { name: 'A', vocabSize: 5, length: 4, variable: false },
  { name: 'B', vocabSize: 3, length: 2, variable: false },
  { name: 'C', vocabSize: 4, length: 3, variable: true },
];

export function useCpu(): void {
  setBackend(cpu());
}

export function smallModel(vocab: Vocabulary, options: Partial<DecoderConfig> = {}): Decoder {
  return new Decoder(
    {
      vocab: vocab.size,
      dim: 16,
      layers: 2,
      heads: 2,
      positions: ['rope', 'within-block'],
      withinLength: vocab.withinSize,
      maxLength: 64,
      initStd: 0.3, // far from uniform, so that what is compared differs
      ...options,
    },
    key(11),
  );
}

/** Random joint ids of one modality, `[b, length]`; variable ones of any length. */
export function randomBlock(
  vocab: Vocabulary,
  name: string,
  b: number,
  random: HostRandom,
): Int32Array {
  const { length, vocabSize, variable } = vocab.modality(name);
  const ids = vocab.toJoint(
    name,
    Int32Array.from({ length: b * length }, () => random.int(vocabSize)),
  );
  if (!variable) return ids;
  for (let row = 0; row < b; row++) {
    const n = 1 + random.int(length);
    if (n === length) continue;
    ids[row * length + n] = vocab.end(name);
    ids.fill(Vocabulary.PAD, row * length + n + 1, (row + 1) * length);
  }
  return ids;
}

export function randomBatch(
  vocab: Vocabulary,
  names: readonly string[],
  b: number,
  seed = 1,
): Batch {
  const random = hostRandom(seed);
  return {
    b,
    blocks: Object.fromEntries(names.map((name) => [name, randomBlock(vocab, name, b, random)])),
  };
}

/** Neighbours in the order of the vocabulary were seen together: A–B, B–C, … */
export function chainContext(vocab: Vocabulary, model: Decoder, seed = 5): ObjectiveContext {
  const names = vocab.modalities.map((m) => m.name);
  return {
    model,
    vocab,
    graph: new ModalityGraph(
      names,
      names.slice(1).map((name, i) => [names[i]!, name] as const),
    ),
    random: hostRandom(seed),
    key: key(seed),
  };
}

/** Modalities of a row in the order of their modality tokens. */
export function orderOf(vocab: Vocabulary, packed: Packed, row: number): string[] {
  return [...packed.ids.subarray(row * packed.t, (row + 1) * packed.t)].flatMap((id) => {
    const name = vocab.modalityOf(id);
    return name !== null && vocab.start(name) === id ? [name] : [];
  });
}

/** Modalities with a target in a row, in the order of first appearance. */
export function lossOf(vocab: Vocabulary, packed: Packed, row: number): string[] {
  const keys = [...packed.weightsKey.subarray(row * packed.t, (row + 1) * packed.t)];
  return [...new Set(keys.filter((m) => m >= 0))].map((m) => vocab.modalities[m]!.name);
}

/** Σ (observed − expected)² / expected. */
export function chiSquare(observed: readonly number[], expected: readonly number[]): number {
  return observed.reduce((sum, n, i) => sum + (n - expected[i]!) ** 2 / expected[i]!, 0);
}
