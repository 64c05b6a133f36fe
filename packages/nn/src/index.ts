/**
 * Modules, decoders, sampling, losses, optimisers and file formats on `@loretta-ts/core`.
 * @module @loretta-ts/nn
 */
export { CausalSelfAttention } from './decoder/attention';
export { AttentionBlock, Block, HyenaBlock, MambaBlock } from './decoder/block';
export { DecoderCache } from './decoder/cache';
export {
  type DecoderConfig,
  type LatentConfig,
  type MixerKind,
  type PositionKind,
  type ResolvedDecoderConfig,
  resolveDecoderConfig,
} from './decoder/config';
export { Decoder, type DecoderStack, type ForwardOptions } from './decoder/decoder';
export { HyenaFilter, HyenaMixer } from './decoder/hyena';
export { type Attended, KeyValueCache, KVCache, RollingKVCache } from './decoder/kv-cache';
export { makeCache } from './decoder/make-cache';
export { MambaMixer } from './decoder/mamba';
export type { Mixer, MixerContext } from './decoder/mixer';
export { GeluMlp, SwiGluMlp } from './decoder/mlp';
export { ShortConv, type ShortConvOptions } from './decoder/short-conv';
export { StateCache } from './decoder/state-cache';
export { CheckpointError, NpyError, SafetensorsError, StateDictError } from './errors';
export {
  type CheckpointParts,
  checkpointBytes,
  isOptimizerState,
  restoreCheckpoint,
  type SavedWith,
  weightsBytes,
} from './files/checkpoint';
export type { SaveDType } from './files/file-dtype';
export {
  decoderConfigFromHf,
  decoderConfigToHf,
  fromHfTensors,
  type HfFamily,
  toHfTensors,
} from './files/hf';
export { decoderFromLlama2c, decoderFromMetaNames, type LoadOptions } from './files/llama2c';
export { parseNpy, serializeNpy } from './files/npy';
export {
  parseSafetensors,
  parseSafetensorsHeader,
  type Safetensors,
  type SafetensorsHeader,
  serializeSafetensors,
  type TensorEntry,
} from './files/safetensors';
export {
  allowRanges,
  applyTemperature,
  greedy,
  type IdRange,
  minPFilter,
  repetitionPenalty,
  sampleInverseCdf,
  topKFilter,
  topPFilter,
} from './generate/filters';
export { type Generated, generate, generateFixed, generateStream } from './generate/generate';
export {
  type GenerateLatentsOptions,
  generateLatents,
  generateLatentsStream,
} from './generate/generate-latents';
export type { GenerateOptions, Guidance, GuidanceBranch } from './generate/options';
export { DecodeSession } from './generate/session';
export { type FileDType, fromHost, type HostData, type HostTensor, toHost } from './host';
export {
  gpt2Residual,
  type InitOptions,
  type KaimingOptions,
  kaimingNormal,
  kaimingUniform,
  normalInit,
  truncNormalInit,
  uniformInit,
  type XavierOptions,
  xavierNormal,
  xavierUniform,
} from './init';
export { Conv1d, Conv2d, type ConvOptions } from './layers/conv';
export {
  ConvTranspose1d,
  ConvTranspose2d,
  type ConvTransposeOptions,
} from './layers/convTranspose';
export { Dropout, dropout, dropoutMasked } from './layers/dropout';
export { Embedding, type EmbeddingOptions } from './layers/embedding';
export { Linear, type LinearOptions, linear, selectRows } from './layers/linear';
export { LayerNorm, type NormOptions, RMSNorm } from './layers/norm';
export {
  LOG_SCALE_BOUND,
  mixtureNll,
  mixtureSize,
  type SampleMixtureOptions,
  sampleMixture,
} from './latent/mixture';
export {
  bceWithLogitsLoss,
  type ClassLossOptions,
  type CrossEntropyLossOptions,
  crossEntropyLoss,
  huberLoss,
  klDivLoss,
  type LossOptions,
  l1Loss,
  mseLoss,
  nllLoss,
  type Reduction,
} from './losses';
export { Module, Param } from './module';
export {
  type AffineOptions,
  batchNorm,
  batchNormEval,
  batchNormRunning,
  groupNorm,
} from './normalise';
export { GradAccumulator } from './optim/accumulate';
export { Adam, type AdamOptions, RMSprop, type RmsPropOptions } from './optim/adam';
export { AdamW, type AdamWOptions } from './optim/adamw';
export { clipGradNorm, clipGradValue, clipScale, type GradEntries, gradNorm } from './optim/clip';
export { checkFinite, type OnNonFinite, type TakenStep } from './optim/finite';
export { type GradSource, type NamedParams, Optimizer, type StepOptions } from './optim/optimizer';
export {
  constantWarmup,
  cosineWarmup,
  cosineWarmupMin,
  linearWarmup,
  type Schedule,
  stepDecay,
} from './optim/schedule';
export { SGD, type SgdOptions } from './optim/sgd';
export type { ResolvedVqVaeConfig, VqVaeConfig } from './vq/config';
export { GumbelQuantizer, type GumbelQuantizerOptions, type Relaxed } from './vq/gumbelQuantizer';
export type { StackOptions, Upsampling, VqDecoder, VqEncoder } from './vq/layers';
export { perplexity } from './vq/perplexity';
export {
  annealing,
  trainVqVae,
  type VqStepReport,
  VqTrainer,
  type VqTrainOptions,
} from './vq/train';
export {
  nearestCode,
  type Quantized,
  VectorQuantizer,
  type VectorQuantizerOptions,
} from './vq/vectorQuantizer';
export { type VqForward, type VqForwardOptions, VqVae } from './vq/vqVae';
