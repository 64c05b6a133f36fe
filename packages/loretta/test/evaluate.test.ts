import { key } from '@loretta-ts/core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { directionMatrix, type EvaluationContext, otherClass } from '../src/evaluate/directions';
import { balanced, evaluate } from '../src/evaluate/evaluate';
import { type Judge, trainJudge } from '../src/evaluate/judge';
import { chain, matching } from '../src/evaluate/matching';
import { mixture } from '../src/evaluate/mixture';
import { probe } from '../src/evaluate/probe';
import { logLikelihood } from '../src/infer/score';
import { evaluateSkill } from '../src/experiment/skill';
import { runArm } from '../src/experiment/run-arm';
import { generateBlock } from '../src/infer/generate-block';
import type { TrainData } from '../src/train/data';
import { useCpu } from './objectives-setup';
import { CLASSES, free, smallConfig, smallData, type Training, training } from './trainer-setup';

const data = smallData();
const config = smallConfig({ model: { dim: 32 }, train: { steps: 120, batch: 16 } });
let judges: Record<string, Judge>;
let trained: Training;
let fresh: Training;

const context = (of: Training): EvaluationContext => ({
  model: of.model,
  vocab: of.vocab,
  data: balanced(data),
  judges,
  rows: 60,
  seed: 1,
});

beforeAll(async () => {
  useCpu();
  judges = {};
  for (const m of Object.values(data.modalities)) {
    judges[m.name] = await trainJudge(m, { seed: 2, steps: 120, hidden: 16 });
  }
  trained = training('commutative', data, config);
  fresh = training('commutative', data, config);
  await trained.steps(120);
});

afterAll(() => {
  for (const t of [trained, fresh]) free(t);
  for (const judge of Object.values(judges)) judge.dispose();
});

describe('directions', () => {
  it('of a trained model: what was seen together is predicted and generated', async () => {
    const stages: string[] = [];
    const found = await directionMatrix(context(trained), {
      guidance: 2,
      onEvent: ({ done, total }) => stages.push(`${done}/${total}`),
    });
    expect(stages).toEqual(['0/6', '1/6', '2/6', '3/6', '4/6', '5/6', '6/6']);
    expect(found.map((d) => `${d.from}${d.to}${d.seen ? '' : '*'}`)).toEqual([
      'AB',
      'AC*',
      'BA',
      'BC',
      'CA*',
      'CB',
    ]);
    for (const d of found.filter((x) => x.seen)) {
      expect(d.gain.low, `${d.from}${d.to}`).toBeGreaterThan(0.2);
      expect(d.matched.value).toBeLessThan(d.unconditional.value - 0.2);
      expect(d.accuracy.low).toBeGreaterThan(0.5);
      expect(d.guided.low).toBeGreaterThan(0.5);
      expect(d.gain.value).toBeCloseTo(d.mismatched.value - d.matched.value, 6);
    }
    for (const { confusion, guided, accuracy } of found) {
      expect(confusion.map((row) => row.reduce((a, b) => a + b, 0))).toEqual(
        new Array(CLASSES).fill(60 / CLASSES),
      );
      expect(confusion.reduce((n, row, k) => n + row[k]!, 0) / 60).toBeCloseTo(guided.value, 12);
      expect(accuracy.n).toBe(60);
    }
  });

  it('of an untrained model: nothing is worth anything', async () => {
    const found = await directionMatrix(context(fresh), { guidance: 2 });
    for (const d of found) {
      const { size } = fresh.vocab;
      expect(Math.abs(d.matched.value - Math.log2(size)), `${d.from}${d.to}`).toBeLessThan(0.6);
      expect(Math.abs(d.gain.value)).toBeLessThan(0.05);
      expect(d.accuracy.low).toBeLessThan(1 / CLASSES + 0.1);
      expect(d.accuracy.high).toBeGreaterThan(1 / CLASSES - 0.1);
    }
  });

  it('repeat themselves, and generate anew with another seed', async () => {
    const of = async (seed: number) =>
      directionMatrix({ ...context(trained), rows: 12, seed }, { guidance: 2 });
    const first = await of(1);
    expect(await of(1)).toEqual(first);
    const other = await of(2);
    expect(other.map((d) => d.matched)).toEqual(first.map((d) => d.matched));
    expect(other.map((d) => d.confusion)).not.toEqual(first.map((d) => d.confusion));
  });
});

