/** Codecs that are stored as JSON encode and decode as those that were trained. */
import { beforeAll, describe, expect, it } from 'vitest';
import { DataError } from '../src/data/errors';
import { restoreCodec, type SavedCodec, saveCodec } from '../src/data/savedCodec';
import type { SvlMnist, SvlName } from '../src/data/svlMnist';
import { smallSvl } from './data-small';

let data: SvlMnist;
beforeAll(async () => {
  data = await smallSvl();
});

describe.each<SvlName>(['image', 'text', 'speech'])('%s', (name) => {
  it('comes back from JSON with the same tokens for every test sample', () => {
    const m = data.modalities[name]!;
    const text = JSON.stringify(saveCodec(m));
    const codec = restoreCodec(JSON.parse(text) as SavedCodec);
    expect([codec.vocabSize, codec.maxLength, codec.fixedLength, codec.describe]).toEqual([
      m.vocabSize,
      m.maxLength,
      true,
      m.describe,
    ]);
    for (let i = 0; i < m.test.labels.length; i++) {
      const ids = m.test.ids.subarray(i * m.maxLength, (i + 1) * m.maxLength);
      expect(codec.encode(m.raw('test', i))).toEqual(ids);
      expect(codec.decode(ids)).toEqual(m.decode(ids));
    }
  });
});

it('speech of another rate is resampled', () => {
  const m = data.modalities['speech']!;
  const codec = restoreCodec(saveCodec(m));
  const first = m.raw('test', 0);
  if (first.kind !== 'speech') throw new Error(first.kind);
  const { samples, sampleRate } = first.wave;
  const twice = Float32Array.from({ length: 2 * samples.length }, (_, i) => samples[i >> 1]!);
  const ids = codec.encode({
    kind: 'speech',
    wave: { sampleRate: 2 * sampleRate, samples: twice },
  });
  const same = ids.filter((id, i) => id === m.test.ids[i]).length;
  expect(same).toBeGreaterThan(m.maxLength / 2);
});

it('what cannot be stored or read is refused', () => {
  const m = data.modalities['image']!;
  expect(() => saveCodec({ ...m, toJSON: () => ({ kind: 'pixels' }) })).toThrow(DataError);
  const learned = {
    kind: 'vq' as const,
    toBytes: () => new Uint8Array(),
    compare: () => ({}) as never,
  };
  expect(() => saveCodec({ ...m, learned })).toThrow(/cannot be saved alone/);
  const saved = { kind: 'other' } as unknown as SavedCodec;
  expect(() => restoreCodec(saved)).toThrow(/no kind other/);
  const speech = saveCodec(data.modalities['speech']!);
  expect(() => restoreCodec({ ...speech, sampleRate: 0 } as SavedCodec)).toThrow(DataError);
});
