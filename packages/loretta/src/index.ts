/**
 * Commutative and transitive multimodal pre-training (LoReTTa, NeurIPS 2023): modalities, objectives, trainer,
 * evaluation and data. Browser-safe; what needs files is in `@loretta-ts/loretta/node`.
 * @module @loretta-ts/loretta
 */
export {
  type AlignedData,
  type AlignedTest,
  type AlignOptions,
  alignByClass,
  isPair,
  type PairSet,
  unseenPairs,
} from './data/align';
export { type CaptionOptions, captions } from './data/captions';
export { trimSilence } from './data/augmentWave';
export { DataError, type DataErrorKind } from './data/errors';
export { type LearnOptions, learnedImageCodec, learnedSpeechCodec } from './data/learnedCodecs';
export {
  type LearnedCodes,
  type ModalityCodec,
  type ModalityData,
  nearestSequence,
  type TokenSet,
  tokenCount,
  tokensAt,
} from './data/modality';
export {
  assertNeverPaired,
  type BatchGuard,
  type PairedData,
  type RealSources,
} from './data/neverPaired';
export { PatchLatents, type PatchLatentsOptions } from './data/patchLatents';
export { restoreCodec, type SavedCodec, saveCodec } from './data/savedCodec';
export type { Comparison, Reconstructed } from './data/reconstruction';
export {
  type PairBatch,
  PairSampler,
  type PairSamplerOptions,
  type PairSource,
  type SampledData,
  type TokenNoise,
} from './data/sampler';
export type { Labelled, RawSample, RawSource, Split } from './data/source';
export {
  type SvlMnist,
  type SvlName,
  type SvlOptions,
  type SvlSources,
  svlMnist,
} from './data/svlMnist';
export {
  TOY_CHAIN,
  TOY_TRIPLE,
  Toy,
  type ToyModality,
  type ToyOptimum,
  type ToyOptions,
  toyOptimum,
} from './data/toy';
export { type ToyDataOptions, ToySampler, toyData } from './data/toyData';
export { frameForm, imageForm, type VqForm } from './data/vqForms';
export { type VqEvent, VqTokenizer, type VqTokenizerOptions } from './data/vqTokenizer';
export { type Direction, directionMatrix, type EvaluationContext } from './evaluate/directions';
export {
  balanced,
  disposeJudges,
  type EvaluateEvent,
  type EvaluateOptions,
  type Evaluation,
  evaluate,
  type Sample,
  trainJudges,
  type UnseenPair,
} from './evaluate/evaluate';
export {
  type Mixture,
  type InfilledStrip,
  type MixtureStrip,
  mixture,
  mixtureRows,
} from './evaluate/mixture';
export {
  type Cohort,
  type CoxHead,
  type CoxOptions,
  concordance,
  fitCox,
  simulateCohort,
} from './compare/survival';
export { type BidirectionalOptions, bidirectional } from './objectives/bidirectional';
export { apart, type Estimate, meanOf, proportion, rangeOf } from './evaluate/intervals';
export { Judge, type JudgeOptions, trainJudge } from './evaluate/judge';
export { chain, matching } from './evaluate/matching';
export { probe } from './evaluate/probe';
export { type ExperimentConfig, parseConfig } from './experiment/config';
export {
  type ArmRunner,
  type ExperimentEvent,
  type ExperimentOptions,
  type ExperimentResult,
  localRunner,
  runExperiment,
} from './experiment/run';
export {
  type ArmEvent,
  type ArmJob,
  type ArmResult,
  type CurvePoint,
  runArm,
} from './experiment/run-arm';
export {
  LATENT_SETTINGS,
  type LatentDirection,
  type LatentName,
  LatentRun,
  type LatentSettings,
} from './experiment/latent-run';
export type { Skill } from './experiment/skill';
export {
  type ToyDirection,
  type ToyEvaluation,
  ToyRun,
  type ToySettings,
  toySettings,
} from './experiment/toy-run';
export { describeData, makeModel, type Setup, setUp, type WarmUp } from './experiment/warmup';
export type { JobOptions, StageEvent, StepEvent } from './events';
export { type Hop, ModalityGraph, type TransitiveRoute } from './graph';
export { type ChainOptions, type ChainStep, generateChain } from './infer/chain';
export { type Likelihoods, type LikelihoodsOptions, likelihoods } from './infer/conditional';
export {
  type Classify,
  type Consensus,
  type ConsensusOptions,
  generateConsensus,
} from './infer/consensus';
export type { SamplingFilters } from './infer/decode';
export {
  type GenerateBlockOptions,
  generateBlock,
  type SamplingOptions,
} from './infer/generate-block';
export { type GenerateLatentBlockOptions, generateLatentBlock } from './infer/generate-latents';
export type { GuidanceBranch, GuidanceSetting } from './infer/guidance';
export {
  type Imputed,
  type ImputedRow,
  type ImputeOptions,
  impute,
  type PartialRow,
} from './infer/impute';
export { type InfillOptions, infill } from './infer/infill';
export {
  type Importance,
  type ImportanceOptions,
  infillByImportance,
} from './infer/infill-importance';
export {
  type BestOptions,
  generateBest,
  type Ranked,
  type RankOptions,
  rankCandidates,
} from './infer/n-best';
export type { Rows } from './infer/rows';
export { type LikelihoodOptions, logLikelihood, type NormalisedOver } from './infer/score';
export { type ZeroShot, type ZeroShotOptions, zeroShot } from './infer/zero-shot';
export { forwardPacked, type LossOptions, type LossParts, packedLoss } from './loss';
export type { Modality } from './modality';
export { causal } from './objectives/causal';
export { commutative } from './objectives/commutative';
export {
  type MaskedOptions,
  masked,
  restoreSpans,
  type Span,
  type SpanCount,
} from './objectives/masked';
export type {
  Batch,
  GeneratedBlock,
  Objective,
  ObjectiveContext,
  ObjectiveResult,
} from './objectives/objective';
export { type TransitiveOptions, transitive } from './objectives/transitive';
export {
  type Block,
  concatPacked,
  type LossOn,
  type Packed,
  pack,
  packSegments,
  sameOrder,
} from './sequence';
export { ARMS, type Arm, type ArmName, makeArm, type TransitiveSchedule } from './train/arms';
export { type TokenData, type TrainData, toBatch, toBlock } from './train/data';
export {
  type StepReport,
  type TrainEvent,
  Trainer,
  type TrainerOptions,
  type TrainerRunOptions,
  type TrainOptions,
} from './train/trainer';
export { Vocabulary } from './vocabulary';
