/** A contact sheet of generated images: a column for each class given. */
import type { Image } from '@loretta-ts/tokenizers';
import type { ModalityData } from '../data/modality';
import type { Sample } from '../evaluate/evaluate';

/** Pixels of the sheet for each pixel of an image. */
const SCALE = 3;
/** Pixels between images. */
const GAP = 4;

/** Generated images sorted into columns by the class of what was given; null when they are no images. */
export function contactSheet(sample: Sample, from: ModalityData, to: ModalityData): Image | null {
  const columns = Array.from({ length: from.classes }, () => [] as Image[]);
  sample.ids.forEach((ids, i) => {
    const made = to.decode(ids);
    if (made.kind === 'image') columns[from.test.labels[sample.rows[i]!]!]!.push(made.image);
  });
  const first = columns.flat()[0];
  if (first === undefined) return null;
  const rows = Math.max(...columns.map((c) => c.length));
  const [w, h] = [first.width * SCALE + GAP, first.height * SCALE + GAP];
  const width = columns.length * w + GAP;
  const height = rows * h + GAP;
  const data = new Uint8Array(width * height).fill(255);
  columns.forEach((column, x) => {
    for (const [y, image] of column.entries()) {
      enlarged(data, width, image, SCALE, GAP + x * w, GAP + y * h);
    }
  });
  return { width, height, channels: 1, data };
}

/** Pastes the first channel of an image, enlarged, into a picture of `width` pixels a row. */
export function enlarged(
  data: Uint8Array,
  width: number,
  image: Image,
  scale: number,
  left: number,
  top: number,
): void {
  for (let y = 0; y < image.height * scale; y++) {
    const row = Math.floor(y / scale) * image.width;
    for (let x = 0; x < image.width * scale; x++) {
      const pixel = image.data[(row + Math.floor(x / scale)) * image.channels]!;
      data[(top + y) * width + left + x] = pixel;
    }
  }
}
