/** Any mixture at inference: what each way of asking gives, shown on a few rows and counted on more. */
import { key } from '@loretta-ts/core';
import type { ModalityGraph } from '../graph';
import { generateConsensus } from '../infer/consensus';
import { generateBlock } from '../infer/generate-block';
import type { GuidanceSetting } from '../infer/guidance';
import { type ImputeOptions, impute } from '../infer/impute';
import { infillByImportance } from '../infer/infill-importance';
import { generateBest } from '../infer/n-best';
import { takeRows } from '../infer/rows';
import type { Block } from '../sequence';
import { fromBlock } from '../train/data';
import { type EvaluationContext, judged, testRows } from './directions';
import { auc, type Estimate, hits } from './intervals';

/** Blocks of one modality, made in one way. */
export interface MixtureStrip {
  /** What they are. */
  readonly target: string;
  /** How they were made: `speech + text`. */
  readonly from: string;
  /** Local ids of each shown row. */
  readonly ids: readonly (readonly number[])[];
  /** Classes that the judge gives the shown rows. */
  readonly judged: readonly number[];
  /** Share of all rows in the class of their condition; of the classes alone where there is no condition. */
  readonly accuracy: Estimate | null;
  /** Other numbers, by name. */
  readonly numbers: Readonly<Record<string, number>>;
}

/** A strip whose blocks were filled in. */
export interface InfilledStrip extends MixtureStrip {
  /** Tokens from the first to before the second were taken out. */
  readonly span: readonly [number, number];
}

/** Results of all ways. */
export interface Mixture {
  /** Rows that count. */
  readonly rows: number;
  /** Class of each shown row. */
  readonly labels: readonly number[];
  /** Each modality from each subset of the others in each order, of two at most. */
  readonly subsets: readonly MixtureStrip[];
  /** Never-seen directions at several scales of guidance. */
  readonly guidance: readonly MixtureStrip[];
  /** Never-seen directions: a sample, the best of n, the consensus of n chains. */
  readonly best: readonly MixtureStrip[];
  /** Spans taken out and filled in; the first strip of a modality is the truth. */
  readonly infill: readonly InfilledStrip[];
  /** Missing modalities filled in by each route. */
  readonly impute: readonly MixtureStrip[];
}

/** Rows of the mixtures of an arm that links what was never seen together; the others have none. */
export const mixtureRows = (arm: string): number => (arm.startsWith('transitive') ? 40 : 0);

/** Rows in a strip. */
const SHOWN = 10;
/** Scales side by side. */
const SCALES = [1, 2, 3, 5] as const;
/** Right and wrong rows that there must be of each for a word on confidence. */
const FEWEST = 5;
/** Candidates of a row. */
const CANDIDATES = 8;

/** Runs everything on the first rows of the evaluation. */
export async function mixture(
  c: EvaluationContext,
  graph: ModalityGraph,
  guidance: number,
): Promise<Mixture> {
  const names = Object.keys(c.data.modalities);
  const unseen = graph.missing().flatMap(([a, b]) => [[a, b] as const, [b, a] as const]);
  return {
    rows: c.rows,
    labels: [...c.data.test.labels.subarray(0, Math.min(SHOWN, c.rows))],
    subsets: await inOrder(
      names.flatMap((target) => subsetsOf(names, target)),
      (x, i) => subset(c, x.from, x.target, x.product, guidance, i),
    ),
    guidance: await inOrder(
      unseen.flatMap(([from, to]) => SCALES.map((scale) => ({ from, to, scale }))),
      async ({ from, to, scale }) =>
        await strip(c, to, `${from}, guidance ${scale}`, await draw(c, [from], to, scale, 200)),
    ),
    best: (await inOrder(unseen, ([from, to], i) => best(c, graph, from, to, guidance, i))).flat(),
    infill: (await inOrder(names, (name, i) => infilled(c, graph, name, i))).flat(),
    impute: (
      await inOrder(unseen, ([from, to], i) => imputed(c, graph, from, to, guidance, i))
    ).flat(),
  };
}

/** One after the other: the device is one. */
async function inOrder<T, R>(
  items: readonly T[],
  work: (item: T, index: number) => Promise<R>,
): Promise<R[]> {
  const out: R[] = [];
  for (const [i, item] of items.entries()) out.push(await work(item, i));
  return out;
}

function subsetsOf(
  names: readonly string[],
  target: string,
): { target: string; from: readonly string[]; product: boolean }[] {
  const others = names.filter((name) => name !== target);
  const pairs = others.flatMap((x) => others.filter((y) => y !== x).map((y) => [x, y]));
  const joint = [[], ...others.map((name) => [name]), ...pairs];
  return [
    ...joint.map((from) => ({ target, from, product: false })),
    ...pairs.filter(([x, y]) => x! < y!).map((from) => ({ target, from, product: true })),
  ];
}

async function subset(
  c: EvaluationContext,
  from: readonly string[],
  target: string,
  product: boolean,
  scale: number,
  stream: number,
): Promise<MixtureStrip> {
  const guidance = product ? from.map((name) => ({ given: [name], scale })) : scale;
  const label = from.length === 0 ? 'nothing' : from.join(product ? ' · ' : ' + ');
  return await strip(c, target, label, await draw(c, from, target, guidance, stream), {
    free: from.length === 0,
  });
}

async function draw(
  c: EvaluationContext,
  from: readonly string[],
  target: string,
  guidance: GuidanceSetting,
  stream: number,
): Promise<Int32Array> {
  return await generateBlock(c.model, c.vocab, given(c, from), target, {
    key: keyOf(c, stream),
    guidance,
    rows: c.rows,
    signal: c.signal,
  });
}