describe('matching', () => {
  it('finds the right candidate of a seen pair, which an untrained model does not', async () => {
    const right = await matching(context(trained), 'A', 'B', 60);
    expect(right.low).toBeGreaterThan(0.7);
    expect(right.n).toBe(60);
    const chance = await matching(context(fresh), 'A', 'B', 60);
    // a random model maps classes to classes at random: of 4, some may be right
    expect(chance.high).toBeLessThan(right.low);
    expect((await matching(context(fresh), 'A', 'B', 8)).n).toBe(8);
  });

  it('leaves out classes that no row has', async () => {
    // rows of two classes: a candidate of the others would be the right row itself
    const even = balanced(data);
    const few = [...even.test.labels].flatMap((k, i) => (k < 2 ? [i] : []));
    const width = even.test.modalities.length;
    const test = {
      ...even.test,
      size: few.length,
      labels: Int32Array.from(few, (i) => even.test.labels[i]!),
      index: Int32Array.from(
        few.flatMap((i) => [...even.test.index.subarray(i * width, i * width + width)]),
      ),
    };
    const c = { ...context(trained), data: { ...even, test }, rows: few.length };
    expect((await matching(c, 'C', 'B', 40)).value).toBeGreaterThan(0.9);
  });
});

describe('chain', () => {
  it('goes over the link where one hop fails', async () => {
    const over = await chain(context(trained), ['A', 'B', 'C'], null);
    expect(over.low).toBeGreaterThan(0.5);
    const untrained = await chain(context(fresh), ['A', 'B', 'C'], null);
    expect(untrained.value).toBeLessThan(0.5);
    expect(over.n).toBe(60);
  });
});

describe('probe', () => {
  it('reads the class of a modality from its own features', async () => {
    const own = await probe(context(trained), 'B', 'B', 160);
    expect(own.low).toBeGreaterThan(0.8);
    expect(own.n).toBe(80);
  });

  it('leaves no tensor behind', async () => {
    const buffers = (): number => trained.model.parameters()[0]!.value.backend.memory().buffers;
    const before = buffers();
    await probe(context(trained), 'A', 'C', 40);
    await matching(context(trained), 'A', 'C', 8);
    expect(buffers()).toBe(before);
  });
});

describe('mixture', () => {
  it('asks in every way, and its numbers are those of the trained model', async () => {
    const { vocab, graph } = trained;
    const c = { ...context(trained), rows: 40 };
    const found = await mixture(c, graph, 2);
    const of = (from: string, target: string): number =>
      found.subsets.find((x) => x.from === from && x.target === target)!.accuracy!.value;
    expect(found.subsets.filter((x) => x.target === 'A').map((x) => x.from)).toEqual([
      'nothing',
      'B',
      'C',
      'B + C',
      'C + B',
      'B · C',
    ]);
    expect(of('B', 'A')).toBeGreaterThan(2 / CLASSES); // seen together
    expect(found.guidance).toHaveLength(8);
    expect(found.best).toHaveLength(10);
    expect(found.impute.map((x) => x.from)).toContain('A, chain, consensus');
    for (const strip of [...found.subsets, ...found.best, ...found.infill, ...found.impute]) {
      expect(strip.ids).toHaveLength(10);
      expect(strip.judged).toHaveLength(10);
      const { vocabSize } = vocab.modality(strip.target);
      expect(strip.ids.flat().every((id) => id >= 0 && id < vocabSize)).toBe(true);
    }
    const [before, ...filled] = found.infill.filter((x) => x.target === 'A');
    const [start, end] = before!.span;
    for (const strip of filled) {
      const outside = (ids: readonly number[]): number[] =>
        ids.filter((_, i) => i < start || i >= end);
      expect(strip.ids.map(outside)).toEqual(before!.ids.map(outside));
    }
  });
});

