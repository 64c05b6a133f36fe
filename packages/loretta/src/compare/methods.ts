/** The methods of the paper's comparison, trained on the same batches with the same sizes and budget. */
import { PairSampler } from '../data/sampler';
import type { JobOptions, StepEvent } from '../events';
import type { ExperimentConfig } from '../experiment/config';
import { describeData, setUp } from '../experiment/warmup';
import { bidirectional } from '../objectives/bidirectional';
import { type Arm, type ArmName, makeArm } from '../train/arms';
import type { Vocabulary } from '../vocabulary';
import { trainContrastive } from './contrastive';
import type { ComparisonData } from './data';
import { type Learned, learnedModel } from './learned';

/** Methods by the names of the systems that they stand for. */
export const METHODS = {
  gpt: 'causal, one order (GPT)',
  mmgpt: 'causal, link first, weighted (MMGPT, DALL-E)',
  bert: 'masked encoder (BERT, MaskGIT)',
  bert3: 'masked encoder with three times the steps',
  clip: 'contrastive encoder (CLIP, ImageBind)',
  cm3: 'causal masking, one order (CM3)',
  commutative: 'commutative',
  loretta: 'commutative + transitive (LoReTTa)',
  oracle: 'oracle: real pairs of the unseen modalities',
} as const;

/** Name of a method. */
export type MethodName = keyof typeof METHODS;

/** A trained method and its vocabulary. */
export interface TrainedMethod {
  /** The method as the protocols see it. */
  readonly learned: Learned;
  /** Joint vocabulary of the data. */
  readonly vocab: Vocabulary;
}

/** Trains a method. @throws what training throws; what the signal was aborted with */
export async function trainMethod(
  name: MethodName,
  data: ComparisonData,
  config: ExperimentConfig,
  { onEvent, signal }: JobOptions<StepEvent> = {},
): Promise<TrainedMethod> {
  if (name === 'clip') {
    const { vocab } = describeData(data);
    const sources = data.pairs.map(
      (pair, i) =>
        new PairSampler(data, pair, {
          batch: config.train.batch,
          seed: config.seed + 1000 + i,
          repair: data.pairing !== 'instance',
        }),
    );
    const learned = await trainContrastive({ vocab, sources, config, onEvent, signal });
    return { learned, vocab };
  }
  const arm = armOf(name, data, config);
  const { model, vocab, trainer } = setUp(data, config, arm);
  const { train, transitive } = config;
  const share = (step: number): number => (step < transitive.latest ? 0 : transitive.share);
  try {
    for await (const event of trainer.run(arm, { share, to: train.steps, signal })) {
      const { type, step, steps, loss } = event;
      onEvent?.({ type, step, steps, loss });
    }
  } catch (error) {
    model.dispose();
    throw error;
  } finally {
    trainer.dispose();
  }
  return { learned: learnedModel(model, vocab), vocab };
}

function armOf(
  name: Exclude<MethodName, 'clip'>,
  data: ComparisonData,
  config: ExperimentConfig,
): Arm {
  const { link, test } = data;
  const [a, c] = test.modalities.filter((m) => m !== link) as [string, string];
  const make = (arm: ArmName, order: readonly string[]): Arm =>
    makeArm(arm, order, config.transitive);
  switch (name) {
    case 'gpt':
      return make('causal', [a, link, c]);
    case 'mmgpt':
      return make('mmgpt', [link, a, c]);
    case 'cm3':
      return make('cm3', [a, link, c]);
    case 'bert':
    case 'bert3':
      return { ...make('commutative', [a, link, c]), name, base: bidirectional(), causal: false };
    case 'loretta':
      return make('transitive', [a, link, c]);
    default:
      return make(name, [a, link, c]);
  }
}