async function best(
  c: EvaluationContext,
  graph: ModalityGraph,
  from: string,
  to: string,
  guidance: number,
  stream: number,
): Promise<MixtureStrip[]> {
  const { model, vocab, rows, signal } = c;
  const condition = given(c, [from]);
  const options = { n: CANDIDATES, key: keyOf(c, 300 + stream), signal };
  const first = (ids: Int32Array): Int32Array =>
    takeRows(
      ids,
      rows * CANDIDATES,
      Int32Array.from({ length: rows }, (_, i) => i * CANDIDATES),
    );
  const likely = await generateBest(model, vocab, condition, to, { ...options, lambda: 0 });
  const mutual = await generateBest(model, vocab, condition, to, { ...options, lambda: 1 });
  const route = graph.route(from, to);
  const steps = route.slice(1).map((target, i) => ({ target, from: [route[i]!], guidance }));
  const chain = (chains: number): ReturnType<typeof generateConsensus> =>
    generateConsensus(model, vocab, condition, steps, {
      chains,
      key: keyOf(c, 310 + stream),
      signal,
    });
  const of = (ids: Int32Array, label: string): Promise<MixtureStrip> =>
    strip(c, to, `${from}, ${label}`, ids);
  return [
    await of(await draw(c, [from], to, null, 320 + stream), 'one sample'),
    await of(first(likely.ids), `best of ${CANDIDATES} by likelihood`),
    await of(first(mutual.ids), `best of ${CANDIDATES} by PMI`),
    await of((await chain(1)).ids, `chain over ${route.slice(1, -1).join(', ')}, guided`),
    await of((await chain(CANDIDATES)).ids, `consensus of ${CANDIDATES} chains, guided`),
  ];
}

async function infilled(
  c: EvaluationContext,
  graph: ModalityGraph,
  name: string,
  stream: number,
): Promise<InfilledStrip[]> {
  const { model, vocab, rows } = c;
  const { length, variable } = vocab.modality(name);
  const span = [Math.floor(length / 4), Math.ceil((3 * length) / 4)] as const;
  if (variable || span[1] <= span[0]) return [];
  const [block] = given(c, [name]);
  const fill = async (from: readonly string[]): Promise<MixtureStrip> => {
    const { ids, effective } = await infillByImportance(
      model,
      vocab,
      given(c, from),
      block!,
      span,
      {
        n: CANDIDATES,
        key: keyOf(c, 400 + stream),
        signal: c.signal,
      },
    );
    const inside = (i: number): boolean => i % length >= span[0] && i % length < span[1];
    const same = ids.reduce((n, id, i) => n + (inside(i) && id === block!.ids[i] ? 1 : 0), 0);
    return await strip(
      c,
      name,
      from.length === 0 ? 'the rest alone' : `the rest + ${from[0]}`,
      ids,
      {
        numbers: {
          'tokens as before': same / (rows * (span[1] - span[0])),
          'effective candidates': effective.reduce((sum, x) => sum + x, 0) / rows,
        },
      },
    );
  };
  const near = graph.neighbours(name).slice(0, 1);
  const strips = [await strip(c, name, 'all of it', block!.ids), await fill([]), await fill(near)];
  return strips.map((x) => ({ ...x, span }));
}

async function imputed(
  c: EvaluationContext,
  graph: ModalityGraph,
  from: string,
  to: string,
  guidance: number,
  stream: number,
): Promise<MixtureStrip[]> {
  const [block] = given(c, [from]);
  const rows = Array.from({ length: c.rows }, (_, i) => ({
    [from]: takeRows(block!.ids, c.rows, [i]),
  }));
  const ways = (['direct', 'chain'] as const).flatMap((route) =>
    (['single', 'consensus'] as const).map((pick): ImputeOptions => ({ route, pick })),
  );
  return await inOrder(ways, async (way) => {
    const found = await impute(c.model, c.vocab, graph, rows, {
      ...way,
      guidance,
      n: CANDIDATES,
      targets: [to],
      key: keyOf(c, 500 + stream),
      signal: c.signal,
    });
    const ids = Int32Array.from(found.flatMap(({ row }) => [...row[to]!]));
    const classes = await judged(c, to, ids);
    const confidence = found.map((x) => x.imputed[to]!.confidence);
    const right = (i: number): boolean => classes[i] === c.data.test.labels[i];
    const hit = confidence.filter((_, i) => right(i)).length;
    const enough = Math.min(hit, c.rows - hit) >= FEWEST;
    return await strip(c, to, `${from}, ${way.route}, ${way.pick}`, ids, {
      numbers: enough ? { 'confidence tells right from wrong': auc(confidence, right) } : {},
    });
  });
}

const given = (c: EvaluationContext, names: readonly string[]): Block[] =>
  names.map((name) => ({ ...testRows(c, name), generated: false }));

const keyOf = (c: EvaluationContext, stream: number): ReturnType<typeof key> =>
  key(c.seed).fold(2000 + stream);

async function strip(
  c: EvaluationContext,
  target: string,
  from: string,
  ids: Int32Array,
  {
    free = false,
    numbers = {},
  }: { readonly free?: boolean; readonly numbers?: Readonly<Record<string, number>> } = {},
): Promise<MixtureStrip> {
  const { length } = c.vocab.modality(target);
  const classes = await judged(c, target, ids);
  const local = fromBlock(c.vocab, target, ids);
  const shown = Math.min(SHOWN, c.rows);
  return {
    target,
    from,
    ids: Array.from({ length: shown }, (_, i) => [
      ...local.ids.subarray(i * length, i * length + local.lengths[i]!),
    ]),
    judged: [...classes.subarray(0, shown)],
    accuracy: free ? null : hits(classes, c.data.test.labels),
    numbers,
  };
}
