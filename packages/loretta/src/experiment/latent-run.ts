/**
 * LoReTTa without quantisation: digits as vectors of their patches, captions that name them, and codes that are seen with
 * captions only. One decoder models all three; images are scored by their exact density (GIVT, Tschannen et al. 2023).
 */
import { type Abortable, hostRandom, key } from '@loretta-ts/core';
import { Decoder } from '@loretta-ts/nn';
import type { Image } from '@loretta-ts/tokenizers';
import type { PairSet } from '../data/align';
import { CAPTION_LENGTH, CAPTION_WORDS, type CaptionOptions, captions } from '../data/captions';
import { captionCodec } from '../data/codecs';
import { DataError, requireCount, requireReal } from '../data/errors';
import { type TokenSet, tokenizeSource } from '../data/modality';
import { assertNeverPaired } from '../data/neverPaired';
import { PatchLatents } from '../data/patchLatents';
import { PairSampler } from '../data/sampler';
import { byClass, type RawSource } from '../data/source';
import { standardNormal } from '../data/standardNormal';
import { Toy } from '../data/toy';
import { type Estimate, meanOf } from '../evaluate/intervals';
import { ModalityGraph } from '../graph';
import { generateLatentBlock } from '../infer/generate-latents';
import { takeBlock, takeRows } from '../infer/rows';
import { logLikelihood } from '../infer/score';
import type { Block } from '../sequence';
import { makeArm } from '../train/arms';
import { modalitiesOf, rowsOf, type TokenData, tokenData } from '../train/data';
import { Trainer, type TrainOptions } from '../train/trainer';
import { Vocabulary } from '../vocabulary';

/** What decides a run. Plain JSON. */
export interface LatentSettings {
  /** Of the weights, the data and what is generated. */
  readonly seed: number;
  /** Numbers of a vector. */
  readonly latentDim: number;
  /** Gaussians of the mixture. */
  readonly components: number;
  /** Deviation of the noise on standardised vectors, in training and in scores: no density is without bound. */
  readonly noise: number;
  /** Width of the residual stream. */
  readonly dim: number;
  /** Number of blocks. */
  readonly layers: number;
  /** Heads of attention. */
  readonly heads: number;
  /** Steps in all. */
  readonly steps: number;
  /** First step at which batches may be transitive. */
  readonly switchAt: number;
  /** Share of transitive batches from there on. */
  readonly share: number;
  /** Rows of each pair in a step. */
  readonly batch: number;
  /** Largest learning rate. */
  readonly lr: number;
}

/** Names of the modalities: text is the link, image and code are never seen together. */
export type LatentName = 'image' | 'text' | 'code';

/** One direction on test rows. */
export interface LatentDirection {
  /** The condition. */
  readonly from: LatentName;
  /** What is scored. */
  readonly to: LatentName;
  /** Bits of `to` given `from` of the same class: per dimension of an image, per token of the others. */
  readonly bits: Estimate;
  /** The same given nothing. */
  readonly alone: Estimate;
  /** Bits given `from` of another class, less `bits`, by row: above 0 where the condition is used. */
  readonly gain: Estimate;
}

/** Settings of a few minutes on a CPU. */
export const LATENT_SETTINGS: LatentSettings = {
  ...{ seed: 0, latentDim: 8, components: 8, noise: 0.1, dim: 64, layers: 3, heads: 4 },
  ...{ steps: 2500, switchAt: 1000, share: 0.5, batch: 24, lr: 4e-3 },
};

/** Directions that are scored; the last two were never seen. */
const DIRECTIONS: readonly (readonly [LatentName, LatentName])[] = [
  ['text', 'image'],
  ['image', 'text'],
  ['code', 'text'],
  ['text', 'code'],
  ['code', 'image'],
  ['image', 'code'],
];

/** A model on digits as vectors: train it, score it, draw from it. */
export class LatentRun {
  /** What decides the run. */
  readonly settings: LatentSettings;
  /** Images to vectors and back. */
  readonly codec: PatchLatents;
  /** Joint vocabulary. */
  readonly vocab: Vocabulary;
  /** The model in training. */
  readonly model: Decoder;
  readonly #data: Readonly<Record<LatentName, TokenData>>;
  readonly #trainer: Trainer;

