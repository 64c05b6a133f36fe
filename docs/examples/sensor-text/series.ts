/** The new modality: readings of a motion sensor, a tokenizer for them, and a source of examples. */
import type { HostRandom } from '@loretta-ts/core';
import { type FixedLengthTokenizer, TokenizerError } from '@loretta-ts/tokenizers';

/** Readings of a series. */
export const READINGS = 16;

/** A reading from -1 to 1 becomes one of so many levels. Lossy: `encode(decode(encode(x)))` is `encode(x)`. */
export class SeriesTokenizer implements FixedLengthTokenizer<Float32Array> {
  readonly length = READINGS;
  readonly vocabSize = 16;

  encode(series: Float32Array): Int32Array {
    if (series.length !== READINGS || !series.every(Number.isFinite))
      throw new TokenizerError('input', 'SeriesTokenizer', `not ${READINGS} finite readings`);
    const top = this.vocabSize - 1;
    return Int32Array.from(series, (x) =>
      Math.round(((Math.max(-1, Math.min(1, x)) + 1) / 2) * top),
    );
  }

  decode(ids: ArrayLike<number>): Float32Array {
    return Float32Array.from(ids, (id) => {
      if (id >= 0 && id < this.vocabSize) return (2 * id) / (this.vocabSize - 1) - 1;
      throw new TokenizerError('id', 'SeriesTokenizer', `${id} is not in [0, ${this.vocabSize})`);
    });
  }
}

/** What can happen: a shape of the readings over the time t in [0, 1), and how people say it. */
export const EVENTS = [
  { says: ['rests', 'lies still'], shape: () => 0 },
  { says: ['walks', 'goes slowly'], shape: (t: number) => 0.5 * Math.sin(4 * Math.PI * t) },
  { says: ['runs', 'goes fast'], shape: (t: number) => 0.9 * Math.sin(10 * Math.PI * t) },
  { says: ['climbs', 'goes up'], shape: (t: number) => 1.6 * t - 0.8 },
  { says: ['descends', 'goes down'], shape: (t: number) => 0.8 - 1.6 * t },
  { says: ['falls', 'drops suddenly'], shape: (t: number) => (t < 0.4 ? 0.2 : t < 0.6 ? 1 : -0.9) },
] as const;

/** Readings of an event, a little late or early, with noise. */
export function record(event: number, random: HostRandom): Float32Array {
  const late = (random.uniform() - 0.5) / 12;
  return Float32Array.from({ length: READINGS }, (_, i) => {
    const t = i / READINGS + late;
    return EVENTS[event]!.shape(t) + 0.12 * (random.uniform() + random.uniform() - 1);
  });
}

/** A sentence about an event. */
export function describe(event: number, random: HostRandom): string {
  const who = ['the person', 'the robot', 'somebody'][random.int(3)]!;
  return `${who} ${EVENTS[event]!.says[random.int(2)]!}`;
}

/** The event that a sentence is about, or -1. */
export function eventOf(sentence: string): number {
  return EVENTS.findIndex(({ says }) => says.some((words) => sentence.endsWith(words)));
}

/** A series as a line of blocks. */
export function sparkline(series: Float32Array): string {
  const blocks = '▁▂▃▄▅▆▇█';
  return Array.from(series, (x) => blocks[Math.round(((x + 1) / 2) * 7)] ?? '?').join('');
}
