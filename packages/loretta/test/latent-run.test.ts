/** Digits as vectors, captions and codes in one decoder: what a short training learns, and that it repeats. */
import { hostRandom } from '@loretta-ts/core';
import { beforeAll, describe, expect, it } from 'vitest';
import { mnistPackage } from '../src/data/node/mnistFiles';
import { CLASS_WORDS, type CaptionOptions } from '../src/data/captions';
import { type Labelled, limitSource, type RawSource } from '../src/data/source';
import { LATENT_SETTINGS, LatentRun, type LatentSettings } from '../src/experiment/latent-run';
import type { StepReport } from '../src/train/trainer';
import { useCpu } from './objectives-setup';

const digits = limitSource(mnistPackage(), 200, 30);
const settings: LatentSettings = {
  ...LATENT_SETTINGS,
  ...{ latentDim: 4, components: 4, dim: 32, layers: 2, heads: 2 },
  ...{ steps: 240, switchAt: 200, batch: 16, lr: 1e-2 },
};
/** Every word names the digit: a link that is learned in few steps. */
function synonyms({ seed, trainPerClass, testPerClass }: CaptionOptions): RawSource<string> {
  const random = hostRandom(seed);
  const set = (perClass: number): Labelled<string> => {
    const labels = Int32Array.from({ length: 10 * perClass }, (_, i) => i % 10);
    const word = (digit: number): string => CLASS_WORDS[digit]![random.int(4)]!;
    const items = Array.from(labels, (k) => [0, 1, 2, 3, 4].map(() => word(k)).join(' '));
    return { items, labels };
  };
  return {
    ...{ name: 'synonyms', classes: 10, credit: 'none' },
    train: set(trainPerClass),
    test: set(testPerClass),
  };
}

const mean = (reports: readonly StepReport[], name: string): number => {
  const found = reports.flatMap(({ bits }) => (name in bits ? [bits[name]!] : []));
  return found.reduce((a, b) => a + b, 0) / found.length;
};

describe('a short training', () => {
  let run: LatentRun;
  const reports: StepReport[] = [];
  beforeAll(async () => {
    useCpu();
    run = new LatentRun(digits, settings, synonyms);
    await run.train({ onEvent: (report) => reports.push(report) });
  }, 60_000);

  it('lowers the bits of vectors, per dimension, and of ids', () => {
    const [first, last] = [reports.slice(0, 20), reports.slice(-20)];
    expect(mean(last, 'image')).toBeLessThan(mean(first, 'image') - 0.5);
    expect(mean(last, 'code')).toBeLessThan(mean(first, 'code') - 0.5);
  });

  it('scores an image higher given its caption than given another, and what it names in turn', async () => {
    const all = await run.evaluate(300);
    expect(all).toHaveLength(6);
    const gains = all.flatMap(({ from, to, gain }) => (gain.low > 0 ? [`${from} to ${to}`] : []));
    for (const way of ['text to image', 'image to text', 'text to code', 'code to text'])
      expect(gains).toContain(way);
  });

  it('takes transitive steps, which make images for codes, and codes for images', () => {
    const made = reports.slice(settings.switchAt).flatMap(({ generated }) => generated);
    expect(reports.slice(0, settings.switchAt).every((r) => r.transitive === 0)).toBe(true);
    expect(new Set(made.map((g) => `${g.modality} from ${g.from}`))).toEqual(
      new Set(['image from text', 'code from text']),
    );
    for (const { modality, latents, ids, labels } of made) {
      if (modality !== 'image') continue;
      expect(latents).toHaveLength(labels.length * 16 * 4);
      expect(ids).toHaveLength(labels.length * 16);
    }
  });

  it('draws images for captions, others for another draw, the same for the same', async () => {
    const caption = run.testBlock('text', 10);
    const [once, again, other] = [
      await run.images(caption, 0.8),
      await run.images(caption, 0.8),
      await run.images(caption, 0.8, 1),
    ];
    expect(once).toHaveLength(10);
    expect(once[0]!.data).toHaveLength(784);
    expect(again).toEqual(once);
    expect(other).not.toEqual(once);
  });
});

it('refuses more test rows than there are, and noise that is none', () => {
  useCpu();
  const small = limitSource(digits, 4, 2);
  const run = new LatentRun(small, settings);
  expect(() => run.testBlock('image', 21)).toThrow(/rows: must be an integer in \[1, 20\]/);
  run.dispose();
  expect(() => new LatentRun(small, { ...settings, noise: Number.NaN })).toThrow(/noise/);
});
