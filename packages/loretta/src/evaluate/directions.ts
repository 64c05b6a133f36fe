/** The matrix of directions: how well each modality is predicted and generated from each other one. */
import { type Abortable, key, throwIfAborted } from '@loretta-ts/core';
import type { Decoder } from '@loretta-ts/nn';
import type { JobOptions, StageEvent } from '../events';
import { generateBlock } from '../infer/generate-block';
import { type Rows, takeRows } from '../infer/rows';
import { type LikelihoodOptions, logLikelihood, tokenCounts } from '../infer/score';
import { fromBlock, rowsOf, type TrainData } from '../train/data';
import type { Vocabulary } from '../vocabulary';
import { type Estimate, hits, meanOf } from './intervals';
import type { Judge } from './judge';

/** What evaluation works on. */
export interface EvaluationContext extends Abortable {
  /** The model in evaluation. */
  readonly model: Decoder;
  /** Its joint vocabulary. */
  readonly vocab: Vocabulary;
  /** Tokens and aligned test rows. */
  readonly data: TrainData;
  /** Judge of each modality. */
  readonly judges: Readonly<Record<string, Judge>>;
  /** Aligned test rows that count. */
  readonly rows: number;
  /** Of what is generated and drawn. */
  readonly seed: number;
}

/** One direction, `from -> to`. */
export interface Direction {
  /** The condition. */
  readonly from: string;
  /** What is predicted. */
  readonly to: string;
  /** Whether training had real pairs of the two. */
  readonly seen: boolean;
  /** Bits per token of `to` given `from` of the same row. */
  readonly matched: Estimate;
  /** Given `from` of another class. */
  readonly mismatched: Estimate;
  /** Given nothing. */
  readonly unconditional: Estimate;
  /** Mismatched minus matched, paired by row: what the condition is worth. */
  readonly gain: Estimate;
  /** Share of generated blocks that the judge puts in the condition's class. */
  readonly accuracy: Estimate;
  /** The same with classifier-free guidance. */
  readonly guided: Estimate;
  /** Judge's class of every guided sample beside the true one: `confusion[true][judged]`. */
  readonly confusion: readonly (readonly number[])[];
}

/** Bits are those of the training loss. */
export function asTrained({ signal }: Abortable): LikelihoodOptions {
  return { over: 'vocabulary', signal };
}

/** Aligned test rows of a modality as joint ids. */
export function testRows({ vocab, data, rows }: EvaluationContext, name: string): Rows {
  const { test } = data;
  const column = test.modalities.indexOf(name);
  const index = Array.from(
    { length: rows },
    (_, i) => test.index[i * test.modalities.length + column]!,
  );
  return { modality: name, ids: rowsOf(vocab, name, data.modalities[name]!.test, index) };
}

/** For each row another one of a different class, the same on every call. */
export function otherClass(labels: ArrayLike<number>, n: number): Int32Array {
  // a stride that comes by every row
  const stride = n % 7 === 0 ? 1 : 7;
  return Int32Array.from({ length: n }, (_, i) => {
    for (let step = 1; step <= n; step++) {
      const j = (i + step * stride + Math.floor(n / 2)) % n;
      if (labels[j] !== labels[i]) return j;
    }
    return i;
  });
}

/** Bits per token of each row. */
function bits(nats: Float64Array, counts: Float64Array): Float64Array {
  return nats.map((x, i) => -x / counts[i]! / Math.LN2);
}

/** Judged classes of generated joint ids. */
export async function judged(
  c: EvaluationContext,
  name: string,
  ids: Int32Array,
): Promise<Int32Array> {
  await throwIfAborted(c.signal);
  const local = fromBlock(c.vocab, name, ids);
  return await c.judges[name]!.classify(local.ids, local.lengths);
}

/** Generates `to` from rows of `from` and counts the classes that the judge finds. */
export async function generateFrom(
  c: EvaluationContext,
  condition: Rows,
  to: string,
  options: {
    readonly guidance: number | null;
    readonly temperature: number;
    readonly stream: number;
  },
): Promise<Int32Array> {
  const { model, vocab, seed } = c;
  return await generateBlock(model, vocab, [{ ...condition, generated: false }], to, {
    key: key(seed).fold(options.stream),
    temperature: options.temperature,
    guidance: options.guidance,
    signal: c.signal,
  });
}

/** All directions between different modalities. @throws what the signal was aborted with */
export async function directionMatrix(
  context: EvaluationContext,
  options: JobOptions<StageEvent<'directions'>> & {
    /** Scale of guided generation. */
    readonly guidance: number;
  },
): Promise<Direction[]> {
  const c = { ...context, signal: options.signal ?? context.signal };
  const names = Object.keys(c.data.modalities);
  const classes = Object.values(c.data.modalities)[0]!.test.classes;
  const labels = c.data.test.labels;
  const others = otherClass(labels, c.rows);
  const blocks = new Map(names.map((name) => [name, testRows(c, name)]));
  const pairs = names.flatMap((from) =>
    names.filter((to) => to !== from).map((to) => [from, to] as const),
  );
  const plain = new Map<string, Float64Array>();
  for (const name of names) {
    plain.set(
      name,
      await logLikelihood(c.model, c.vocab, [], blocks.get(name)!, c.rows, asTrained(c)),
    );
  }
  const found: Direction[] = [];
  const advance = (done: number): void =>
    options.onEvent?.({ type: 'stage', stage: 'directions', done, total: pairs.length });
  for (const [from, to] of pairs) {
    advance(found.length);
    const source = blocks.get(from)!;
    const target = blocks.get(to)!;
    const counts = tokenCounts(c.vocab, target, c.rows);
    const likelihood = async (given: Rows): Promise<Float64Array> =>
      bits(await logLikelihood(c.model, c.vocab, [given], target, c.rows, asTrained(c)), counts);
    const matched = await likelihood(source);
    const mismatched = await likelihood({ ...source, ids: takeRows(source.ids, c.rows, others) });
    const stream = found.length * 4;
    const free = await judged(
      c,
      to,
      await generateFrom(c, source, to, { guidance: null, temperature: 1, stream }),
    );
    const steered = await judged(
      c,
      to,
      await generateFrom(c, source, to, {
        guidance: options.guidance,
        temperature: 1,
        stream: stream + 1,
      }),
    );
    found.push({
      from,
      to,
      seen: c.data.pairs.some((p) => p.modalities.includes(from) && p.modalities.includes(to)),
      matched: meanOf(matched),
      mismatched: meanOf(mismatched),
      unconditional: meanOf(bits(plain.get(to)!, counts)),
      gain: meanOf(mismatched.map((x, i) => x - matched[i]!)),
      accuracy: hits(free, labels),
      guided: hits(steered, labels),
      confusion: confusion(steered, labels, classes),
    });
  }
  advance(pairs.length);
  return found;
}

function confusion(found: Int32Array, labels: ArrayLike<number>, classes: number): number[][] {
  const table = Array.from({ length: classes }, () => new Array<number>(classes).fill(0));
  found.forEach((c, i) => {
    table[labels[i]!]![c]!++;
  });
  return table;
}
