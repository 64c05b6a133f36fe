/** What learned tokenizers tokenize: images and MFCC frames as channels over space. */
import {
  type Image,
  type ImageShape,
  type MfccFrames,
  normaliseTime,
  TokenizerError,
} from '@loretta-ts/tokenizers';

/** A kind of value as `[channels, ...size]` numbers, and back. */
export interface VqForm<T> {
  /** In files and messages. */
  readonly name: string;
  /** Sizes in space. */
  readonly size: readonly number[];
  /** Numbers at each place. */
  readonly channels: number;
  /** `[channels, ...size]`. Throws TokenizerError for a value of another shape. */
  values(x: T): Float32Array;
  /** The value nearest to `[channels, ...size]` numbers. */
  read(values: Float32Array): T;
}

/** Images of one shape: colours are channels, 0 to 255. */
export function imageForm({ width, height, channels }: ImageShape): VqForm<Image> {
  const cells = width * height;
  return {
    name: 'image',
    size: [height, width],
    channels,
    values(image) {
      if (
        image.width !== width ||
        image.height !== height ||
        image.channels !== channels ||
        image.data.length !== cells * channels
      ) {
        throw new TokenizerError(
          'input',
          'VqTokenizer.encode',
          `image is ${image.width}×${image.height}×${image.channels}, this tokenizer was made for ${width}×${height}×${channels}`,
        );
      }
      const { data } = image;
      return Float32Array.from(
        data,
        (_, i) => data[(i % cells) * channels + Math.floor(i / cells)]!,
      );
    },
    read(values) {
      const data = new Uint8ClampedArray(cells * channels);
      values.forEach((v, i) => {
        data[(i % cells) * channels + Math.floor(i / cells)] = v;
      });
      return { width, height, channels, data: new Uint8Array(data.buffer) };
    },
  };
}

/** Recordings stretched or squeezed to so many frames: coefficients are channels. */
export function frameForm(frames: number, coefficients: number): VqForm<MfccFrames> {
  const across = (data: Float32Array, rows: number, columns: number): Float32Array =>
    Float32Array.from(data, (_, i) => data[(i % rows) * columns + Math.floor(i / rows)]!);
  return {
    name: 'frames',
    size: [frames],
    channels: coefficients,
    values(x) {
      if (x.coefficients !== coefficients) {
        throw new TokenizerError(
          'input',
          'VqTokenizer.encode',
          `frames have ${x.coefficients} coefficients, this tokenizer was made for ${coefficients}`,
        );
      }
      return across(normaliseTime(x, frames).data, frames, coefficients);
    },
    read: (values) => ({ frames, coefficients, data: across(values, coefficients, frames) }),
  };
}
