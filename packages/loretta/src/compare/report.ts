/** The comparison as Markdown: every number that was measured, and the paper's claims one by one. */
import { type Estimate, rangeOf } from '../evaluate/intervals';
import { type CellResult, seedOf } from './cells';
import { METHODS, type MethodName } from './methods';
import { SHOTS, subsetsOf } from './probes';
import {
  byDataset,
  type DatasetResults,
  type MethodResults,
  pool,
  probeRow,
  TASKS,
  type Task,
  taskOf,
  type Verdict,
  verdict,
} from './summary';

const TITLES = { svl: 'SVL-MNIST', tcga: 'Breast tumours (TCGA)' } as const;
const MARKS: Readonly<Record<Verdict, string>> = {
  holds: '✔',
  contradicted: '✘',
  undecided: '≈',
  cannot: '–',
};

function cell(e: Estimate | null, digits: number): string {
  if (e === null || !Number.isFinite(e.value)) return '–';
  const f = (x: number): string => x.toFixed(digits);
  return Number.isFinite(e.low) ? `${f(e.value)} (${f(e.low)} … ${f(e.high)})` : f(e.value);
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map((_, i) => (i === 0 ? '---' : '---:'))), ...rows.map(line)].join(
    '\n',
  );
}

/** Names of a subset, marked where training never saw it together. */
function subsetName(subset: readonly string[], { unseen }: DatasetResults): string {
  const never = unseen.every((m) => subset.includes(m));
  return `${subset.join(' + ')}${never ? ' *' : ''}`;
}

const digitsOf = (task: Task): number => (task.name.startsWith('bits') ? 3 : 2);

/** The whole page, without a title. */
export function comparisonMarkdown(results: readonly CellResult[]): string {
  const datasets = byDataset(results);
  const main = datasets.filter(({ methods }) => methods.some((m) => m.method === 'gpt'));
  const links = datasets.filter((d) => !main.includes(d));
  return [
    ...main.flatMap(datasetSection),
    ...linkSection(links, main),
    ...ablationSection(results),
  ].join('\n\n');
}

function datasetSection(data: DatasetResults): string[] {
  const [a, c] = data.unseen;
  const seeds = Math.max(...data.methods.map((m) => m.measures.length));
  return [
    `## ${TITLES[data.dataset]}: ${a} and ${c} never together, ${data.link} between them`,
    `Mean over ${seeds} ${seeds === 1 ? 'seed' : 'seeds'} with the 95 % interval of all test rows together. ` +
      'A star marks what training never saw together.',
    '### Tasks on the pair that was never seen together',
    table(['task', ...data.methods.map((m) => m.method)], taskRows(data)),
    '### The claims: does LoReTTa outperform?',
    '✔ the intervals lie apart, in favour; ✘ apart, against; ≈ they touch: undecided; – the other method cannot do it.',
    claims(data),
    '### Linear probes, all labels',
    probes(data, 'all'),
    `### Linear probes, ${SHOTS} labels a class`,
    probes(data, 'few'),
    '### Probe transfer: labels on one modality, tested on another',
    transfer(data),
    '### Bits per token',
    bits(data),
    '### Matching one of each class, in every direction',
    matching(data),
    ...(data.methods.some((m) => m.measures.some((x) => x.survival.length > 0))
      ? ['### Concordance of a Cox head, simulated cohort', survival(data)]
      : []),
  ];
}

function taskRows(data: DatasetResults): string[][] {
  return TASKS.flatMap((task) => {
    const found = data.methods.map((m) => taskOf(task, m, data));
    if (found.every((e) => e === null)) return [];
    return [[task.name, ...found.map((e) => cell(e, digitsOf(task)))]];
  });
}

const BASELINES: readonly MethodName[] = [
  ...(['gpt', 'mmgpt', 'bert', 'bert3', 'clip', 'cm3', 'commutative'] as const),
];

function claims(data: DatasetResults): string {
  const of = (name: MethodName): MethodResults | undefined =>
    data.methods.find((m) => m.method === name);
  const own = of('loretta');
  if (own === undefined) return 'LoReTTa was not run.';
  const present = BASELINES.filter((name) => of(name) !== undefined);
  const rows = TASKS.flatMap((task) => {
    const mine = taskOf(task, own, data);
    if (mine === null) return [];
    const marks = present.map((name) => MARKS[verdict(task, mine, taskOf(task, of(name)!, data))]);
    return [[task.name, ...marks]];
  });
  return table(['LoReTTa against', ...present], rows);
}

function probes(data: DatasetResults, kind: 'all' | 'few'): string {
  const head = subsetsOf(data.modalities).map((s) => subsetName(s, data));
  return table(
    ['', ...head],
    data.methods.map((m) => [
      m.method,
      ...probeRow(m, kind, data.modalities).map((e) => cell(e, 2)),
    ]),
  );
}

