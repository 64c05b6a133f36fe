import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  decodeWav,
  encodeWav,
  fitDuration,
  MuLawTokenizer,
  resample,
  TokenizerError,
  type Wave,
} from '../src/index';

fc.configureGlobal({ seed: 20240605, numRuns: 60 });

const samples = fc.float32Array({ min: -1, max: 1, noNaN: true, maxLength: 200 });

function tone(hertz: number, sampleRate: number, length: number): Wave {
  const at = (i: number): number => 0.5 * Math.sin((2 * Math.PI * hertz * i) / sampleRate);
  return { sampleRate, samples: Float32Array.from({ length }, (_, i) => at(i)) };
}

interface WavFields {
  readonly encoding: number;
  readonly bits: number;
  readonly channels: number;
  readonly data: readonly number[];
  readonly before?: readonly number[];
}

/** A WAV file byte by byte, so that nothing but the format is trusted. */
function wavBytes({ encoding, bits, channels, data, before = [] }: WavFields): Uint8Array {
  const u16 = (v: number): number[] => [v & 255, v >> 8];
  const u32 = (v: number): number[] => [...u16(v & 0xffff), ...u16(v >>> 16)];
  const text = (s: string): number[] => [...s].map((c) => c.charCodeAt(0));
  const block = (channels * bits) / 8;
  const format = [
    ...u16(encoding),
    ...u16(channels),
    ...u32(8000),
    ...u32(8000 * block),
    ...u16(block),
    ...u16(bits),
  ];
  const body = [
    ...text('WAVEfmt '),
    ...u32(16),
    ...format,
    ...before,
    ...text('data'),
    ...u32(data.length),
    ...data,
  ];
  return Uint8Array.from([...text('RIFF'), ...u32(body.length), ...body]);
}

function bytesOf(values: Int32Array | Float32Array | Float64Array): number[] {
  return [...new Uint8Array(values.buffer)];
}

describe('wav', () => {
  test('16-bit round trip: half a step of error, then none', () => {
    fc.assert(
      fc.property(samples, fc.constantFrom(8000, 22050, 48000), (x, sampleRate) => {
        const first = decodeWav(encodeWav({ sampleRate, samples: x }));
        expect(first.sampleRate).toBe(sampleRate);
        expect(first.samples.length).toBe(x.length);
        first.samples.forEach((v, i) => {
          expect(Math.abs(v - x[i]!)).toBeLessThanOrEqual(1 / 32768);
        });
        expect(decodeWav(encodeWav(first))).toEqual(first);
      }),
    );
  });

  test.each<[string, WavFields, number[]]>([
    ['8 bit', { encoding: 1, bits: 8, channels: 1, data: [0, 128, 192] }, [-1, 0, 0.5]],
    ['16 bit', { encoding: 1, bits: 16, channels: 1, data: [0, 0x80, 0, 0x40] }, [-1, 0.5]],
    ['24 bit', { encoding: 1, bits: 24, channels: 1, data: [0, 0, 0x80, 0, 0, 0x20] }, [-1, 0.25]],
    [
      '32 bit',
      { encoding: 1, bits: 32, channels: 1, data: bytesOf(Int32Array.of(-(2 ** 31), 2 ** 30)) },
      [-1, 0.5],
    ],
    [
      'float',
      { encoding: 3, bits: 32, channels: 1, data: bytesOf(Float32Array.of(0.5, -0.125, 7)) },
      [0.5, -0.125, 1],
    ],
    [
      'double',
      { encoding: 3, bits: 64, channels: 1, data: bytesOf(Float64Array.of(0.5, -0.125)) },
      [0.5, -0.125],
    ],
    [
      'stereo is averaged',
      { encoding: 1, bits: 16, channels: 2, data: [0, 0x40, 0, 0, 0, 0x40, 0, 0xc0] },
      [0.25, 0],
    ],
    [
      'a chunk of odd size before the data',
      {
        encoding: 1,
        bits: 8,
        channels: 1,
        data: [128, 255],
        before: [...'junk'].map((c) => c.charCodeAt(0)).concat(3, 0, 0, 0, 1, 2, 3, 0),
      },
      [0, 127 / 128],
    ],
  ])('%s', (_, fields, expected) => {
    const wave = decodeWav(wavBytes(fields));
    expect(wave.sampleRate).toBe(8000);
    expect([...wave.samples]).toEqual(expected);
  });

  test('every truncation is refused in one line', () => {
    const file = encodeWav(tone(440, 8000, 40));
    for (let n = 0; n < file.length; n++) {
      let message = 'accepted';
      try {
        decodeWav(file.subarray(0, n));
      } catch (error) {
        expect(error).toBeInstanceOf(TokenizerError);
        message = (error as Error).message;
      }
      expect(message).toMatch(/^decodeWav: (truncated|not a RIFF)[^\n]*$/);
    }
  });

  test('no damage to the header hangs, crashes or gives samples beyond [-1, 1]', () => {
    const file = encodeWav(tone(440, 8000, 40));
    const edits = fc.array(fc.tuple(fc.nat({ max: 47 }), fc.nat({ max: 255 })), { minLength: 1 });
    fc.assert(
      fc.property(edits, (list) => {
        const damaged = file.slice();
        for (const [at, value] of list) damaged[at] = value;
        try {
          const { samples: got } = decodeWav(damaged);
          expect(got.every((v) => v >= -1 && v <= 1)).toBe(true);
        } catch (error) {
          expect(error).toBeInstanceOf(TokenizerError);
        }
      }),
      { numRuns: 300 },
    );
  });

  test('says what is wrong', () => {
    const base = { encoding: 1, bits: 16, channels: 1, data: [0, 0] };
    const decode = (change: Partial<WavFields>): (() => Wave) => {
      return () => decodeWav(wavBytes({ ...base, ...change }));
    };
    expect(decode({ encoding: 2 })).toThrow(
      'decodeWav: encoding 2 with 16 bits is not supported: convert to 16-bit PCM first',
    );
    expect(decode({ data: [1, 2, 3] })).toThrow('has 3 bytes, not a multiple of a frame of 2');
    expect(decode({ channels: 0 })).toThrow('0 channels, expected 1 to 64');
    const nan = bytesOf(Float32Array.of(Number.NaN));
    expect(decode({ encoding: 3, bits: 32, data: nan })).toThrow('sample 0 is not finite');
    expect(() => decodeWav(new TextEncoder().encode('<!DOCTYPE html>'))).toThrow(
      'decodeWav: not a RIFF/WAVE file',
    );
    expect(decodeWav(wavBytes({ ...base, data: [] })).samples.length).toBe(0);
    expect(() => encodeWav({ sampleRate: 8000, samples: Float32Array.of(Number.NaN) })).toThrow(
      'encodeWav: sample 0 is NaN',
    );
    expect(() => encodeWav({ sampleRate: 0, samples: new Float32Array(1) })).toThrow(
      'encodeWav: sampleRate must be an integer in [1, 768000], got 0',
    );
  });
});

