/**
 * Causal masking (CM3, Aghajanyan et al. 2022; LORETTA §1.6): a span is replaced by a sentinel and appended behind the
 * sequence, where it is predicted from both of its sides.
 */
import { type HostRandom, ValueError } from '@loretta-ts/core';
import { packRows, type TokenRow, unpackRows } from '../sequence';
import { Vocabulary } from '../vocabulary';
import { type Objective, requireIds } from './objective';

/** One span a row, or so many as Poisson(λ) says, at least one. */
export type SpanCount =
  | 'fixed'
  | {
      /** λ, the mean before the clamp. */
      readonly poisson: number;
    };

/** Options of `masked`. */
export interface MaskedOptions {
  /** Share of rows that are masked; default 0.5. */
  readonly probability?: number;
  /** Default `fixed`. */
  readonly spans?: SpanCount;
}

/** Tokens of a row from the first to before the second. */
export type Span = readonly [start: number, end: number];

/** Most spans of a row, as in CM3's code. */
const MOST_SPANS = 255;

/**
 * Masks rows of another objective. Spans lie inside one block each, never over its modality token; blocks are drawn
 * uniformly. Masked tokens keep their within-block positions, and a sentinel has that of the token before its span.
 * Sentinels carry no loss; the end of a span does where its tokens do.
 * @throws ValueError for an option out of range
 */
export function masked(
  inner: Objective,
  { probability = 0.5, spans = 'fixed' }: MaskedOptions = {},
): Objective {
  if (!(probability >= 0 && probability <= 1)) {
    throw new ValueError('masked', `probability is ${probability}, not in [0, 1]`);
  }
  if (spans !== 'fixed' && !(spans.poisson > 0 && spans.poisson <= MOST_SPANS)) {
    throw new ValueError('masked', `spans.poisson is ${spans.poisson}, not in (0, ${MOST_SPANS}]`);
  }
  return async (batch, context) => {
    const { packed, generated } = await inner(batch, context);
    requireIds('masked', packed);
    const { vocab, random, model } = context;
    const rows = unpackRows(vocab, packed).map((row) => {
      if (random.uniform() >= probability) return row;
      return truncate(
        maskSpans(row, drawSpans(contentSpans(vocab, row.ids), spans, random)),
        model.config.maxLength + 1,
      );
    });
    return { packed: packRows(rows), generated };
  };
}

/** The content of each block of a row, without modality tokens. */
export function contentSpans(vocab: Vocabulary, ids: readonly number[]): Span[] {
  const starts = ids.flatMap((id, i) => {
    const name = vocab.modalityOf(id);
    return name !== null && vocab.start(name) === id ? [i] : [];
  });
  return starts.map((start, k) => [start + 1, starts[k + 1] ?? ids.length]);
}

/**
 * Spans to mask, sorted, not overlapping, each inside one block; may be none. Of one span, both ends are uniform in the
 * block. Of n > 1, the first n that do not meet among n² candidates, as in CM3's code.
 */
export function drawSpans(blocks: readonly Span[], spans: SpanCount, random: HostRandom): Span[] {
  const n =
    spans === 'fixed' ? 1 : Math.min(MOST_SPANS, Math.max(1, poisson(spans.poisson, random)));
  const kept: Span[] = [];
  for (let candidate = 0; candidate < n * n && kept.length < n; candidate++) {
    const [start, end] = drawSpan(blocks[random.int(blocks.length)]!, random);
    if (start < end && kept.every(([from, to]) => end <= from || to <= start))
      kept.push([start, end]);
  }
  return kept.sort((x, y) => x[0] - y[0]);
}

/** A draw from Poisson(λ) by products of uniforms (Knuth), λ in parts so that e^−λ does not underflow. */
export function poisson(lambda: number, random: HostRandom): number {
  let count = 0;
  for (let rest = lambda; rest > 0; rest -= 16) {
    const limit = Math.exp(-Math.min(rest, 16));
    for (let product = random.uniform(); product > limit; product *= random.uniform()) count++;
  }
  return count;
}

/** Replaces spans (sorted, not overlapping) by sentinels and appends [sentinel, span, end of span] for each. */
export function maskSpans(row: TokenRow, spans: readonly Span[]): TokenRow {
  const out: TokenRow = { ids: [], within: [], counts: [] };
  const put = (id: number, within: number, counts: number): void => {
    out.ids.push(id);
    out.within.push(within);
    out.counts.push(counts);
  };
  const copy = (from: number, to: number): void => {
    for (let i = from; i < to; i++) put(row.ids[i]!, row.within[i]!, row.counts[i]!);
  };
  let at = 0;
  for (const [start, end] of spans) {
    copy(at, start);
    put(Vocabulary.MASK, row.within[start - 1]!, -1);
    at = end;
  }
  copy(at, row.ids.length);
  for (const [start, end] of spans) {
    put(Vocabulary.MASK, row.within[start - 1]!, -1);
    copy(start, end);
    put(Vocabulary.EOSS, 0, row.counts[start]!);
  }
  return out;
}

/** The sequence that `maskSpans` took apart. @throws ValueError when the appended spans do not match the sentinels */
export function restoreSpans(ids: readonly number[]): number[] {
  const sentinels = ids.filter((id) => id === Vocabulary.MASK).length;
  const appended = ids.flatMap((id, i) => (id === Vocabulary.MASK ? [i] : [])).slice(sentinels / 2);
  const spans = appended.map((start, i) => {
    const end = appended[i + 1] ?? ids.length;
    if (ids[end - 1] !== Vocabulary.EOSS) throw unmatched();
    return ids.slice(start + 1, end - 1);
  });
  if (sentinels % 2 !== 0 || spans.flat().includes(Vocabulary.EOSS)) throw unmatched();
  const source = ids.slice(0, appended[0] ?? ids.length);
  let next = 0;
  return source.flatMap((id) => (id === Vocabulary.MASK ? spans[next++]! : [id]));
}

function drawSpan([from, to]: Span, random: HostRandom): Span {
  const length = to - from;
  const [u, v] = [random.uniform(), random.uniform()];
  return [
    from + Math.floor(Math.min(u, v) * length),
    from + Math.min(length, Math.floor(Math.max(u, v) * length + 0.5)),
  ];
}

function truncate({ ids, within, counts }: TokenRow, tokens: number): TokenRow {
  return {
    ids: ids.slice(0, tokens),
    within: within.slice(0, tokens),
    counts: counts.slice(0, tokens),
  };
}

function unmatched(): ValueError {
  return new ValueError(
    'restoreSpans',
    'the appended spans do not match the sentinels: the sequence was cut',
  );
}
