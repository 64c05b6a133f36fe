/** What learned tokens keep: originals above their reconstructions, and a table beside the k-means codebook. */
import type { Image } from '@loretta-ts/tokenizers';
import type { ModalityData } from '../data/modality';
import type { Comparison } from '../data/reconstruction';
import { enlarged } from './sheet';

/** Test samples that errors are measured on, at most. */
const MEASURED = 1000;
/** Samples of each class in the picture. */
const SHOWN = 2;
/** Least width of a sample in the picture, in pixels. */
const WIDTH = 60;
/** Pixels between samples. */
const GAP = 4;

/** A modality's test samples and what its learned tokens keep of them; null where its tokens are not learned. */
export function compareTest(m: ModalityData): Comparison | null {
  const count = Math.min(MEASURED, m.test.labels.length);
  return m.learned?.compare(Array.from({ length: count }, (_, i) => m.raw('test', i))) ?? null;
}

/** The first test samples of every class, a column each: the original, then each tokenizer's reconstruction. */
export function reconstructionSheet(m: ModalityData, c: Comparison): Image {
  const shown = firstOfClasses(m.test.labels, m.classes, c.originals.length / area(c));
  const [rows, columns] = c.shape;
  const scale = Math.max(1, Math.round(WIDTH / columns));
  const [w, h] = [columns * scale + GAP, rows * scale + GAP];
  const width = shown.length * w + GAP;
  const lines = [c.originals, ...c.made.map((x) => x.pictures)];
  const height = lines.length * h + GAP;
  const data = new Uint8Array(width * height).fill(255);
  lines.forEach((pictures, y) => {
    shown.forEach((sample, x) => {
      const image = pictureAt(c, pictures, sample);
      enlarged(data, width, image, scale, GAP + x * w, GAP + y * h);
    });
  });
  return { width, height, channels: 1, data };
}

/** Rows of the table. */
export function reconstructionRows(c: Comparison): {
  head: readonly string[];
  rows: readonly (readonly string[])[];
} {
  const head = ['tokens', 'tokens × codes', `error, ${c.units}`, 'perplexity', 'codes in use'];
  const rows = c.made.map((x) => [
    x.name,
    `${x.tokens} × ${x.codes}`,
    x.error.toFixed(4),
    x.perplexity.toFixed(1),
    String(x.used),
  ]);
  return { head, rows };
}

const area = ({ shape }: Comparison): number => shape[0] * shape[1];

/** A picture in 256 greys. */
function pictureAt(c: Comparison, pictures: Float32Array, sample: number): Image {
  const [low, high] = c.range;
  const size = area(c);
  const values = pictures.subarray(sample * size, (sample + 1) * size);
  const data = new Uint8ClampedArray(size);
  values.forEach((v, i) => {
    data[i] = (255 * (v - low)) / (high - low);
  });
  const [height, width] = c.shape;
  return { width, height, channels: 1, data: new Uint8Array(data.buffer) };
}

function firstOfClasses(labels: Int32Array, classes: number, count: number): number[] {
  const seen = new Int32Array(classes);
  const found: number[] = [];
  for (let i = 0; i < count; i++) {
    if (seen[labels[i]!]!++ < SHOWN) found.push(i);
  }
  return found.sort((a, b) => labels[a]! - labels[b]! || a - b);
}