describe('likelihoods', () => {
  it('do not depend on how many rows go through the model at once', async () => {
    const { model, vocab } = trained;
    const n = 130; // more than one chunk
    const ids = await generateBlock(model, vocab, [], 'A', { key: key(3), rows: n });
    const all = await logLikelihood(model, vocab, [], { modality: 'A', ids }, n);
    const last = ids.subarray(5 * (n - 3));
    const few = await logLikelihood(model, vocab, [], { modality: 'A', ids: last }, 3);
    [...few].forEach((x, i) => {
      expect(x).toBeCloseTo(all[n - 3 + i]!, 4);
    });
    expect(new Set(all).size).toBeGreaterThan(10);
  });
});

describe('balanced', () => {
  it('mixes classes, keeps rows whole and loses none', () => {
    const { test } = balanced(data);
    expect([...test.labels.subarray(0, 8)]).toEqual([0, 1, 2, 3, 0, 1, 2, 3]);
    const rows = ({ test: t }: TrainData): string[] =>
      Array.from(
        { length: t.size },
        (_, i) => `${t.labels[i]}: ${t.index.subarray(3 * i, 3 * i + 3)}`,
      );
    expect(rows(balanced(data)).sort()).toEqual(rows(data).sort());
    expect(rows(balanced(data))).not.toEqual(rows(data));
  });
});

describe('otherClass', () => {
  it('gives every row another of a different class', () => {
    const labels = Int32Array.of(0, 0, 1, 2, 2, 1, 0);
    const others = otherClass(labels, 7);
    others.forEach((j, i) => {
      expect(labels[j]).not.toBe(labels[i]);
    });
    expect(otherClass(labels, 7)).toEqual(others);
  });
});

describe('skill', () => {
  it('is the worse of the modalities that will be generated', async () => {
    const found = await evaluateSkill(trained, data, judges, config);
    expect(Object.keys(found.byTarget).sort()).toEqual(['A', 'C']);
    expect(found.least).toBe(Math.min(...Object.values(found.byTarget)));
    expect(found.least).toBeGreaterThan(0.5);
    expect((await evaluateSkill(fresh, data, judges, config)).least).toBeLessThan(0.5);
  });
});

describe('evaluate', () => {
  it('measures everything, as plain data', async () => {
    const stages = new Set<string>();
    const options = { seed: 1, rows: 1000, matchingRows: 12, guidance: 2 };
    const { model, vocab, graph } = trained;
    const result = await evaluate(model, vocab, graph, data, judges, {
      ...options,
      onEvent: ({ stage }) => stages.add(stage),
    });
    expect(result.rows).toBe(80); // all that there are
    expect(result.classes).toBe(CLASSES);
    expect(result.unseen.map((u) => u.route.join(''))).toEqual(['ABC', 'CBA']);
    expect(result.judges).toEqual({
      A: judges['A']!.accuracy,
      B: judges['B']!.accuracy,
      C: judges['C']!.accuracy,
    });
    expect(Object.keys(result.probes)).toEqual(['A', 'B', 'C']);
    expect(stages).toEqual(new Set(['directions', 'unseen pairs']));
    const [sample] = result.samples;
    expect(sample!.ids.length).toBe(40);
    expect(sample!.judged.length).toBe(40);
    for (const ids of sample!.ids) {
      expect(ids.length).toBe(4);
      expect(ids.every((id) => id >= 0 && id < 5)).toBe(true);
    }
    expect(JSON.parse(JSON.stringify(result))).toEqual(result);
  });
});

describe('runArm', () => {
  it('refuses an oracle without real pairs', async () => {
    const run = runArm({ name: 'oracle', data, config, checkpoint: null }, judges);
    await expect(run).rejects.toThrow('no real pairs of the unseen modalities');
  });
});
