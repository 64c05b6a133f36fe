/** Generating one modality after others: constrained to its ids, cached, without gradients. */
import { type Abortable, type Key, ValueError } from '@loretta-ts/core';
import type { Decoder } from '@loretta-ts/nn';
import { type Block, pack, sameOrder, type TokenRow, unpackRows } from '../sequence';
import { Vocabulary } from '../vocabulary';
import { decode, type SamplingFilters } from './decode';
import { branchesOf, type GuidanceSetting } from './guidance';
import { countRows } from './rows';

/** How a block is sampled. */
export interface SamplingOptions extends SamplingFilters {
  /**
   * Classifier-free guidance s: logits = u + s (c − u), where u sees the modality token of the target only
   * (LORETTA §1.7), or several branches. null (default) and 1 are none.
   */
  readonly guidance?: GuidanceSetting;
}

/** Options of `generateBlock`. */
export interface GenerateBlockOptions extends SamplingOptions, Abortable {
  /** Needed unless temperature is 0. */
  readonly key?: Key;
  /** Rows, where there is no condition to tell. */
  readonly rows?: number;
}

/**
 * A block of `target` for each row of the condition, `[b, length]` joint ids, never one of another modality. A variable
 * modality ends with its end token, PAD after it, and has one content token at least. Read back once, at the end.
 * @param condition blocks in front, in this order; none generates without a condition
 * @throws ValueError when the blocks do not fit each other or an option does not; what the signal was aborted with
 */
export async function generateBlock(
  model: Decoder,
  vocab: Vocabulary,
  condition: readonly Block[],
  target: string,
  options: GenerateBlockOptions = {},
): Promise<Int32Array> {
  const { length, variable, latent } = vocab.modality(target);
  if (latent !== undefined) {
    throw new ValueError('generateBlock', `${target} has vectors: use generateLatentBlock`);
  }
  const { guidance = null, key, rows, signal, ...filters } = options;
  const b = countRows('generateBlock', vocab, condition, rows);
  const branches = branchesOf(condition, guidance);
  const [start, first] = [vocab.start(target), vocab.within(target, 0)];
  const block = await decode(model, {
    contexts: branches.map(({ blocks, scale }) => ({
      rows: contextRows(vocab, blocks, b).map((row) => behind(row, start, first)),
      scale,
    })),
    free:
      branches.length === 1 && branches[0]!.scale === 1 ? null : { ids: [start], within: [first] },
    length,
    allowed: variable
      ? (step) => (step === 0 ? [vocab.content(target)] : vocab.allowed(target))
      : vocab.allowed(target),
    next: (step) => first + 1 + step,
    key,
    filters,
    signal,
  });
  if (variable) endRows(block, length, vocab.end(target));
  return block;
}

/** Blocks behind each other, row by row. @throws ValueError when they do not fit, or an id is of another modality */
export function contextRows(
  vocab: Vocabulary,
  blocks: readonly Block[],
  b: number,
): readonly TokenRow[] {
  if (blocks.length === 0)
    return Array.from({ length: b }, () => ({ ids: [], within: [], counts: [] }));
  const order = sameOrder(
    b,
    blocks.map((_, i) => i),
  );
  return unpackRows(vocab, pack(vocab, blocks, order, { lossOn: 'all' }));
}

/** A context with one more token. */
export function behind(
  { ids, within, latents }: TokenRow,
  id: number,
  place: number,
): Omit<TokenRow, 'counts'> {
  return {
    ids: [...ids, id],
    within: [...within, place],
    ...(latents === undefined ? {} : { latents: [...latents, null] }),
  };
}

/** Everything behind the end token becomes PAD. */
function endRows(block: Int32Array, length: number, end: number): void {
  for (let at = 0; at < block.length; at += length) {
    const stop = block.subarray(at, at + length).indexOf(end);
    if (stop >= 0) block.fill(Vocabulary.PAD, at + stop + 1, at + length);
  }
}
