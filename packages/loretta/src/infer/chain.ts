/** Schedules of several steps, each given what was there or what earlier steps made. */
import { type Abortable, type Key, ValueError } from '@loretta-ts/core';
import type { Decoder } from '@loretta-ts/nn';
import type { Block } from '../sequence';
import type { Vocabulary } from '../vocabulary';
import type { SamplingOptions } from './generate-block';
import { pseudoBlock } from './generate-latents';
import { branchesOf } from './guidance';
import { countRows } from './rows';

/** One step of a schedule. */
export interface ChainStep extends SamplingOptions {
  /** What to generate. */
  readonly target: string;
  /** Conditions, first to last: given ones, or targets of earlier steps; none generates without a condition. */
  readonly from: readonly string[];
}

/** Options of `generateChain`. */
export interface ChainOptions extends Abortable {
  /** Step i samples with `key.fold(i)`. Needed unless every temperature is 0. */
  readonly key?: Key;
  /** Rows, where nothing is given to tell. */
  readonly rows?: number;
}

/**
 * Runs a schedule, and gives the block of each step in order. Conditions may grow: a step sees all that `from` names,
 * in the order in which it names them.
 * @throws ValueError, before anything is generated, for a condition that is not there yet or a target that is
 */
export async function generateChain(
  model: Decoder,
  vocab: Vocabulary,
  given: readonly Block[],
  steps: readonly ChainStep[],
  { key, rows, signal }: ChainOptions = {},
): Promise<readonly Block[]> {
  checkChain(vocab, given, steps);
  const b = countRows('generateChain', vocab, given, rows);
  const known = new Map(given.map((block) => [block.modality, block]));
  const made: Block[] = [];
  for (const [i, { target, from, ...sampling }] of steps.entries()) {
    const condition = from.map((name) => known.get(name)!);
    const block = await pseudoBlock(model, vocab, condition, target, {
      ...sampling,
      rows: b,
      signal,
      ...(key === undefined ? {} : { key: key.fold(i) }),
    });
    known.set(target, block);
    made.push(block);
  }
  return made;
}

/** @throws ValueError that names the step */
export function checkChain(
  vocab: Vocabulary,
  given: readonly Block[],
  steps: readonly ChainStep[],
): void {
  const fail = (message: string): never => {
    throw new ValueError('generateChain', message);
  };
  if (steps.length === 0) fail('there is no step');
  const known = given.map((block) => block.modality);
  if (new Set(known).size < known.length) fail(`${known.join(', ')} are given: each once`);
  steps.forEach(({ target, from, guidance = null }, i) => {
    vocab.modality(target);
    const absent = from.find((name) => !known.includes(name));
    if (absent !== undefined) {
      fail(
        `step ${i} wants ${absent}, but there is ${known.join(', ') || 'nothing'}: give it, or generate it before`,
      );
    }
    if (new Set(from).size < from.length) fail(`step ${i} names a condition twice`);
    if (known.includes(target)) fail(`step ${i} generates ${target}, which is there already`);
    branchesOf(
      from.map((modality) => ({ modality, ids: new Int32Array(0) })),
      guidance,
    );
    known.push(target);
  });
}
