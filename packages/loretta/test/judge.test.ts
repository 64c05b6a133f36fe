import { beforeAll, describe, expect, it } from 'vitest';
import { judged, type EvaluationContext } from '../src/evaluate/directions';
import { trainJudge } from '../src/evaluate/judge';
import { judgeGenerated } from '../src/experiment/purity';
import type { TokenData } from '../src/train/data';
import type { StepReport } from '../src/train/trainer';
import { Vocabulary } from '../src/vocabulary';
import { useCpu } from './objectives-setup';
import { CLASSES, smallData } from './trainer-setup';

beforeAll(useCpu);

const QUICK = { seed: 2, steps: 120, hidden: 16 };

/** Class k is k + 1 times token 0 of 2, in rows of 4: only the length tells them apart. */
function byLength(): TokenData {
  const split = (perClass: number): TokenData['train'] => {
    const labels = Int32Array.from({ length: 4 * perClass }, (_, i) => i % 4);
    return {
      ids: new Int32Array(labels.length * 4),
      length: 4,
      lengths: labels.map((k) => k + 1),
      labels,
      classes: 4,
    };
  };
  return {
    name: 'V',
    vocabSize: 2,
    maxLength: 4,
    fixedLength: false,
    train: split(10),
    test: split(5),
  };
}

describe('Judge', () => {
  it('is right on clean sequences, and its accuracy is that of its classes', async () => {
    const { A, B } = smallData().modalities as Record<string, TokenData>;
    const [noisy, clean] = [await trainJudge(A!, QUICK), await trainJudge(B!, QUICK)];
    expect(clean.accuracy).toBe(1); // no noise
    expect(noisy.accuracy).toBeGreaterThan(0.8);
    const found = await noisy.classify(A!.test.ids);
    const right = found.filter((k, i) => k === A!.test.labels[i]).length;
    expect(noisy.accuracy).toBe(right / A!.test.labels.length);
    noisy.dispose();
    clean.dispose();
  });

  it('is at chance where labels mean nothing', async () => {
    const { A } = smallData().modalities as Record<string, TokenData>;
    const shifted = A!.test.labels.map((_, i) => Math.floor(i / CLASSES) % CLASSES);
    const judge = await trainJudge({ ...A!, test: { ...A!.test, labels: shifted } }, QUICK);
    expect(judge.accuracy).toBeGreaterThan(0.1);
    expect(judge.accuracy).toBeLessThan(0.4);
    judge.dispose();
  });

  it('repeats itself for the same seed', async () => {
    const { A } = smallData().modalities as Record<string, TokenData>;
    const short = { ...QUICK, steps: 5 };
    const [x, y, z] = [
      await trainJudge(A!, short),
      await trainJudge(A!, short),
      await trainJudge(A!, { ...short, seed: 3 }),
    ];
    const classes = (judge: typeof x) => judge!.classify(A!.test.ids);
    expect(await classes(y)).toEqual(await classes(x));
    expect(await classes(z)).not.toEqual(await classes(x));
    for (const judge of [x, y, z]) judge!.dispose();
  });

  it('does not see what is behind the end of a sequence', async () => {
    const data = byLength();
    const judge = await trainJudge(data, QUICK);
    expect(judge.accuracy).toBe(1);
    const junk = data.test.ids.map((_, i) => (i % 4 >= data.test.lengths![i >> 2]! ? 1 : 0));
    expect(await judge.classify(junk, data.test.lengths)).toEqual(data.test.labels);

    // generated blocks end with the end token, which is no content
    const vocab = new Vocabulary([
      { name: 'V', vocabSize: 2, length: 4, variable: true },
      { name: 'W', vocabSize: 2, length: 4, variable: false },
    ]);
    const [c, end] = [vocab.content('V')[0], vocab.end('V')];
    const ids = Int32Array.of(c, end, 0, 0, c, c, end, 0, c, c, c, end, c, c, c, c);
    const context = { vocab, judges: { V: judge } } as unknown as EvaluationContext;
    expect([...(await judged(context, 'V', ids))]).toEqual([0, 1, 2, 3]);

    const labels = Int32Array.of(0, 1, 2, 0);
    const report = { generated: [{ modality: 'V', from: 'W', ids, labels }] } as unknown;
    const purity = await judgeGenerated(report as StepReport, vocab, { V: judge });
    expect(purity).toEqual({ right: 3, total: 4 });
    const none = { generated: [] } as unknown as StepReport;
    expect(await judgeGenerated(none, vocab, { V: judge })).toBeNull();
    judge.dispose();
  });
});