/** Rows of a measure with two ends, a column for each direction. */
function directions(
  data: DatasetResults,
  read: (m: MethodResults, from: string, to: string) => Estimate | null,
): string {
  const pairs = data.modalities.flatMap((from) =>
    data.modalities.filter((to) => to !== from).map((to) => [from, to] as const),
  );
  const star = (from: string, to: string): string =>
    data.unseen.includes(from) && data.unseen.includes(to) ? ' *' : '';
  return table(
    ['', ...pairs.map(([from, to]) => `${from} → ${to}${star(from, to)}`)],
    data.methods.map((m) => [m.method, ...pairs.map(([from, to]) => cell(read(m, from, to), 2))]),
  );
}

function transfer(data: DatasetResults): string {
  return directions(data, ({ measures }, from, to) =>
    pool(
      measures.flatMap((m) =>
        m.transfer.filter((t) => t.from === from && t.to === to).map((t) => t.accuracy),
      ),
    ),
  );
}

function matching(data: DatasetResults): string {
  return directions(data, ({ measures }, from, to) =>
    pool(
      measures.flatMap((m) =>
        m.retrieval.filter((r) => r.from === from && r.to === to).map((r) => r.matching),
      ),
    ),
  );
}

function bits(data: DatasetResults): string {
  const decoders = data.methods.filter((m) => m.measures[0]!.bits.length > 0);
  const columns = decoders[0]?.measures[0]?.bits ?? [];
  const name = ({ given, to }: { given: readonly string[]; to: string }): string =>
    given.length === 0
      ? to
      : `${to} given ${subsetName([...given, to], data).replace(` + ${to}`, '')}`;
  return table(
    ['', ...decoders.map((m) => m.method)],
    columns.map((column, i) => [
      name(column),
      ...decoders.map((m) => cell(pool(m.measures.map((x) => x.bits[i]!.matched)), 3)),
    ]),
  );
}

function survival(data: DatasetResults): string {
  const subsets = subsetsOf(data.modalities);
  return table(
    ['', ...subsets.map((s) => subsetName(s, data))],
    data.methods.map((m) => [
      m.method,
      ...subsets.map((_, i) => cell(pool(m.measures.map((x) => x.survival[i]!.c)), 2)),
    ]),
  );
}

/** Which modality links: LoReTTa beside commutative for each. */
function linkSection(links: readonly DatasetResults[], main: readonly DatasetResults[]): string[] {
  if (links.length === 0) return [];
  const all = [...main.filter((d) => links.some((l) => l.dataset === d.dataset)), ...links];
  const rows = all.flatMap((d) =>
    d.methods
      .filter(({ method }) => method === 'commutative' || method === 'loretta')
      .map((m) => [
        `${d.link}: ${m.method}`,
        ...TASKS.slice(0, 3).map((task) => cell(taskOf(task, m, d), 2)),
        ...TASKS.slice(7, 10).map((task) => cell(taskOf(task, m, d), digitsOf(task))),
      ]),
  );
  const tasks = [...TASKS.slice(0, 3), ...TASKS.slice(7, 10)];
  return [
    '## Which modality links (SVL-MNIST)',
    table(['link', ...tasks.map((t) => t.name)], rows),
  ];
}

function ablationSection(results: readonly CellResult[]): string[] {
  const rows = new Map<string, Extract<CellResult, { toy: unknown }>[]>();
  for (const result of results) {
    if (!('toy' in result)) continue;
    rows.set(result.cell.row, [...(rows.get(result.cell.row) ?? []), result]);
  }
  if (rows.size === 0) return [];
  const lines = [...rows].map(([row, found]) => {
    const of = (read: (r: (typeof found)[number]) => number, digits: number): string =>
      cell(rangeOf(found.map(read)), digits);
    return [
      row,
      [...new Set(found.map((r) => seedOf(r.cell)))].join(', '),
      of((r) => r.toy.backward.bits.value, 3),
      of((r) => r.toy.backward.accuracy.value, 3),
      of((r) => r.toy.forward.bits.value, 3),
      of((r) => r.toy.forward.accuracy.value, 3),
      of((r) => r.toy.backward.chain.value, 3),
    ];
  });
  return [
    '## Ablations, on the toy whose right answers are known',
    'Mean over seeds with their range. A and C are never together; B links them.',
    table(
      [
        'variant',
        'seeds',
        'bits A given C',
        'class of A given C',
        'bits C given A',
        'class of C given A',
        'chain C → B → A',
      ],
      lines,
    ),
  ];
}

/** What stands behind each name. */
export function methodList(): string {
  return Object.entries(METHODS)
    .map(([name, what]) => `- \`${name}\`: ${what}`)
    .join('\n');
}
