/** What every arm starts from: vocabulary, graph, model, and the common commutative warm-up. */
import { type Abortable, key } from '@loretta-ts/core';
import { Decoder } from '@loretta-ts/nn';
import { mislink } from '../data/mislink';
import { assertNeverPaired } from '../data/neverPaired';
import { PairSampler } from '../data/sampler';
import type { Judge } from '../evaluate/judge';
import { ModalityGraph } from '../graph';
import { type Arm, makeArm } from '../train/arms';
import { modalitiesOf, type TrainData } from '../train/data';
import { type TrainEvent, Trainer } from '../train/trainer';
import { Vocabulary } from '../vocabulary';
import type { ExperimentConfig } from './config';
import { evaluateSkill, type Skill } from './skill';

/** A model in training with its surroundings; disposing of it frees the weights and the optimiser's state. */
export interface Setup extends Disposable {
  /** Joint vocabulary of the data. */
  readonly vocab: Vocabulary;
  /** Graph of observed pairs. */
  readonly graph: ModalityGraph;
  /** The decoder. */
  readonly model: Decoder;
  /** Trains the decoder. */
  readonly trainer: Trainer;
}

/** Vocabulary and graph of observed pairs. */
export function describeData(data: TrainData): {
  /** Joint vocabulary. */
  vocab: Vocabulary;
  /** Graph of observed pairs. */
  graph: ModalityGraph;
} {
  const names = Object.keys(data.modalities);
  return {
    vocab: new Vocabulary(modalitiesOf(data)),
    graph: new ModalityGraph(
      names,
      data.pairs.map((p) => [p.modalities[0], p.modalities[1]] as [string, string]),
    ),
  };
}

/** A fresh model for a vocabulary; an encoder where it is not causal. */
export function makeModel(
  vocab: Vocabulary,
  config: Pick<ExperimentConfig, 'model' | 'seed'>,
  causal = true,
): Decoder {
  const { dim, layers, heads, dropout } = config.model;
  const longest = vocab.modalities.reduce((n, m) => n + m.length + 2, 0);
  return new Decoder(
    {
      vocab: vocab.size,
      dim,
      layers,
      heads,
      dropout,
      causal,
      positions: ['rope', 'within-block'],
      withinLength: vocab.withinSize,
      maxLength: 2 * longest,
    },
    key(config.seed).fold(1),
  );
}

/** A trainer on the data's pair sets; the oracle's has the real unseen pairs as well. */
export function setUp(data: TrainData, config: ExperimentConfig, arm: Arm): Setup {
  const { vocab, graph } = describeData(data);
  const guards = arm.oracle ? [] : graph.missing().map(([a, c]) => assertNeverPaired(data, a, c));
  const model = makeModel(vocab, config, arm.causal);
  const { train, seed } = config;
  const pairs = arm.oracle && data.oracle !== null ? [...data.pairs, data.oracle] : [...data.pairs];
  // which pair set a sample is in stays true, so the guards hold for this arm as well
  if (arm.mislinked) pairs.push(mislink(pairs.pop()!, seed + 900));
  const noise = Object.fromEntries(
    Object.keys(data.modalities).map((name) => [
      name,
      name === 'speech'
        ? { replace: train.noise, shift: train.shift }
        : { replace: name === 'text' ? 0 : train.noise },
    ]),
  );
  const sources = pairs.map(
    (pair, i) =>
      new PairSampler(data, pair, {
        batch: train.batch,
        seed: seed + 1000 + i,
        repair: data.pairing !== 'instance',
        noise,
      }),
  );
  const trainer = new Trainer({
    model,
    vocab,
    graph,
    sources,
    seed,
    totalSteps: train.steps,
    lr: train.lr,
    lrWarmup: train.lrWarmup,
    minLr: train.minLr,
    weightDecay: train.weightDecay,
    clip: train.clip,
    onNonFinite: train.onNonFinite,
    guard: (batch) => {
      for (const check of guards) check(batch);
    },
  });
  return {
    vocab,
    graph,
    model,
    trainer,
    [Symbol.dispose]() {
      trainer.dispose();
      model.dispose();
    },
  };
}

/** How the common warm-up ended. */
export interface WarmUp {
  /** Steps taken. */
  readonly steps: number;
  /** Skill at the end. */
  readonly skill: Skill;
  /** The gate opened because the skill was reached, not because time ran out. */
  readonly reached: boolean;
  /** Where the arms fork, safetensors. */
  readonly checkpoint: Uint8Array;
}

/** Options of `warmUp`; the training waits for what `onEvent` returns. */
export interface WarmUpOptions extends Abortable {
  /** Called after each step. */
  readonly onEvent?: ((event: TrainEvent) => void | Promise<void>) | undefined;
}

/** Steps between measurements of the generator's skill. */
export const PROBE_EVERY = 100;

/**
 * Commutative training until the generator is skilled enough for its samples to teach (LORETTA §7.3, point 5).
 * @throws what training throws; what the signal was aborted with: called again, it goes on
 */
export async function warmUp(
  setup: Setup,
  data: TrainData,
  judges: Readonly<Record<string, Judge>>,
  config: ExperimentConfig,
  { onEvent, signal }: WarmUpOptions = {},
): Promise<WarmUp> {
  const { earliest, latest, skill: wanted } = config.transitive;
  const order = Object.keys(data.modalities);
  const arm = makeArm('commutative', order, config.transitive);
  let skill: Skill = { least: 0, byTarget: {} };
  while (setup.trainer.steps < latest) {
    const { steps } = setup.trainer;
    if (steps >= earliest && (steps - earliest) % PROBE_EVERY === 0) {
      skill = await evaluateSkill(setup, data, judges, config, { signal });
      if (skill.least >= wanted) break;
    }
    const to = setup.trainer.steps + 1;
    for await (const event of setup.trainer.run(arm, { to, signal })) await onEvent?.(event);
  }
  if (skill.least < wanted) skill = await evaluateSkill(setup, data, judges, config, { signal });
  return {
    steps: setup.trainer.steps,
    skill,
    reached: skill.least >= wanted,
    checkpoint: await setup.trainer.save(),
  };
}
