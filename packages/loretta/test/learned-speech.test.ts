/** Learned tokenizers of speech, on spoken digits. */
import { cpu } from '@loretta-ts/backend-cpu';
import { setBackend } from '@loretta-ts/core';
import { type MfccFrames, mfcc, normaliseTime, TokenizerError } from '@loretta-ts/tokenizers';
import { beforeAll, describe, expect, test } from 'vitest';
import { learnedSpeechCodec } from '../src/data/learnedCodecs';
import { tokenizeSource } from '../src/data/modality';
import { fliteSpeech } from '../src/data/node/fliteSpeech';
import { frameForm } from '../src/data/vqForms';
import { compareTest } from '../src/report/reconstructions';

beforeAll(() => {
  setBackend(cpu());
});

describe('speech', () => {
  test('frames are 16 codes that keep more than the mean, and most codes are in use', async () => {
    const voices = { seed: 3, voices: ['slt'], trainTakes: 1, testTakes: 1 } as const;
    const source = await fliteSpeech(voices);
    const codec = await learnedSpeechCodec(source.train.items, {
      ...{ kind: 'vq', seed: 1, saved: null, steps: 100 },
    });
    const speech = tokenizeSource('speech', source, codec, (wave) => ({ kind: 'speech', wave }));
    expect([speech.maxLength, speech.vocabSize, speech.fixedLength]).toEqual([16, 64, true]);
    expect(speech.encode(speech.raw('test', 2))).toEqual(speech.test.ids.slice(32, 48));
    expect(speech.decode(speech.test.ids.slice(0, 16)).kind).toBe('tokens');
    const [learned, kmeans] = compareTest(speech)!.made;
    // in variances of the training frames: the mean frame has 1
    expect(learned!.error).toBeLessThan(0.6);
    expect(learned!.perplexity).toBeGreaterThan(30);
    expect(kmeans!.error).toBeLessThan(1);
    const read = await learnedSpeechCodec(source.train.items, {
      ...{ kind: 'vq', seed: 9, saved: codec.learned!.toBytes(), steps: 0 },
    });
    expect(read.encodeAll!([speech.raw('test', 2)])).toEqual(speech.test.ids.slice(32, 48));
  }, 60_000);

  test('frames of any length are stretched, and turn back as they were', () => {
    const wave = {
      sampleRate: 8000,
      samples: Float32Array.from({ length: 4000 }, (_, t) => Math.sin(t)),
    };
    const frames: MfccFrames = mfcc(wave);
    const shape = frameForm(16, 13);
    const values = shape.values(frames);
    expect(values).toHaveLength(208);
    expect(shape.read(values)).toEqual(normaliseTime(frames, 16));
    expect(() => shape.values({ ...frames, coefficients: 12 })).toThrow(TokenizerError);
  });
});
