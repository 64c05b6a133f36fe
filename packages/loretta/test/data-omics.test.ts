/** Molecular profiles: quantiles of the training patients, pairs of disjoint patients, files that are refused. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hostRandom } from '@loretta-ts/core';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { tcgaFolder } from '../src/data/node/tcgaFolder';
import { assertNeverPaired } from '../src/data/neverPaired';
import { type OmicsCohort, omicsComparison } from '../src/data/omics';

function cohort(n: number, seed: number): OmicsCohort {
  const random = hostRandom(seed);
  return {
    tables: ['mirna', 'mrna', 'protein'].map((name) => ({
      name,
      features: ['f', 'g', 'h', 'k'],
      values: Float64Array.from({ length: 4 * n }, (_, j) => random.uniform() * (1 + (j % 4))),
    })),
    labels: Int32Array.from({ length: n }, (_, i) => i % 3),
    classes: ['p', 'q', 'r'],
  };
}

describe('omicsComparison', () => {
  it('splits patients: none is in two pair sets, none of the test is trained on', () => {
    fc.assert(
      fc.property(fc.integer({ min: 24, max: 60 }), fc.nat(1000), fc.nat(2), (n, seed, fold) => {
        const data = omicsComparison(cohort(n, seed), {
          link: 'mrna',
          features: 2,
          levels: 4,
          fold,
          folds: 3,
          seed,
        });
        expect(data.pairs.map((p) => p.modalities)).toEqual([
          ['mrna', 'mirna'],
          ['mrna', 'protein'],
        ]);
        const rows = data.pairs.flatMap((p) => [...p.index].filter((_, j) => j % 2 === 0));
        expect(new Set(rows).size).toBe(rows.length);
        expect(rows.length).toBe(data.fit.size);
        expect(data.fit.size + data.test.size).toBe(n);
        expect(() => assertNeverPaired(data, 'mirna', 'protein')).not.toThrow();
        // levels are used about equally by the patients that they were made from
        const { ids } = data.modalities['mirna']!.train;
        for (let level = 0; level < 4; level++) {
          const share = ids.filter((id) => id === level).length / ids.length;
          expect(Math.abs(share - 0.25)).toBeLessThan(0.15);
        }
        expect(data.risk!.fit.length).toBe(data.fit.size);
      }),
      { seed: 3, numRuns: 40 },
    );
  });

  it('every patient tests in one fold', () => {
    const sizes = [0, 1, 2].map(
      (fold) =>
        omicsComparison(cohort(31, 1), {
          link: 'mrna',
          features: 2,
          levels: 3,
          fold,
          folds: 3,
          seed: 0,
        }).test.size,
    );
    expect(sizes.reduce((a, b) => a + b, 0)).toBe(31);
  });

  it('keeps the features that vary most', () => {
    const data = omicsComparison(cohort(60, 2), {
      link: 'mrna',
      features: 1,
      levels: 2,
      fold: 0,
      folds: 3,
      seed: 0,
    });
    // feature k varies most by construction: its median splits the patients
    const share = data.modalities['protein']!.train.ids.reduce((a, b) => a + b, 0) / data.fit.size;
    expect(share).toBeCloseTo(0.5, 1);
  });

  it('refuses options out of range', () => {
    const base = { link: 'mrna', features: 2, levels: 4, fold: 0, folds: 3, seed: 0 };
    expect(() => omicsComparison(cohort(30, 0), { ...base, link: 'dna' })).toThrow(
      'dna is not one of three kinds',
    );
    expect(() => omicsComparison(cohort(30, 0), { ...base, fold: 3 })).toThrow('omics: fold');
    expect(() => omicsComparison(cohort(30, 0), { ...base, features: 9 })).toThrow(
      'omics: features',
    );
  });
});

describe('tcgaFolder', () => {
  const root = mkdtempSync(join(tmpdir(), 'loretta-omics-'));
  afterAll(() => rmSync(root, { recursive: true }));
  const put = (files: Record<string, string>): void => {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(root, name), text);
  };
  const good = {
    'train-labels.csv': 'sample,subtype\na,Her2\nb,Basal\n',
    'train-mrna.csv': 'sample,g1,g2\na,1,2\nb,3,4\n',
    'train-mirna.csv': 'sample,m1\na,1\nb,2\n',
    'train-protein.csv': 'sample,p1\na,-1.5\nb,2e-3\n',
  };

  it('reads tables whose rows are the same patients', () => {
    put(good);
    const { tables, labels, classes } = tcgaFolder(root);
    expect(classes).toEqual(['Basal', 'Her2']);
    expect([...labels]).toEqual([1, 0]);
    expect(tables.map((t) => t.name)).toEqual(['mirna', 'mrna', 'protein']);
    expect([...tables[2]!.values]).toEqual([-1.5, 0.002]);
  });

  it.each([
    ['another patient', 'train-mrna.csv', 'sample,g1\nb,1\na,2\n', 'row 1 is not of patient a'],
    ['a word', 'train-mirna.csv', 'sample,m1\na,x\nb,2\n', 'm1 is "x"'],
    ['an empty field', 'train-mirna.csv', 'sample,m1\na,\nb,2\n', 'm1 is ""'],
    ['infinity', 'train-mirna.csv', 'sample,m1\na,Infinity\nb,2\n', 'm1 is "Infinity"'],
    ['a row too few', 'train-protein.csv', 'sample,p1\na,1\n', '1 rows of 1 features'],
    ['no subtype', 'train-labels.csv', 'sample\na\nb\n', 'subtype'],
  ])('refuses %s', (_, name, text, message) => {
    put({ ...good, [name]: text });
    expect(() => tcgaFolder(root)).toThrow(message);
  });
});
