/**
 * Short captions from a small grammar: a precise, cheap link between modalities (LORETTA §7.2). Five words, one of
 * them naming the class by one of four synonyms at any of the five places, the rest fillers.
 */
import { hostRandom } from '@loretta-ts/core';
import { DataError, requireCount } from './errors';
import type { Labelled, RawSource } from './source';

/** Words in a caption. */
export const CAPTION_LENGTH = 5;

/** `CLASS_WORDS[k]` are the four names of digit k: English, numeral, German, and Roman or a second English name. */
export const CLASS_WORDS: readonly (readonly string[])[] = [
  ['zero', '0', 'null', 'nought'],
  ['one', '1', 'eins', 'I'],
  ['two', '2', 'zwei', 'II'],
  ['three', '3', 'drei', 'III'],
  ['four', '4', 'vier', 'IV'],
  ['five', '5', 'fünf', 'V'],
  ['six', '6', 'sechs', 'VI'],
  ['seven', '7', 'sieben', 'VII'],
  ['eight', '8', 'acht', 'VIII'],
  ['nine', '9', 'neun', 'IX'],
];

/** Words that say nothing about the class. */
export const FILLER_WORDS: readonly string[] = [
  'the',
  'a',
  'this',
  'that',
  'here',
  'now',
  'see',
  'hear',
  'digit',
  'number',
  'sign',
  'figure',
  'again',
  'plain',
  'small',
  'clear',
  'simply',
  'maybe',
  'please',
  'someone',
];

/** Every word of the grammar: 40 class words, 20 fillers. */
export const CAPTION_WORDS: readonly string[] = [...CLASS_WORDS.flat(), ...FILLER_WORDS];

/** Options of {@link captions}. */
export interface CaptionOptions {
  /** Decides the words. */
  readonly seed: number;
  /** Captions of each digit for training. */
  readonly trainPerClass: number;
  /** Captions of each digit for testing; none of them is a training caption. */
  readonly testPerClass: number;
}

/**
 * Distinct captions, the same for the same seed.
 * @throws DataError when more are asked for than the grammar can give
 */
export function captions(options: CaptionOptions): RawSource<string> {
  // 4 synonyms · 5 places · 20⁴ fillers are 3.2 million a class; a tenth of it keeps redrawing rare.
  requireCount('captions: trainPerClass', options.trainPerClass, 0, 160_000);
  requireCount('captions: testPerClass', options.testPerClass, 0, 160_000);
  const random = hostRandom(options.seed);
  const used = new Set<string>();
  const draw = (digit: number): string => {
    const names = CLASS_WORDS[digit];
    if (names === undefined) throw new DataError('class', 'captions', `no words for ${digit}`);
    for (;;) {
      const words = Array.from(
        { length: CAPTION_LENGTH },
        () => FILLER_WORDS[random.int(FILLER_WORDS.length)]!,
      );
      words[random.int(CAPTION_LENGTH)] = names[random.int(names.length)]!;
      const text = words.join(' ');
      if (used.has(text)) continue;
      used.add(text);
      return text;
    }
  };
  const set = (perClass: number): Labelled<string> => {
    const labels = Int32Array.from(
      { length: perClass * CLASS_WORDS.length },
      (_, i) => i % CLASS_WORDS.length,
    );
    return { items: Array.from(labels, draw), labels };
  };
  return {
    name: 'captions',
    classes: CLASS_WORDS.length,
    train: set(options.trainPerClass),
    test: set(options.testPerClass),
    credit: 'captions: made by a grammar in this package, MIT',
  };
}
