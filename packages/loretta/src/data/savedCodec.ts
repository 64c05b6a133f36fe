/** Codecs as plain JSON beside a checkpoint, and back: what encodes samples where the training data are not. */
import { MfccCodebook, PatchCodebook, WordTokenizer } from '@loretta-ts/tokenizers';
import { analyser, frameCodec, patchCodec, wordsCodec } from './codecs';
import { DataError, requireCount } from './errors';
import type { ModalityCodec, ModalityData } from './modality';

/** A codec that is made of a codebook or of a list of words. Plain JSON. */
export type SavedCodec =
  | {
      /** Images as patches of a codebook. */
      readonly kind: 'patches';
      /** What `PatchCodebook` wrote. */
      readonly tokenizer: unknown;
    }
  | {
      /** Speech as MFCC frames of a codebook. */
      readonly kind: 'frames';
      /** What `MfccCodebook` wrote. */
      readonly tokenizer: unknown;
      /** Samples per second of the training recordings: others are resampled to it. */
      readonly sampleRate: number;
    }
  | {
      /** Text of known words. */
      readonly kind: 'words';
      /** What `WordTokenizer` wrote. */
      readonly tokenizer: unknown;
      /** Words of every text. */
      readonly length: number;
    };

/** The codec of a modality as JSON. @throws DataError for one that is neither of codebooks nor of words */
export function saveCodec(m: ModalityData): SavedCodec {
  const tokenizer = m.learned === undefined ? m.toJSON() : null;
  const { type } = (tokenizer ?? {}) as { readonly type?: unknown };
  const first = m.raw('train', 0);
  if (type === 'PatchCodebook') return { kind: 'patches', tokenizer };
  if (type === 'MfccCodebook' && first.kind === 'speech')
    return { kind: 'frames', tokenizer, sampleRate: first.wave.sampleRate };
  if (first.kind === 'text' && m.fixedLength)
    return { kind: 'words', tokenizer, length: m.maxLength };
  throw new DataError(
    'config',
    m.name,
    `tokens of this kind (${m.describe}) cannot be saved alone: use k-means codebooks and captions`,
  );
}

/** The codec that `saveCodec` wrote. @throws DataError, TokenizerError for what it cannot have written */
export function restoreCodec(saved: SavedCodec): ModalityCodec {
  switch (saved.kind) {
    case 'patches':
      return patchCodec(PatchCodebook.fromJSON(saved.tokenizer));
    case 'frames': {
      requireCount('codec: sampleRate', saved.sampleRate, 500, 768_000);
      return frameCodec(MfccCodebook.fromJSON(saved.tokenizer), analyser(saved.sampleRate));
    }
    case 'words': {
      requireCount('codec: length', saved.length, 1, 1 << 16);
      return wordsCodec(WordTokenizer.fromJSON(saved.tokenizer), saved.length);
    }
    default: {
      const { kind } = saved as { readonly kind?: unknown };
      throw new DataError('format', 'codec', `no kind ${String(kind)}: patches, frames or words`);
    }
  }
}
