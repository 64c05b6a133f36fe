/** The protocols on features and scores whose right answers are known. */
import { cpu } from '@loretta-ts/backend-cpu';
import { setBackend } from '@loretta-ts/core';
import { beforeAll, describe, expect, it } from 'vitest';
import { type ComparisonData, classAligned } from '../src/compare/data';
import type { Learned } from '../src/compare/learned';
import { featuresOf, probeSubset, subsetsOf, transferProbe } from '../src/compare/probes';
import { comparisonMarkdown } from '../src/compare/report';
import { retrieval } from '../src/compare/retrieval';
import { byDataset, pool, TASKS, taskOf, verdict } from '../src/compare/summary';
import { cellName, planCells } from '../src/compare/cells';
import type { Measures } from '../src/compare/measure';
import { comparisonPage, comparisonPlots } from '../src/report/comparison';
import { Vocabulary } from '../src/vocabulary';

beforeAll(() => setBackend(cpu({ threads: 1 })));

const CLASSES = 3;
const N = 30;
const labels = Int32Array.from({ length: N }, (_, i) => i % CLASSES);

/** One token a row that is its class; modalities x, y, z. */
function data(pairing: 'class' | 'instance'): ComparisonData {
  const set = { ids: labels, length: 1, labels, classes: CLASSES };
  const modality = (name: string) =>
    [
      name,
      { name, vocabSize: CLASSES, maxLength: 1, fixedLength: true, train: set, test: set },
    ] as const;
  const names = ['x', 'y', 'z'];
  const rows = {
    modalities: names,
    size: N,
    index: Int32Array.from({ length: 3 * N }, (_, j) => Math.floor(j / 3)),
    labels,
  };
  return {
    modalities: Object.fromEntries(names.map(modality)),
    ...{ pairs: [], oracle: null, pairing, link: 'y', fit: rows, test: rows, risk: null },
  };
}

const vocab = new Vocabulary(
  ['x', 'y', 'z'].map((name) => ({ name, vocabSize: CLASSES, length: 1, variable: false })),
);

/** Features tell the class in every modality but z; scores are given. */
function fake(score: (i: number, j: number) => number): Learned {
  return {
    ...{ dim: 4, parameters: 0, decoder: null },
    async features(blocks, n) {
      const out = new Float32Array(4 * n);
      for (const { modality, ids } of blocks) {
        if (modality === 'z') continue;
        for (let i = 0; i < n; i++) out[4 * i + (ids[i]! - vocab.content(modality)[0])]! += 1;
      }
      return out;
    },
    async scores(_x, _y, _n, { x, y }) {
      return Float64Array.from(x, (i, at) => score(i, y[at]!));
    },
    dispose: () => undefined,
    [Symbol.dispose]: () => undefined,
  };
}

describe('probes', () => {
  it('find what features hold, and nothing where they hold nothing', async () => {
    const d = data('class');
    const learned = fake(() => 0);
    const of = async (subset: string[]) => await featuresOf(learned, vocab, d, subset);
    const told = await probeSubset(await of(['x', 'z']), d, 4, 1);
    expect([told.all.value, told.few.value]).toEqual([1, 1]);
    const blind = await probeSubset(await of(['z']), d, 4, 1);
    expect(blind.all.value).toBeCloseTo(1 / CLASSES, 6);
    const across = await transferProbe(await of(['x']), await of(['y']), d, 4, 1);
    expect(across.accuracy.value).toBe(1);
    expect(
      (await transferProbe(await of(['x']), await of(['z']), d, 4, 1)).accuracy.value,
    ).toBeCloseTo(1 / 3, 6);
  });

  it('subsets are all non-empty ones, small ones first', () => {
    expect(subsetsOf(['a', 'b', 'c']).map((s) => s.join(''))).toEqual([
      'a',
      'b',
      'c',
      'ab',
      'ac',
      'bc',
      'abc',
    ]);
  });
});

