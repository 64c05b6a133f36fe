/** An objective turns a batch of aligned blocks into sequences with a loss. */
import { type Abortable, type HostRandom, type Key, ValueError } from '@loretta-ts/core';
import type { Decoder } from '@loretta-ts/nn';
import { shuffle } from '../data/align';
import type { ModalityGraph } from '../graph';
import type { Block, Packed } from '../sequence';
import type { Vocabulary } from '../vocabulary';

/** Aligned rows of the modalities that are present. */
export interface Batch {
  /** Number of rows. */
  readonly b: number;
  /** `[b, length]` joint ids by modality. */
  readonly blocks: Readonly<Record<string, Int32Array>>;
  /** `[b, length, z]` vectors of the latent modalities among them. */
  readonly latents?: Readonly<Record<string, Float32Array>>;
}

/** What an objective may use. */
export interface ObjectiveContext extends Abortable {
  /** Generates pseudo-modalities. */
  readonly model: Decoder;
  /** Joint vocabulary of the batch. */
  readonly vocab: Vocabulary;
  /** Which pairs are observed. */
  readonly graph: ModalityGraph;
  /** Orders, spans and branches. */
  readonly random: HostRandom;
  /** Samples of generated blocks. */
  readonly key: Key;
}

/** A block that the model made, row by row beside the real ones. */
export interface GeneratedBlock {
  /** What was generated. */
  readonly modality: string;
  /** Block that it was generated from. */
  readonly from: string;
  /** `[b, length]` joint ids, as trained on. */
  readonly ids: Int32Array;
  /** `[b, length, z]`, of a latent modality. */
  readonly latents?: Float32Array;
}

/** What an objective gives. */
export interface ObjectiveResult {
  /** Sequences with their targets. */
  readonly packed: Packed;
  /** What the model made for them, for measuring its purity. */
  readonly generated: readonly GeneratedBlock[];
}

/** Asynchronous, since what a model generates is read back. */
export type Objective = (batch: Batch, context: ObjectiveContext) => Promise<ObjectiveResult>;

/** Real blocks of a batch, in the order of the vocabulary. @throws ValueError for a batch without blocks */
export function realBlocks(batch: Batch, vocab: Vocabulary): Block[] {
  const names = Object.keys(batch.blocks).sort((x, y) => vocab.index(x) - vocab.index(y));
  if (names.length === 0 || batch.b < 1) throw new ValueError('objective', 'the batch is empty');
  return names.map((modality) => {
    const ids = batch.blocks[modality]!;
    if (ids.length % batch.b !== 0) {
      throw new ValueError('objective', `${ids.length} ids of ${modality} are not ${batch.b} rows`);
    }
    const latents = batch.latents?.[modality];
    return { modality, ids, generated: false, ...(latents === undefined ? {} : { latents }) };
  });
}

/** @throws ValueError for a batch with vectors, where an objective is for ids alone */
export function requireIds(op: string, { latents }: { readonly latents?: object }): void {
  if (latents === undefined) return;
  throw new ValueError(op, 'masks ids, and the batch has vectors: use commutative or transitive');
}

/** For each row one of the k! orders of 0 … k − 1, uniformly. */
export function randomOrders(b: number, k: number, random: HostRandom): number[][] {
  return Array.from({ length: b }, () => {
    const order = Int32Array.from({ length: k }, (_, i) => i);
    shuffle(order, random);
    return [...order];
  });
}