  /**
   * @param texts captions of five words of the grammar, twice as many of a class as there are images; default drawn
   * @throws DataError, ValueError for settings that do not fit, or a class without images
   */
  constructor(
    images: RawSource<Image>,
    settings: LatentSettings,
    texts: (sizes: CaptionOptions) => RawSource<string> = captions,
  ) {
    const { seed, noise, dim, layers, heads, components, latentDim, batch } = settings;
    requireReal('LatentRun: noise', noise, 0, 10);
    this.settings = settings;
    this.codec = PatchLatents.fit(images.train.items, { dim: latentDim });
    this.#data = makeData(this.codec.data('image', images), settings, texts);
    const pairs = makePairs(this.#data);
    const data = { modalities: this.#data, pairs };
    this.vocab = new Vocabulary(modalitiesOf({ ...data, test: noTest, oracle: null }));
    this.model = new Decoder(
      {
        ...{ vocab: this.vocab.size, dim, layers, heads },
        positions: ['rope', 'within-block'],
        withinLength: this.vocab.withinSize,
        maxLength: this.vocab.withinSize,
        latent: { dim: latentDim, components },
      },
      key(seed).fold(1),
    );
    this.#trainer = new Trainer({
      model: this.model,
      vocab: this.vocab,
      graph: new ModalityGraph(
        Object.keys(this.#data),
        pairs.map((pair) => pair.modalities),
      ),
      sources: pairs.map(
        (pair, i) =>
          new PairSampler(data, pair, {
            ...{ batch, seed: seed + 1000 + i, repair: true },
            noise: { image: { gaussian: noise } },
          }),
      ),
      guard: assertNeverPaired(data, 'image', 'code'),
      ...{ seed, totalSteps: settings.steps, lr: settings.lr, lrWarmup: 50, minLr: 0.1 },
      ...{ weightDecay: 0.1, clip: 1 },
    });
  }

  /** Steps taken. */
  get steps(): number {
    return this.#trainer.steps;
  }

  /**
   * Goes on to a step, by default to the end. Stopped by its signal, it may be called again.
   * @throws NonFiniteError when training diverges; what the signal was aborted with
   */
  async train({ to, onEvent, signal }: TrainOptions = {}): Promise<void> {
    const { switchAt, share } = this.settings;
    const arm = makeArm('transitive', ['image', 'text', 'code'], {
      ...{ share, temperature: 1, guidance: null, lossOn: 'real', allProbability: 0 },
    });
    const run = this.#trainer.run(arm, {
      share: (step) => (step < switchAt ? 0 : share),
      to,
      signal,
    });
    for await (const event of run) onEvent?.(event);
  }

  /** Test rows `[b, length]` of a modality, of the classes 0, 1, … in turn. @throws DataError when there are fewer */
  testBlock(name: LatentName, b: number): Block {
    const { test } = this.#data[name];
    const groups = byClass(test.labels, test.classes);
    const most = test.classes * Math.min(...groups.map((group) => group.length));
    requireCount('LatentRun: rows', b, 1, most);
    const rows = Int32Array.from(
      { length: b },
      (_, i) => groups[i % test.classes]![Math.floor(i / test.classes)]!,
    );
    const ids = rowsOf(this.vocab, name, test, rows);
    if (test.latents === undefined) return { modality: name, ids, generated: false };
    const latents = takeRows(test.latents, test.labels.length, rows);
    return { modality: name, ids, latents, generated: false };
  }

  /** Scores every direction on `b` test rows, ten of each class in turn. @throws what the signal was aborted with */
  async evaluate(b: number, { signal }: Abortable = {}): Promise<LatentDirection[]> {
    const scored: LatentDirection[] = [];
    for (const [from, to] of DIRECTIONS) {
      const [given, wanted] = [this.testBlock(from, b), this.testBlock(to, b)];
      // the row of the next class; the last takes the first
      const next = Int32Array.from({ length: b }, (_, i) => (i + 1) % b);
      const other = takeBlock(given, b, next);
      const numbers = (wanted.latents ?? wanted.ids).length / b;
      const bits = async (condition: readonly Block[]): Promise<Float64Array> => {
        const nats = await logLikelihood(this.model, this.vocab, condition, wanted, b, {
          signal,
        });
        return nats.map((x) => -x / numbers / Math.LN2);
      };
      const [own, mistaken, alone] = [await bits([given]), await bits([other]), await bits([])];
      const gain = meanOf(own.map((x, i) => mistaken[i]! - x));
      scored.push({ from, to, bits: meanOf(own), alone: meanOf(alone), gain });
    }
    return scored;
  }

  /** An image for each row of a condition; `draw` counts what is drawn, and others are independent of it. */
  async images(
    condition: Block,
    temperature: number,
    draw = 0,
    { signal }: Abortable = {},
  ): Promise<Image[]> {
    const { model, vocab, settings } = this;
    const latents = await generateLatentBlock(model, vocab, [condition], 'image', {
      key: key(settings.seed).fold(2).fold(draw),
      temperature,
      signal,
    });
    return this.decode(latents);
  }

  /** What the vectors of a block of images keep of them. */
  decode(latents: Float32Array): Image[] {
    const { codec } = this;
    const size = codec.length * codec.dim;
    return Array.from({ length: latents.length / size }, (_, i) =>
      codec.decode(latents.subarray(i * size, (i + 1) * size)),
    );
  }

  /** Frees the weights and the optimiser's state. */
  dispose(): void {
    this.#trainer.dispose();
    this.model.dispose();
  }

  /** As `dispose`, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}

const noTest = { modalities: [], size: 0, index: new Int32Array(0), labels: new Int32Array(0) };

/** Image, text and code, of the same classes; every caption is used in one pair set. */
function makeData(
  image: TokenData,
  { seed, noise }: LatentSettings,
  texts: (sizes: CaptionOptions) => RawSource<string>,
): Readonly<Record<LatentName, TokenData>> {
  const classes = image.train.classes;
  const least = (set: TokenSet): number =>
    Math.min(...byClass(set.labels, classes).map((group) => group.length));
  const [train, test] = [least(image.train), least(image.test)];
  if (train < 1 || test < 1)
    throw new DataError('class', 'LatentRun', 'a class has no images: add some');
  const text = tokenizeSource(
    'text',
    texts({ seed, trainPerClass: 2 * train, testPerClass: test }),
    captionCodec(CAPTION_WORDS, CAPTION_LENGTH),
    (caption) => ({ kind: 'text', text: caption }),
  );
  const toy = new Toy({ seed, classes, modalities: [{ name: 'code', length: 6, noise: 0.2 }] });
  const random = hostRandom(seed + 1);
  const codes = (perClass: number): TokenSet => {
    const labels = Int32Array.from({ length: perClass * classes }, (_, i) => i % classes);
    return { ids: toy.sample('code', labels, random), length: 6, labels, classes };
  };
  const ofNoise = hostRandom(seed + 2);
  const latents = image.test.latents!.map((x) => x + noise * standardNormal(ofNoise));
  return {
    image: { ...image, test: { ...image.test, latents } },
    text: tokenData(text),
    code: {
      ...{ name: 'code', vocabSize: toy.alphabet, maxLength: 6, fixedLength: true },
      train: codes(train),
      test: codes(test),
    },
  };
}

/** Image k of a class with caption k, and code k with a caption of the other half. */
function makePairs({ image, text, code }: Readonly<Record<LatentName, TokenData>>): PairSet[] {
  const groups = [image, text, code].map(({ train }) => byClass(train.labels, train.classes));
  const perClass = Math.min(...groups[0]!.map((group) => group.length));
  const pair = (names: readonly [LatentName, LatentName], sides: [number, number]): PairSet => {
    const labels: number[] = [];
    const index: number[] = [];
    groups[0]!.forEach((_, label) => {
      for (let k = 0; k < perClass; k++) {
        labels.push(label);
        const second = names[0] === 'text';
        index.push(groups[sides[0]]![label]![second ? perClass + k : k]!);
        index.push(groups[sides[1]]![label]![k]!);
      }
    });
    return {
      modalities: names,
      size: labels.length,
      index: Int32Array.from(index),
      labels: Int32Array.from(labels),
    };
  };
  return [pair(['image', 'text'], [0, 1]), pair(['text', 'code'], [1, 2])];
}
