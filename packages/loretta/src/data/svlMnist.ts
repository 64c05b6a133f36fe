/** SVL-MNIST: images, speech and text of the ten digits, seen together only in pairs with the link. */
import type { Image, Wave } from '@loretta-ts/tokenizers';
import { type AlignedData, alignByClass } from './align';
import { CAPTION_LENGTH, CAPTION_WORDS } from './captions';
import {
  captionCodec,
  type ImageTokens,
  imageCodec,
  type SpeechTokens,
  speechCodec,
} from './codecs';
import { DataError } from './errors';
import { requireClasses, tokenizeSource } from './modality';
import { assertNeverPaired, type BatchGuard } from './neverPaired';
import { type ReviewTokens, reviewCodec } from './reviewCodec';
import type { JobOptions, StageEvent } from '../events';
import type { RawSource } from './source';

/** Names of the three modalities. */
export type SvlName = 'image' | 'text' | 'speech';

/** Raw data of the three modalities. */
export interface SvlSources {
  /** Pictures of digits. */
  readonly image: RawSource<Image>;
  /** Captions or real texts. */
  readonly text: RawSource<string>;
  /** Spoken digits. */
  readonly speech: RawSource<Wave>;
}

/** Options of {@link svlMnist}. */
export interface SvlOptions extends JobOptions<StageEvent> {
  /** Seed of codebooks and alignment. */
  readonly seed: number;
  /** The modality that is seen with both others. Default 'text'. */
  readonly link?: SvlName;
  /** Default: a codebook of 64 patches of 7×7. */
  readonly image?: ImageTokens;
  /** Default: a codebook of 64 MFCC frames, 16 a recording. */
  readonly speech?: SpeechTokens;
  /** Default: captions word by word. Real texts need one of the others. */
  readonly text?:
    | {
        /** Captions of our grammar. */
        readonly kind: 'caption';
      }
    | ReviewTokens;
  /** Pairs per class, of both pair sets or of each: (link, first other), (link, second other). Default: all there are. */
  readonly pairsPerClass?: number | readonly number[];
  /** Draw with replacement where a class has too few samples. Default false. */
  readonly reuse?: boolean;
  /** Test rows per class. Default: all there are. */
  readonly testPerClass?: number;
}

/** Aligned SVL-MNIST. */
export interface SvlMnist extends AlignedData {
  /** The modality that is seen with both others. */
  readonly link: SvlName;
  /** The two modalities that are never seen together. */
  readonly unseen: readonly [SvlName, SvlName];
  /** To be called on every training batch. */
  readonly guard: BatchGuard;
}

const NAMES: readonly SvlName[] = ['image', 'text', 'speech'];

/**
 * Tokenizes and aligns the three modalities, and asserts that the two that are not the link are never paired.
 * It is synchronous: a signal is looked at once, at the start.
 * @throws DataError for a class with too few samples or options out of range; what the signal was aborted with
 */
export function svlMnist(sources: SvlSources, options: SvlOptions): SvlMnist {
  options.signal?.throwIfAborted();
  const { seed } = options;
  const link = options.link ?? 'text';
  const [a, c] = NAMES.filter((name) => name !== link);
  if (!NAMES.includes(link) || a === undefined || c === undefined) {
    throw new DataError('config', 'link', `must be image, text or speech, got ${String(link)}`);
  }
  const advance = (done: number): void =>
    options.onEvent?.({ type: 'stage', stage: 'tokens', done, total: NAMES.length });
  const { image, text, speech } = sources;
  for (const name of NAMES) requireClasses(name, sources[name]);
  advance(0);
  const imageTokens = imageCodec(image.train.items, options.image ?? { kind: 'codebook' }, seed);
  const images = tokenizeSource('image', image, imageTokens, (item) => ({
    kind: 'image',
    image: item,
  }));
  advance(1);
  const speechTokens = speechCodec(
    speech.train.items,
    options.speech ?? { kind: 'codebook' },
    seed + 1,
  );
  const spoken = tokenizeSource('speech', speech, speechTokens, (wave) => ({
    kind: 'speech',
    wave,
  }));
  advance(2);
  const textTokens =
    options.text === undefined || options.text.kind === 'caption'
      ? captionCodec(CAPTION_WORDS, CAPTION_LENGTH)
      : reviewCodec(text.train.items, options.text);
  const texts = tokenizeSource('text', text, textTokens, (item) => ({ kind: 'text', text: item }));
  advance(3);
  const data = alignByClass(
    { image: images, text: texts, speech: spoken },
    { ...options, seed: seed + 2, pairs: [[link, a] as const, [link, c] as const] },
  );
  return { ...data, link, unseen: [a, c], guard: assertNeverPaired(data, a, c) };
}
