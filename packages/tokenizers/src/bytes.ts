import { requireIds, show, TokenizerError } from './errors';
import type { Tokenizer } from './tokenizer';

/** One token per byte: 256 ids, id = byte. Lossless. */
export class ByteTokenizer implements Tokenizer<Uint8Array> {
  /** Always 256. */
  readonly vocabSize = 256;

  /** Ids of the bytes, `[n]`. Throws TokenizerError for anything but a Uint8Array. */
  encode(bytes: Uint8Array): Int32Array {
    if (!(bytes instanceof Uint8Array)) {
      const what = `expected a Uint8Array, got ${show(bytes)}: use encodeText for text`;
      throw new TokenizerError('input', 'ByteTokenizer.encode', what);
    }
    return Int32Array.from(bytes);
  }

  /** The bytes of the ids. Throws TokenizerError for an id outside `[0, 256)`. */
  decode(ids: ArrayLike<number>): Uint8Array {
    requireIds('ByteTokenizer.decode', ids, this.vocabSize);
    return Uint8Array.from(ids);
  }

  /** Ids of the UTF-8 bytes of `text`; a lone surrogate counts as U+FFFD. */
  encodeText(text: string): Int32Array {
    return this.encode(new TextEncoder().encode(text));
  }

  /** The text whose UTF-8 bytes the ids are; invalid sequences become U+FFFD. */
  decodeText(ids: ArrayLike<number>): string {
    return new TextDecoder('utf-8', { ignoreBOM: true }).decode(this.decode(ids));
  }
}
