import { CharacterClasses } from './codePoints';

/** What BERT's normaliser does beyond cleaning the text. */
export interface BertNormalizerOptions {
  readonly lowercase: boolean;
  readonly stripAccents: boolean;
  /** Put spaces around Chinese characters. */
  readonly chinese: boolean;
}

const KEEP = 0;
const DROP = 1;
const SPACE = 2;
const CHINESE = 3;
type CleanClass = typeof KEEP | typeof DROP | typeof SPACE | typeof CHINESE;

const WORD = 0;
const GAP = 1;
const PUNCTUATION = 2;
type SplitClass = typeof WORD | typeof GAP | typeof PUNCTUATION;

/** BERT's "CJK characters": ideographs, not kana or hangul. */
const CHINESE_RANGES: readonly (readonly [number, number])[] = [
  [0x3400, 0x4dbf],
  [0x4e00, 0x9fff],
  [0xf900, 0xfaff],
  [0x20000, 0x2a6df],
  [0x2a700, 0x2b73f],
  [0x2b740, 0x2b81f],
  [0x2b820, 0x2ceaf],
  [0x2f800, 0x2fa1f],
];

/** Cleans text and cuts it into words and single punctuation marks, as BERT does (Devlin et al. 2019, tokenization.py). */
export class BertNormalizer {
  readonly #options: BertNormalizerOptions;
  readonly #clean: CharacterClasses<CleanClass> = new CharacterClasses<CleanClass>(cleanClass);
  readonly #split: CharacterClasses<SplitClass> = new CharacterClasses<SplitClass>(splitClass);

  constructor(options: BertNormalizerOptions) {
    this.#options = options;
  }

  /** The words and punctuation marks of `text`. */
  words(text: string): string[] {
    const normal = this.#normalise(text);
    const words: string[] = [];
    let start = 0;
    for (let at = 0; at < normal.length; ) {
      const codePoint = normal.codePointAt(at)!;
      const end = at + (codePoint > 0xffff ? 2 : 1);
      const kind = this.#split.of(codePoint);
      if (kind !== WORD) {
        if (at > start) words.push(normal.slice(start, at));
        if (kind === PUNCTUATION) words.push(normal.slice(at, end));
        start = end;
      }
      at = end;
    }
    if (start < normal.length) words.push(normal.slice(start));
    return words;
  }

  #normalise(text: string): string {
    const { lowercase, stripAccents, chinese } = this.#options;
    const parts: string[] = [];
    // what is kept goes on in one piece
    let start = 0;
    for (let at = 0; at < text.length; ) {
      const codePoint = text.codePointAt(at)!;
      const end = at + (codePoint > 0xffff ? 2 : 1);
      const kind = this.#clean.of(codePoint);
      if (kind !== KEEP && (kind !== CHINESE || chinese)) {
        if (at > start) parts.push(text.slice(start, at));
        if (kind === SPACE) parts.push(' ');
        else if (kind === CHINESE) parts.push(' ', text.slice(at, end), ' ');
        start = end;
      }
      at = end;
    }
    parts.push(text.slice(start));
    let normal = parts.join('');
    if (stripAccents) normal = normal.normalize('NFD').replace(/\p{Mn}/gu, '');
    // Character by character, so that a final Σ becomes σ and not ς.
    return lowercase ? normal.replaceAll('Σ', 'σ').toLowerCase() : normal;
  }
}

function cleanClass(character: string): CleanClass {
  // Of the control characters only these three count as space; U+0085 and the like are dropped.
  if (/[\t\n\r]/.test(character)) return SPACE;
  if (character === '\uFFFD' || /[\p{Cc}\p{Cf}\p{Co}\p{Cs}]/u.test(character)) return DROP;
  if (/\p{White_Space}/u.test(character)) return SPACE;
  const codePoint = character.codePointAt(0)!;
  return CHINESE_RANGES.some(([low, high]) => codePoint >= low && codePoint <= high)
    ? CHINESE
    : KEEP;
}

function splitClass(character: string): SplitClass {
  if (/\p{White_Space}/u.test(character)) return GAP;
  return /[!-/:-@[-`{-~\p{P}]/u.test(character) ? PUNCTUATION : WORD;
}
