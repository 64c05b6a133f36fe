/** Pictures of samples in a row or a grid, framed green where the judge finds the right class and red elsewhere. */
import { type Image, mfcc, normaliseTime } from '@loretta-ts/tokenizers';
import { type ModalityData, nearestSequence } from '../data/modality';

/** Pixels of a picture for each pixel of an image. */
const SCALE = 2;
/** Pixels between frames. */
const GAP = 3;
/** Pixels of a frame. */
const FRAME = 2;
/** Frames of time and coefficients in the picture of a recording. */
const [FRAMES, COEFFICIENTS] = [28, 13];

type Colour = readonly [number, number, number];
const RIGHT: Colour = [60, 160, 70];
const WRONG: Colour = [210, 80, 80];
const PLAIN: Colour = [170, 170, 170];
const HOLE = 128;

/** A picture of a sample, and how it is framed. */
export interface Framed {
  /** One channel. */
  readonly image: Image;
  /** Null where there is no right or wrong. */
  readonly right: boolean | null;
}

/**
 * An image as it is decoded, a recording as the cepstrum of the training recording nearest to its codes, time to the
 * right and the lowest coefficient on top; null for what has no picture.
 */
export function pictureOf(m: ModalityData, ids: readonly number[]): Image | null {
  const sample = m.decode(ids);
  if (sample.kind === 'image') return firstChannel(sample.image);
  if (sample.kind === 'text') return null;
  const near = sample.kind === 'speech' ? sample : m.raw('train', nearestSequence(m.train, ids));
  if (near.kind !== 'speech') return null;
  const { data } = normaliseTime(mfcc(near.wave, { coefficients: COEFFICIENTS }), FRAMES);
  const pixels = new Uint8Array(FRAMES * COEFFICIENTS * 2);
  for (let c = 0; c < COEFFICIENTS; c++) {
    const row = Array.from({ length: FRAMES }, (_, t) => data[t * COEFFICIENTS + c]!);
    const spread = Math.max(1e-6, ...row.map(Math.abs));
    row.forEach((x, t) => {
      const value = Math.round(127.5 * (1 + x / spread));
      pixels.fill(value, 2 * c * FRAMES + t, 2 * c * FRAMES + t + 1);
      pixels.fill(value, (2 * c + 1) * FRAMES + t, (2 * c + 1) * FRAMES + t + 1);
    });
  }
  return { width: FRAMES, height: 2 * COEFFICIENTS, channels: 1, data: pixels };
}

/** An image with the tokens of a span taken out: grey wherever they decide a pixel; null for what is no image. */
export function withHole(
  m: ModalityData,
  ids: readonly number[],
  [start, end]: readonly [number, number],
): Image | null {
  const filled = [0, 1, 2].map((id) =>
    m.decode(ids.map((own, i) => (i >= start && i < end ? id % m.vocabSize : own))),
  );
  const images = filled.flatMap((x) => (x.kind === 'image' ? [firstChannel(x.image)] : []));
  const [first] = images;
  if (first === undefined) return null;
  const data = first.data.map((value, at) =>
    images.every((image) => image.data[at] === value) ? value : HOLE,
  );
  return { ...first, data };
}

/** Pictures of one size as rows of a grid, an RGB image. Null for none. */
export function grid(rows: readonly (readonly Framed[])[]): Image | null {
  const first = rows.flat()[0]?.image;
  if (first === undefined) return null;
  const [w, h] = [first, first].map((x, i) => (i === 0 ? x.width : x.height) * SCALE + 2 * FRAME);
  const columns = Math.max(...rows.map((row) => row.length));
  const width = columns * (w! + GAP) + GAP;
  const height = rows.length * (h! + GAP) + GAP;
  const data = new Uint8Array(width * height * 3).fill(255);
  const box = (x: number, y: number, wide: number, high: number, colour: Colour): void => {
    for (let row = y; row < y + high; row++) {
      for (let at = x; at < x + wide; at++) data.set(colour, 3 * (row * width + at));
    }
  };
  rows.forEach((row, r) => {
    row.forEach(({ image, right }, column) => {
      const [x, y] = [GAP + column * (w! + GAP), GAP + r * (h! + GAP)];
      box(x, y, w!, h!, right === null ? PLAIN : right ? RIGHT : WRONG);
      for (let i = 0; i < image.data.length; i++) {
        const value = image.data[i]!;
        const left = x + FRAME + (i % image.width) * SCALE;
        const top = y + FRAME + Math.floor(i / image.width) * SCALE;
        box(left, top, SCALE, SCALE, [value, value, value]);
      }
    });
  });
  return { width, height, channels: 3, data };
}

function firstChannel(image: Image): Image {
  if (image.channels === 1) return image;
  const data = image.data.filter((_, i) => i % image.channels === 0);
  return { ...image, channels: 1, data };
}
