/**
 * Tokenizers without tensors: bytes, pixels, image patches, words, byte-level BPE, WordPiece and audio,
 * and the file formats they start from (WAV, PNG).
 * @module @loretta-ts/tokenizers
 */
export type { AddedTokenJson } from './addedTokens';
export {
  BpeTokenizer,
  type BpeTrainOptions,
  type EncodeOptions,
} from './bpe';
export type { BpeJson, BpeModelJson, ByteLevelJson } from './bpeJson';
export { ByteFallbackBpe } from './byteFallback';
export { ByteTokenizer } from './bytes';
export { TokenizerError, type TokenizerErrorKind } from './errors';
export { type Image, type ImageShape, imageFromUnit, imageToUnit } from './image';
export { type Kmeans, type KmeansOptions, kmeans } from './kmeans';
export { type MfccFrames, type MfccOptions, mfcc, normaliseTime } from './mfcc';
export { MfccCodebook, type MfccCodebookJson, type MfccCodebookOptions } from './mfccCodebook';
export { type MfccValueConfig, type MfccValueJson, MfccValueTokenizer } from './mfccValues';
export { type MuLawConfig, MuLawTokenizer } from './muLaw';
export { PatchCodebook, type PatchCodebookJson, type PatchCodebookOptions } from './patchCodebook';
export { PatchTokenizer, type PatchTokenizerConfig } from './patches';
export { PixelTokenizer, type PixelTokenizerConfig } from './pixels';
export { type DecodePngOptions, decodePng, encodePng } from './png';
export { TextStream } from './textStream';
export type {
  DecodeOptions,
  FixedLengthTokenizer,
  TextTokenizer,
  Tokenizer,
} from './tokenizer';
export type { ComponentJson, TokenizerJson } from './tokenizerJson';
export { type VocodeOptions, vocode } from './vocoder';
export { decodeWav, encodeWav } from './wav';
export { fitDuration, resample, type Wave } from './wave';
export {
  type BertNormalizerJson,
  type WordPieceDecoderJson,
  type WordPieceJson,
  type WordPieceModelJson,
  type WordPieceOptions,
  type WordPiecePair,
  WordPieceTokenizer,
} from './wordPiece';
export type { WordSplit } from './wordSplit';
export {
  type WordLevelModelJson,
  WordTokenizer,
  type WordTokenizerJson,
  type WordTrainOptions,
} from './words';