describe('resample', () => {
  test.each([
    [8000, 16000],
    [16000, 8000],
    [22050, 8000],
    [8000, 11025],
  ])('a 300 Hz tone from %d to %d Hz stays that tone', (from, to) => {
    const seconds = 0.2;
    const got = resample(tone(300, from, Math.round(from * seconds)), to);
    const want = tone(300, to, Math.round(to * seconds));
    expect(got.sampleRate).toBe(to);
    expect(got.samples.length).toBe(want.samples.length);
    const edge = Math.round(to * 0.02);
    for (let i = edge; i < want.samples.length - edge; i++) {
      expect(Math.abs(got.samples[i]! - want.samples[i]!)).toBeLessThan(0.005);
    }
  });

  test('what the new rate cannot hold is taken out instead of aliased', () => {
    const got = resample(tone(6000, 16000, 3200), 8000).samples.subarray(100, 1500);
    const rms = Math.sqrt(got.reduce((sum, v) => sum + v * v, 0) / got.length);
    expect(rms).toBeLessThan(0.01);
  });

  test('the same rate is the same wave; a constant stays constant', () => {
    fc.assert(
      fc.property(samples, fc.constantFrom(8000, 11025, 4000), (x, to) => {
        const wave = { sampleRate: 8000, samples: x };
        expect(resample(wave, 8000)).toEqual(wave);
        const flat = resample({ sampleRate: 8000, samples: new Float32Array(50).fill(0.25) }, to);
        for (const v of flat.samples) expect(v).toBeCloseTo(0.25, 5);
        expect(resample(wave, to).samples.every((v) => Number.isFinite(v))).toBe(true);
      }),
    );
    expect(() => resample(tone(1, 8000, 8), 0)).toThrow(TokenizerError);
  });

  test('fitDuration cuts and pads', () => {
    const wave = { sampleRate: 10, samples: Float32Array.of(1, 0.5, 0.25) };
    expect([...fitDuration(wave, 0.2).samples]).toEqual([1, 0.5]);
    expect([...fitDuration(wave, 0.5).samples]).toEqual([1, 0.5, 0.25, 0, 0]);
    expect(() => fitDuration(wave, -1)).toThrow(TokenizerError);
  });
});

describe('mu-law', () => {
  test('every level decodes to itself, for any number of levels', () => {
    fc.assert(
      fc.property(fc.oneof(fc.constant(256), fc.integer({ min: 2, max: 4096 })), (levels) => {
        const tokenizer = new MuLawTokenizer({ levels });
        const all = Int32Array.from({ length: levels }, (_, i) => i);
        expect(tokenizer.encode(tokenizer.decode(all))).toEqual(all);
      }),
    );
  });

  test('idempotent, in range, and precise near zero', () => {
    const tokenizer = new MuLawTokenizer();
    expect(tokenizer.vocabSize).toBe(256);
    fc.assert(
      fc.property(samples, (x) => {
        const ids = tokenizer.encode(x);
        expect(ids.every((id) => id >= 0 && id < 256)).toBe(true);
        const decoded = tokenizer.decode(ids);
        expect(tokenizer.encode(decoded)).toEqual(ids);
        // Step of the companding curve: half of it is about ln(256)/255 · (|x| + 1/255).
        decoded.forEach((v, i) => {
          expect(Math.abs(v - x[i]!)).toBeLessThan(0.0225 * (Math.abs(x[i]!) + 1 / 255));
        });
      }),
    );
  });

  test("values of WaveNet's formula", () => {
    // Python: int((np.sign(x)*np.log1p(255*abs(x))/np.log1p(255)+1)/2*255+0.5)
    const tokenizer = new MuLawTokenizer();
    const x = Float32Array.of(-1, -0.5, -0.01, 0, 0.01, 0.5, 1, 3);
    expect([...tokenizer.encode(x)]).toEqual([0, 16, 98, 128, 157, 239, 255, 255]);
    expect(() => tokenizer.encode(Float32Array.of(0, Number.NaN))).toThrow(
      'MuLawTokenizer.encode: sample 1 is NaN',
    );
    expect(() => tokenizer.decode([256])).toThrow('id 256 at position 0 is outside [0, 256)');
  });
});
