/** Asks a model: what is in a picture, what a recording looks like. */
import { key } from '@loretta-ts/core';
import { generateBest, logLikelihood, trimSilence, toBlock } from '@loretta-ts/loretta';
import type { Decoder } from '@loretta-ts/nn';
import { MfccCodebook, vocode } from '@loretta-ts/tokenizers';
import type { PlaygroundModality } from '../format';
import type { Caption, Described, Imagined, Sound } from '../protocol';
import type { Assets } from './assets';

/** Answers that a model gives itself to choose from: those that the condition speaks for most stand first. */
const CANDIDATES = 8;
/** Pictures that are shown of them. */
const SHOWN = 7;
/** Of captions, whose grammar is nearly free: a low one keeps to the likely words. */
const CAPTION_TEMPERATURE = 0.7;
/** Quieter than so much of the peak is silence, but for a margin in seconds; as the training recordings were cut. */
const SILENCE = 0.02;
const MARGIN = 0.01;

/** What a picture `[side²]` is called and sounds like. */
export async function describe(
  assets: Assets,
  model: Decoder,
  image: Uint8Array,
  seed: number,
): Promise<Described> {
  const { codecs, picks } = assets;
  const { side } = picks;
  const shape = { width: side, height: side, channels: 1 };
  const ids = codecs.image.encode({ kind: 'image', image: { ...shape, data: image } });
  const caption = await captionOf(assets, model, 'image', ids, seed);
  const [codes] = await generate(assets, model, 'image', ids, 'speech', CANDIDATES, seed);
  return {
    caption,
    seen: picture(assets, ids),
    robot: robot(assets, codes!),
    nearest: nearest(assets, codes!),
    fit: await fit(assets, model, 'image', ids, 'speech'),
  };
}

/** What a recording is called and looks like. */
export async function imagine(
  assets: Assets,
  model: Decoder,
  sound: Sound,
  trim: boolean,
  seed: number,
): Promise<Imagined> {
  const wave = trim ? trimSilence(sound, SILENCE, MARGIN) : sound;
  const ids = assets.codecs.speech.encode({ kind: 'speech', wave });
  const images = await generate(assets, model, 'speech', ids, 'image', CANDIDATES, seed);
  return {
    caption: await captionOf(assets, model, 'speech', ids, seed),
    images: images.slice(0, SHOWN).map((one) => picture(assets, one)),
    fit: await fit(assets, model, 'speech', ids, 'image'),
  };
}

/** The picture of image ids, `[side²]`. */
export function picture({ codecs }: Assets, ids: Int32Array): Uint8Array {
  const sample = codecs.image.decode(ids);
  if (sample.kind !== 'image') throw new Error(`image ids decode to ${sample.kind}`);
  return sample.image.data;
}

/** n samples of `to` given one block of `from`, as local ids, the best by log p(x | c) − log p(x) first. */
async function generate(
  { vocab, manifest }: Assets,
  model: Decoder,
  from: PlaygroundModality,
  ids: Int32Array,
  to: PlaygroundModality,
  n: number,
  seed: number,
  temperature = 1,
): Promise<Int32Array[]> {
  const joint = toBlock(vocab, from, ids, ids.length, undefined);
  const condition = [{ modality: from, ids: joint, generated: false }];
  const { ids: made } = await generateBest(model, vocab, condition, to, {
    n,
    key: key(seed),
    temperature,
    guidance: manifest.config.evaluate.guidance,
  });
  const { length } = vocab.modality(to);
  const local = vocab.toLocal(to, made);
  return Array.from({ length: n }, (_, i) => local.slice(i * length, (i + 1) * length));
}

function repeat(ids: Int32Array, n: number): Int32Array {
  return Int32Array.from({ length: n * ids.length }, (_, i) => ids[i % ids.length]!);
}

/**
 * How well test samples of each class fit: log p(y | x) − log p(y) of every pick, the mean probability ratio of a class,
 * normalised over classes. Without the second term the commonness of y would decide.
 */
