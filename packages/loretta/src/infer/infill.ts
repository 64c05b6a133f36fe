/** Filling a span inside a block, for a model that was trained with causal masking (`objectives/masked`). */
import { type Abortable, type Key, ValueError } from '@loretta-ts/core';
import type { Decoder } from '@loretta-ts/nn';
import { contentSpans, maskSpans, type Span } from '../objectives/masked';
import type { Block } from '../sequence';
import { Vocabulary } from '../vocabulary';
import { decode, type SamplingFilters } from './decode';
import { contextRows } from './generate-block';
import { countRows } from './rows';

/** Options of `infill`. */
export interface InfillOptions extends SamplingFilters, Abortable {
  /** Needed unless temperature is 0. */
  readonly key?: Key;
  /**
   * `same` (default) fills exactly what was taken out; `free` lets the model end the span, in a variable modality:
   * one token at least, and no more than the block has room for.
   */
  readonly length?: 'same' | 'free';
}

/**
 * The block with the tokens of `span` filled in anew, `[b, length]`: sampled from both of their sides, in the form of
 * CM3 (LORETTA §1.6): [conditions, block with ⟨mask⟩ for the span, ⟨mask⟩, span …]. Never an id of another modality;
 * all outside the span stays. What stands in the span is not looked at, but must be content.
 *
 * A model without that training has never seen the mask: use `infillByImportance`.
 * @param condition other blocks, in front, in this order; may be none
 * @param span places in the block, from the first to before the second, the same for all rows
 * @throws ValueError for a span that is empty or not inside every row's content
 */
export async function infill(
  model: Decoder,
  vocab: Vocabulary,
  condition: readonly Block[],
  block: Block,
  span: Span,
  options: InfillOptions = {},
): Promise<Int32Array> {
  const { key, length: kind = 'same', signal, ...filters } = options;
  const { modality } = block;
  const { length, variable } = vocab.modality(modality);
  if (kind === 'free' && !variable) {
    throw new ValueError('infill', `${modality} is of fixed length: leave length at 'same'`);
  }
  const b = countRows('infill', vocab, [...condition, block], undefined);
  const contents = checkSpan('infill', vocab, block, b, span);
  const [start, end] = span;
  const rest = Math.max(...contents) - (end - start);
  const most = kind === 'same' ? end - start : length - rest;
  const rows = contextRows(vocab, [...condition, block], b).map((row) => {
    const [from] = contentSpans(vocab, row.ids).at(-1)!;
    const masked = maskSpans(row, [[from + start, from + end]]);
    const prompt = masked.ids.length - (end - start) - 1; // without the span and its end
    return { ids: masked.ids.slice(0, prompt), within: masked.within.slice(0, prompt) };
  });
  const content = vocab.content(modality);
  const made = await decode(model, {
    contexts: [{ rows, scale: 1 }],
    free: null,
    length: most,
    allowed:
      kind === 'same'
        ? [content]
        : (step) =>
            step === 0 ? [content] : [[Vocabulary.EOSS, Vocabulary.EOSS + 1] as const, content],
    next: (step) => vocab.within(modality, 1 + start + step),
    key,
    filters,
    signal,
  });
  return fill(vocab, block, contents, span, (row) => {
    const own = made.subarray(row * most, (row + 1) * most);
    const stop = own.indexOf(Vocabulary.EOSS);
    return stop < 0 ? own : own.subarray(0, stop);
  });
}

/** Content tokens of each row. @throws ValueError unless the span is inside all of them */
export function checkSpan(
  op: string,
  vocab: Vocabulary,
  { modality, ids }: Block,
  b: number,
  [start, end]: Span,
): number[] {
  const { length } = vocab.modality(modality);
  const [from, to] = vocab.content(modality);
  const contents = Array.from({ length: b }, (_, row) => {
    const own = ids.subarray(row * length, (row + 1) * length);
    const stop = own.findIndex((id) => id < from || id >= to);
    return stop < 0 ? length : stop;
  });
  const fits = Number.isInteger(start) && Number.isInteger(end) && 0 <= start && start < end;
  const short = contents.findIndex((n) => end > n);
  if (!fits || short >= 0) {
    throw new ValueError(
      op,
      `the span [${start}, ${end}) of ${modality} is ${fits ? `not inside row ${short} of ${contents[short]} tokens` : 'empty or no span'}: give places of its content`,
    );
  }
  return contents;
}

/** The block with other tokens in the span; what is behind them moves. */
export function fill(
  vocab: Vocabulary,
  { modality, ids }: Block,
  contents: readonly number[],
  [start, end]: Span,
  tokens: (row: number) => Int32Array,
): Int32Array {
  const { length } = vocab.modality(modality);
  const out = new Int32Array(ids.length); // PAD
  contents.forEach((n, row) => {
    const own = ids.subarray(row * length, (row + 1) * length);
    const made = [...own.subarray(0, start), ...tokens(row), ...own.subarray(end, n)];
    out.set(made, row * length);
    if (made.length < length) out[row * length + made.length] = vocab.end(modality);
  });
  return out;
}