describe('retrieval', () => {
  const options = { rows: N, candidates: N, seed: 3 };
  const run = (pairing: 'class' | 'instance', score: (i: number, j: number) => number) =>
    retrieval(fake(score), vocab, data(pairing), ['x', 'z'], options);

  it('a perfect score finds everything', async () => {
    const byClass = await run('class', (i, j) => (labels[i] === labels[j] ? 1 : 0));
    for (const e of [byClass.matching, byClass.recall1, byClass.mrr]) expect(e.value).toBe(1);
    const exact = await run('instance', (i, j) => (i === j ? 1 : 0));
    for (const e of [exact.matching, exact.recall1, exact.mrr]) expect(e.value).toBe(1);
  });

  it('a score that says nothing finds nothing: ties count against it', async () => {
    const { mrr, recall5 } = await run('instance', () => 0);
    expect(mrr.value).toBeCloseTo(1 / N, 12);
    expect(recall5.value).toBe(0);
  });

  it('ranks are exact', async () => {
    // the right one is third: two others are better
    const { mrr, recall1, recall5 } = await run('instance', (i, j) => {
      if (i === j) return 1;
      return j === (i + 1) % N || j === (i + 2) % N ? 2 : 0;
    });
    expect(mrr.value).toBeCloseTo(1 / 3, 12);
    expect([recall1.value, recall5.value]).toEqual([0, 1]);
  });
});

it('rows for probes are joined by class', () => {
  const rows = classAligned(data('class'), 4, 1);
  expect(rows.size).toBe(4 * CLASSES);
  rows.index.forEach((sample, j) => {
    expect(labels[sample]).toBe(rows.labels[Math.floor(j / 3)]);
  });
});

describe('summary', () => {
  const e = (value: number, half = 0.01) => ({
    value,
    low: value - half,
    high: value + half,
    n: 100,
  });

  it('pools by the standard error of the mean', () => {
    const pooled = pool([e(0.2, 0.03), e(0.4, 0.04)])!;
    expect(pooled.value).toBeCloseTo(0.3, 12);
    expect(pooled.high - pooled.value).toBeCloseTo(0.025, 12);
    expect(pool([])).toBe(null);
  });

  it('verdicts follow the direction of the task', () => {
    const [higher, lower] = [TASKS.find((t) => t.higher)!, TASKS.find((t) => !t.higher)!];
    expect(verdict(higher, e(0.5), e(0.3))).toBe('holds');
    expect(verdict(lower, e(0.5), e(0.3))).toBe('contradicted');
    expect(verdict(higher, e(0.5), e(0.49))).toBe('undecided');
    expect(verdict(higher, e(0.5), null)).toBe('cannot');
  });

  const measures = (matching: number): Measures => ({
    parameters: 1,
    probes: subsetsOf(['image', 'text', 'speech']).map((subset) => ({
      subset,
      all: e(0.8),
      few: e(0.6),
    })),
    transfer: [],
    bits: [],
    generation: [],
    survival: [],
    retrieval: [['image', 'speech'] as const, ['speech', 'image'] as const].map(([from, to]) => ({
      ...{ from, to, candidates: 10 },
      ...{ matching: e(matching), recall1: e(0.1), recall5: e(0.5), mrr: e(0.2) },
    })),
  });

  it('tables, page and plot hold every method and number', () => {
    const cells = planCells({ quick: true, seeds: 1, datasets: ['svl'], ablations: false });
    const results = cells.map((cell, i) => {
      if (cell.kind !== 'comparison') throw new Error('no ablations were asked for');
      return { cell, measures: measures(0.1 * i), seconds: 1 };
    });
    const [d] = byDataset(results);
    expect(d!.unseen).toEqual(['image', 'speech']);
    expect(d!.methods.map((m) => m.method)).toHaveLength(9);
    expect(taskOf(TASKS[0]!, d!.methods[7]!, d!)!.value).toBeCloseTo(0.7, 12);
    const text = comparisonMarkdown(results);
    expect(text).toContain('| matching, one of each class | ✔ | ✔ | ✔ | ✔ | ✔ | ✔ | ✔ |');
    expect(text).toContain('image + speech *');
    const page = comparisonPage(results);
    const json = /<script type="application\/json" id="results">(.*)<\/script>/.exec(page);
    expect(JSON.parse(json![1]!)).toEqual(JSON.parse(JSON.stringify(results)));
    const [[name, svg]] = comparisonPlots(byDataset(results)) as [[string, string]];
    expect(name).toBe('comparison-svl.svg');
    expect(svg.match(/<circle/g)!.length).toBeGreaterThan(8);
  });
});

it('cells have different names, and the same plan twice is the same', () => {
  const plan = () =>
    planCells({ quick: false, seeds: 3, datasets: ['svl', 'tcga'], ablations: true });
  const names = plan().map(cellName);
  expect(new Set(names).size).toBe(names.length);
  expect(plan()).toEqual(plan());
});
