/** A small data folder in the layout that --data takes: MNIST as IDX, recordings as WAV. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { encodeWav } from '@loretta-ts/tokenizers';

/** An IDX file. */
export function idx(
  magic: number,
  sizes: readonly number[],
  content: ArrayLike<number>,
): Uint8Array {
  const bytes = new Uint8Array(4 + 4 * sizes.length + content.length);
  const view = new DataView(bytes.buffer);
  [magic, ...sizes].forEach((value, i) => {
    view.setUint32(4 * i, value);
  });
  bytes.set(content, 4 + 4 * sizes.length);
  return bytes;
}

/** Pixels of n images of 28×28, image i all 10·(i mod 10) but for its number in the first pixel. */
const pixels = (n: number): Uint8Array =>
  Uint8Array.from({ length: n * 784 }, (_, i) =>
    i % 784 === 0 ? i / 784 : 10 * (Math.floor(i / 784) % 10) + (i % 7),
  );

/** Labels 0 to 9, over and over. */
export const digits = (n: number): number[] => Array.from({ length: n }, (_, i) => i % 10);

/** A recording of a digit: a chirp of its own pitch. */
export const tone = (digit: number, index: number): Uint8Array =>
  encodeWav({
    sampleRate: 8000,
    samples: Float32Array.from(
      { length: 1600 + 37 * index },
      (_, t) => Math.sin(t * (0.05 + 0.03 * digit) * (1 + t / 9000)) * (0.3 + 0.01 * index),
    ),
  });

/** Writers below `root`. */
export function dataFolder(root: string): {
  /** Writes a file and gives its full path. */
  put(path: string, content: Uint8Array | string): string;
  /** Writes `train` and `tests` images in turn of the ten classes. */
  putMnist(folder: string, train: number, tests: number): void;
  /** Writes tones named as FSDD names its recordings. */
  putSpeech(folder: string, perDigit: number): void;
} {
  const put = (path: string, content: Uint8Array | string): string => {
    const full = join(root, path);
    mkdirSync(dirname(full), { recursive: true });
    writeFileSync(full, content);
    return full;
  };
  return {
    put,
    putMnist(folder, train, tests) {
      const zip = (path: string, bytes: Uint8Array): string =>
        put(`${folder}/${path}.gz`, gzipSync(bytes));
      zip('train-images-idx3-ubyte', idx(2051, [train, 28, 28], pixels(train)));
      zip('train-labels-idx1-ubyte', idx(2049, [train], digits(train)));
      put(`${folder}/t10k-images-idx3-ubyte`, idx(2051, [tests, 28, 28], pixels(tests)));
      put(`${folder}/t10k-labels-idx1-ubyte`, idx(2049, [tests], digits(tests)));
    },
    putSpeech(folder, perDigit) {
      for (let digit = 0; digit < 10; digit++) {
        for (let index = 0; index < perDigit; index++) {
          put(`${folder}/${digit}_ada_${index}.wav`, tone(digit, index));
        }
      }
    },
  };
}
