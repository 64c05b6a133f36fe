/** The choice of the next token from logits. */
import { type DType, type FloatDType, type Tensor, uniform, where } from '@loretta-ts/core';
import {
  applyTemperature,
  greedy,
  type IdRange,
  minPFilter,
  repetitionPenalty,
  sampleInverseCdf,
  topKFilter,
  topPFilter,
} from './filters';

/** How tokens are chosen: plain values, the same at every step. */
export interface Choice {
  /** The logits are those of these ids alone; null for the whole vocabulary. */
  readonly span: IdRange | null;
  /** 0 is greedy. */
  readonly temperature: number;
  /** Null is none. */
  readonly topK: number | null;
  /** Null is none. */
  readonly topP: number | null;
  /** Null is none. */
  readonly minP: number | null;
  /** 1 is none. */
  readonly repetitionPenalty: number;
}

/** What the choice depends on beside the logits, at each step. */
export interface ChoiceInputs {
  /** bool [v]: what may be sampled; null for everything. */
  readonly ranges: Tensor | null;
  /** bool [b, v]: tokens that are penalised; null for none. */
  readonly seen: Tensor | null;
  /** i32 [2]: key of the random numbers; null where the choice is greedy. */
  readonly key: Tensor | null;
}

/** `[b, v] -> i32[b]`; where the rules have a span, of its logits `[b, to - from]`. */
export function chooseTokens(logits: Tensor, rules: Choice, inputs: ChoiceInputs): Tensor {
  const from = rules.span?.[0] ?? 0;
  const columns = chooseColumns(logits, rules, inputs);
  return from === 0 ? columns : columns.add(from);
}

function chooseColumns(
  logits: Tensor,
  { span, temperature, topK, topP, minP, repetitionPenalty: penalty }: Choice,
  { ranges, seen, key }: ChoiceInputs,
): Tensor {
  let x = logits; // [b, n]
  if (ranges !== null) x = where(ranges, x, -Infinity);
  if (seen !== null) {
    const [b, n] = x.shape as [number, number];
    x = repetitionPenalty(x, seen.slice([0, span?.[0] ?? 0], [b, n]), penalty);
  }
  if (temperature === 0) return greedy(x);
  x = applyTemperature(x, temperature);
  if (topK !== null) x = topKFilter(x, topK);
  if (topP !== null) x = topPFilter(x, topP);
  if (minP !== null) x = minPFilter(x, minP);
  return sampleInverseCdf(x, uniform(key!, [x.shape[0]!], { dtype: floatOf(x.dtype) }));
}

function floatOf(dtype: DType): FloatDType {
  return dtype === 'f64' ? 'f64' : 'f32';
}
