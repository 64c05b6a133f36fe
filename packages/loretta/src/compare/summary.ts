/** Results of all seeds together: one estimate for each method and task, and what they say of the paper's claims. */
import type { Estimate } from '../evaluate/intervals';
import type { CellResult, ComparisonCell, DatasetName } from './cells';
import type { Measures } from './measure';
import { METHODS, type MethodName } from './methods';
import { subsetsOf } from './probes';

/** Results of one method on one data set. */
export interface MethodResults {
  /** The method. */
  readonly method: MethodName;
  /** One for each seed. */
  readonly measures: readonly Measures[];
}

/** One data set with one link. */
export interface DatasetResults {
  /** Which data. */
  readonly dataset: DatasetName;
  /** The modality seen with both others. */
  readonly link: string;
  /** The two that are never seen together. */
  readonly unseen: readonly [string, string];
  /** All modalities, in the order of inputs. */
  readonly modalities: readonly string[];
  /** Methods in the order of `METHODS`. */
  readonly methods: readonly MethodResults[];
}

/** A number that methods are compared by. */
export interface Task {
  /** What it is, for people. */
  readonly name: string;
  /** Whether larger is better. */
  readonly higher: boolean;
  /** A method's estimates in one seed, to be averaged; none where it cannot do the task. */
  read(measures: Measures, data: DatasetResults): readonly Estimate[];
}

/**
 * Estimates of disjoint observations as one: the mean, with the interval of its standard error, each side by itself, so that
 * proportions stay in [0, 1]. Null for none.
 */
export function pool(estimates: readonly Estimate[]): Estimate | null {
  const k = estimates.length;
  if (k === 0) return null;
  const value = estimates.reduce((sum, e) => sum + e.value, 0) / k;
  const side = (of: (e: Estimate) => number): number =>
    Math.sqrt(estimates.reduce((sum, e) => sum + of(e) ** 2, 0)) / k;
  const n = estimates.reduce((sum, e) => sum + e.n, 0);
  const [below, above] = [side((e) => e.value - e.low), side((e) => e.high - e.value)];
  return { value, low: value - below, high: value + above, n };
}

/** Comparison cells by data set and link. */
export function byDataset(results: readonly CellResult[]): DatasetResults[] {
  const groups = new Map<string, (CellResult & { cell: ComparisonCell; measures: Measures })[]>();
  for (const result of results) {
    if (!('measures' in result)) continue;
    const { dataset, link } = result.cell;
    const key = `${dataset} ${link}`;
    groups.set(key, [...(groups.get(key) ?? []), result]);
  }
  return [...groups.values()].map((group) => {
    const { dataset, link } = group[0]!.cell;
    const modalities = group[0]!.measures.probes.filter((p) => p.subset.length === 1);
    const names = modalities.map((p) => p.subset[0]!);
    const [a, c] = names.filter((m) => m !== link) as [string, string];
    const methods = (Object.keys(METHODS) as MethodName[]).flatMap((method) => {
      const found = group.filter((r) => r.cell.method === method).map((r) => r.measures);
      return found.length === 0 ? [] : [{ method, measures: found }];
    });
    return { dataset, link, unseen: [a, c] as const, modalities: names, methods };
  });
}

const isUnseen = (a: string, b: string, { unseen }: DatasetResults): boolean =>
  a !== b && unseen.includes(a) && unseen.includes(b);

const sameSet = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((x) => b.includes(x));

function probesOf(kind: 'all' | 'few', which: (d: DatasetResults) => readonly string[]) {
  return (m: Measures, d: DatasetResults): Estimate[] =>
    m.probes.filter((p) => sameSet(p.subset, which(d))).map((p) => p[kind]);
}

const both = (d: DatasetResults): readonly string[] => d.unseen;
const triple = (d: DatasetResults): readonly string[] => d.modalities;

/** Tasks on the modalities that were never seen together: what the paper's claims are about. */
export const TASKS: readonly Task[] = [
  {
    name: 'matching, one of each class',
    higher: true,
    read: (m, d) => m.retrieval.filter((r) => isUnseen(r.from, r.to, d)).map((r) => r.matching),
  },
  {
    name: 'retrieval, reciprocal rank',
    higher: true,
    read: (m, d) => m.retrieval.filter((r) => isUnseen(r.from, r.to, d)).map((r) => r.mrr),
  },
  {
    name: 'probe transfer',
    higher: true,
    read: (m, d) => m.transfer.filter((t) => isUnseen(t.from, t.to, d)).map((t) => t.accuracy),
  },
  { name: 'linear probe of the unseen pair', higher: true, read: probesOf('all', both) },
  { name: 'five-shot probe of the unseen pair', higher: true, read: probesOf('few', both) },
  { name: 'linear probe of the unseen triple', higher: true, read: probesOf('all', triple) },
  { name: 'five-shot probe of the unseen triple', higher: true, read: probesOf('few', triple) },
  {
    name: 'bits per token given the unseen other',
    higher: false,
    read: (m, d) =>
      m.bits
        .filter((b) => b.given.length === 1 && isUnseen(b.given[0]!, b.to, d))
        .map((b) => b.matched),
  },
  {
    name: 'bits that the unseen other is worth',
    higher: true,
    read: (m, d) =>
      m.bits.flatMap((b) =>
        b.given.length === 1 && isUnseen(b.given[0]!, b.to, d) && b.gain !== null ? [b.gain] : [],
      ),
  },
  {
    name: 'right class generated, one hop',
    higher: true,
    read: (m) => m.generation.filter((g) => g.route.length === 2).map((g) => g.accuracy),
  },
  {
    name: 'right class generated, two hops over the link',
    higher: true,
    read: (m) => m.generation.filter((g) => g.route.length === 3).map((g) => g.accuracy),
  },
  {
    name: 'concordance, unseen pair',
    higher: true,
    read: (m, d) => m.survival.filter((s) => sameSet(s.subset, both(d))).map((s) => s.c),
  },
];

/** A task's estimate for a method over all seeds; null where it cannot do it. */
export function taskOf(task: Task, results: MethodResults, data: DatasetResults): Estimate | null {
  const seeds = results.measures.flatMap((m) => {
    const one = pool(task.read(m, data));
    return one === null ? [] : [one];
  });
  return pool(seeds);
}

/** What the numbers say of «a outperforms b». */
export type Verdict = 'holds' | 'contradicted' | 'undecided' | 'cannot';

/** `holds` and `contradicted` where the intervals have no point in common; `cannot` where b does not do the task. */
export function verdict(task: Task, a: Estimate | null, b: Estimate | null): Verdict {
  if (a === null || b === null) return 'cannot';
  const [better, worse] = task.higher ? [a, b] : [b, a];
  if (better.low > worse.high) return 'holds';
  return better.high < worse.low ? 'contradicted' : 'undecided';
}

/** A method's probe accuracies over all seeds, by subset. */
export function probeRow(
  { measures }: MethodResults,
  kind: 'all' | 'few',
  modalities: readonly string[],
): (Estimate | null)[] {
  return subsetsOf(modalities).map((subset) =>
    pool(
      measures.flatMap((m) =>
        m.probes.filter((p) => sameSet(p.subset, subset)).map((p) => p[kind]),
      ),
    ),
  );
}
