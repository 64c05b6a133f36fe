/** A small toy world with aligned data and a model in training, for the tests of trainer and evaluation. */
import { Toy } from '../src/data/toy';
import { toyData } from '../src/data/toyData';
import { type ExperimentConfig, parseConfig } from '../src/experiment/config';
import { type Setup, setUp } from '../src/experiment/warmup';
import { type Arm, type ArmName, makeArm } from '../src/train/arms';
import { type TrainData, tokenData } from '../src/train/data';
import type { StepReport } from '../src/train/trainer';

export const CLASSES = 4;

/** A–B and B–C are seen, A–C never. */
export function smallData(options: { readonly oracle?: boolean } = {}): TrainData {
  const toy = new Toy({
    seed: 48, // prototypes that differ in most places
    classes: CLASSES,
    alphabet: 5,
    modalities: [
      { name: 'A', length: 5, noise: 0.1 },
      { name: 'B', length: 3, noise: 0 },
      { name: 'C', length: 4, noise: 0.1 },
    ],
  });
  const data = toyData(toy, { seed: 1, trainPerClass: 40, testPerClass: 20 });
  return {
    modalities: Object.fromEntries(
      Object.values(data.modalities).map((m) => [m.name, tokenData(m)]),
    ),
    pairs: data.pairs,
    test: data.test,
    oracle: options.oracle === true ? data.oraclePairs('A', 'C') : null,
  };
}

/** Few steps of a tiny model; `changes` as in a settings file. */
export function smallConfig(
  changes: { readonly train?: object; readonly model?: object; readonly transitive?: object } = {},
): ExperimentConfig {
  return parseConfig({
    seed: 4,
    model: { dim: 16, layers: 1, heads: 2, dropout: 0, ...changes.model },
    train: { steps: 60, batch: 8, lr: 1e-2, lrWarmup: 5, noise: 0, ...changes.train },
    transitive: { earliest: 10, latest: 20, ...changes.transitive },
    evaluate: { rows: 40, matchingRows: 40, guidance: 2 },
  });
}

export interface Training extends Setup {
  readonly arm: Arm;
  steps(n: number, share?: number): Promise<StepReport[]>;
}

/** A trainer of one arm. */
export function training(
  name: ArmName,
  data: TrainData = smallData(),
  config: ExperimentConfig = smallConfig(),
): Training {
  const arm = makeArm(name, data.test.modalities, config.transitive);
  const setup = setUp(data, config, arm);
  return {
    ...setup,
    arm,
    async steps(n, share = 0.5) {
      const reports: StepReport[] = [];
      for (let i = 0; i < n; i++) reports.push(await setup.trainer.step(arm, share));
      return reports;
    },
  };
}

/** Frees a trainer and its model. */
export function free({ trainer, model }: Setup): void {
  trainer.dispose();
  model.dispose();
}