async function fit(
  { vocab, codecs, picks, manifest }: Assets,
  model: Decoder,
  from: PlaygroundModality,
  ids: Int32Array,
  to: 'image' | 'speech',
): Promise<number[]> {
  const { labels, side } = picks;
  const n = labels.length;
  const shape = { width: side, height: side, channels: 1 };
  const local = labels.map((_, i) =>
    to === 'image'
      ? codecs.image.encode({ kind: 'image', image: { ...shape, data: picks.images[i]! } })
      : codecs.speech.encode({ kind: 'speech', wave: picks.sounds[i]! }),
  );
  const { length } = local[0]!;
  const flat = Int32Array.from(local.flatMap((one) => [...one]));
  const target = { modality: to, ids: toBlock(vocab, to, flat, length, undefined) };
  const given = {
    modality: from,
    ids: toBlock(vocab, from, repeat(ids, n), ids.length, undefined),
  };
  const joint = await logLikelihood(model, vocab, [given], target, n);
  const prior = await logLikelihood(model, vocab, [], target, n);
  const ratio = joint.map((x, i) => x - prior[i]!);
  const top = Math.max(...ratio);
  const sums = Array.from({ length: manifest.classes }, (_, k) => {
    const own = [...ratio].filter((_, i) => labels[i] === k);
    return own.reduce((sum, x) => sum + Math.exp(x - top), 0) / Math.max(1, own.length);
  });
  const total = sums.reduce((a, b) => a + b, 0);
  return sums.map((x) => x / total);
}

async function captionOf(
  assets: Assets,
  model: Decoder,
  from: PlaygroundModality,
  ids: Int32Array,
  seed: number,
): Promise<Caption> {
  const [words] = await generate(
    assets,
    model,
    from,
    ids,
    'text',
    1,
    seed + 1,
    CAPTION_TEMPERATURE,
  );
  const { codecs, data } = assets;
  const { ids: all, length, labels } = data.modalities['text']!.train;
  const said = codecs.text.decode(words!);
  if (said.kind !== 'text') throw new Error(`text ids decode to ${said.kind}`);
  // a word that training captions of one class alone have
  for (const id of words!) {
    const classes = new Set<number>();
    for (let i = 0; i < all.length && classes.size < 2; i++) {
      if (all[i] === id) classes.add(labels[Math.floor(i / length)]!);
    }
    if (classes.size !== 1) continue;
    const word = codecs.text.decode(Int32Array.of(id));
    return {
      text: said.text,
      word: word.kind === 'text' ? word.text : null,
      digit: [...classes][0]!,
    };
  }
  return { text: said.text, word: null, digit: null };
}

/** The class of the training recording with the nearest codes, and the nearest recording of that class to play. */
function nearest(assets: Assets, codes: Int32Array): Described['nearest'] {
  const { data, voices } = assets;
  const book = codebook(assets);
  const { train } = data.modalities['speech']!;
  const digit = train.labels[nearestRow(book, train.ids, codes, () => true)]!;
  const row = nearestRow(book, voices.ids, codes, (i) => voices.labels[i] === digit);
  return { sound: voices.sounds[row]!, digit };
}

/** The row of `[n, length]` whose codes are nearest, in deviations of the coefficients. */
function nearestRow(
  { centroids, scale, coefficients, vocabSize }: MfccCodebook,
  rows: Int32Array,
  codes: Int32Array,
  counts: (row: number) => boolean,
): number {
  const { length } = codes;
  // from each code of the answer to every code
  const apart = Array.from(codes, (a) =>
    Float64Array.from({ length: vocabSize }, (_, b) => {
      let sum = 0;
      for (let c = 0; c < coefficients; c++) {
        const [x, y] = [centroids[a * coefficients + c]!, centroids[b * coefficients + c]!];
        sum += ((x - y) / scale[c]!) ** 2;
      }
      return sum;
    }),
  );
  let [best, least] = [0, Number.POSITIVE_INFINITY];
  for (let row = 0; row < rows.length / length; row++) {
    if (!counts(row)) continue;
    const sum = apart.reduce((all, from, t) => all + from[rows[row * length + t]!]!, 0);
    if (sum < least) [best, least] = [row, sum];
  }
  return best;
}

function codebook({ manifest }: Assets): MfccCodebook {
  const { codec } = manifest.modalities.speech;
  if (codec.kind !== 'frames') throw new Error(`speech has a codec of kind ${codec.kind}`);
  return MfccCodebook.fromJSON(codec.tokenizer);
}

/** Codes through the vocoder. */
function robot(assets: Assets, codes: Int32Array): Sound {
  const { voice } = assets.manifest;
  const { sampleRate } = assets.picks.sounds[0]!;
  const frames = codebook(assets).decode(codes);
  return vocode(frames, { sampleRate, seconds: voice.seconds, mean: voice.mean });
}
