/** A training that can be watched: steps, samples of fixed recordings, matching accuracy of the unseen pair. */
import { key } from '@loretta-ts/core';
import {
  type ExperimentConfig,
  generateBlock,
  makeArm,
  matching,
  type Setup,
  setUp,
  toBlock,
} from '@loretta-ts/loretta';
import { restoreCheckpoint } from '@loretta-ts/nn';
import type { PlaygroundArm } from '../format';
import type { TrainEvent, TrainSettings } from '../protocol';
import { picture } from './ask';
import { type Assets, weightsOf } from './assets';

/** Share of the run's learning rate that a trained model goes on with. */
const GENTLE = 0.5;
/** Tokens per second are of the steps in so many milliseconds. */
const WINDOW = 1000;

/** One training from its start to its end. */
export class Training {
  readonly settings: TrainSettings;
  /** Which method the next step is of. */
  arm: PlaygroundArm;
  /** Somebody takes its steps. */
  running = false;
  readonly #assets: Assets;
  readonly #setup: Setup;
  readonly #config: ExperimentConfig;
  readonly #rates: { readonly tokens: number; readonly ms: number }[] = [];
  #checked = -1;

  private constructor(assets: Assets, settings: TrainSettings, config: ExperimentConfig) {
    this.settings = settings;
    this.arm = settings.arm;
    this.#assets = assets;
    this.#config = config;
    this.#setup = setUp(assets.data, config, this.#arm());
  }

  /** A model of the run's size, with new weights or those of a checkpoint, and a new optimiser. */
  static async begin(assets: Assets, settings: TrainSettings): Promise<Training> {
    const { config } = assets.manifest;
    const { start, steps, seed } = settings;
    const lr = config.train.lr * (start === 'scratch' ? 1 : GENTLE);
    const lrWarmup = Math.min(config.train.lrWarmup, Math.floor(steps / 10));
    const weights = start === 'scratch' ? null : await weightsOf(assets, start);
    const training = new Training(assets, settings, {
      ...config,
      seed,
      train: { ...config.train, steps, lr, lrWarmup },
    });
    if (weights !== null) restoreCheckpoint(weights, { model: training.model });
    return training;
  }

  /** The weights as they are. */
  get model(): Setup['model'] {
    return this.#setup.model;
  }

  get done(): boolean {
    return this.#setup.trainer.steps >= this.settings.steps;
  }

  /** Whether samples and accuracy are due. */
  get due(): boolean {
    const { steps } = this.#setup.trainer;
    return steps !== this.#checked && (steps % this.settings.every === 0 || this.done);
  }

  /** Steps until the model is skilled enough for its samples to teach, as in the run. */
  get wait(): number {
    if (this.settings.start !== 'scratch') return 0;
    return Math.max(0, this.#config.transitive.earliest - this.#setup.trainer.steps);
  }

  #arm(): ReturnType<typeof makeArm> {
    const { data } = this.#assets;
    return makeArm(this.arm, data.test.modalities, this.#config.transitive);
  }

  async step(): Promise<TrainEvent> {
    const { wait, arm } = this;
    const began = performance.now();
    const share = wait > 0 ? 0 : this.#config.transitive.share;
    const { step, loss, tokens, transitive } = await this.#setup.trainer.step(this.#arm(), share);
    this.#rates.push({ tokens, ms: performance.now() - began });
    let ms = this.#rates.reduce((sum, r) => sum + r.ms, 0);
    while (this.#rates.length > 1 && ms > WINDOW) ms -= this.#rates.shift()!.ms;
    const tokensPerSecond = (1000 * this.#rates.reduce((sum, r) => sum + r.tokens, 0)) / ms;
    const total = this.settings.steps;
    return { kind: 'step', step: step + 1, total, loss, arm, transitive, wait, tokensPerSecond };
  }

  /** Samples of the first test recordings, one of each class, and 1-of-10 matching on held-out rows. */
  async check(): Promise<TrainEvent> {
    const { data, vocab, manifest } = this.#assets;
    const { model, trainer } = this.#setup;
    const { ids, length } = data.modalities['speech']!.test;
    this.#checked = trainer.steps;
    const n = Math.min(manifest.classes, data.test.size);
    const condition = {
      modality: 'speech',
      ids: toBlock(vocab, 'speech', ids.slice(0, n * length), length, undefined),
      generated: false,
    };
    const made = await generateBlock(model, vocab, [condition], 'image', {
      key: key(this.settings.seed).fold(99),
      guidance: manifest.config.evaluate.guidance,
    });
    const local = vocab.toLocal('image', made);
    const width = local.length / n;
    const rows = Math.min(this.settings.rows, data.test.size);
    const context = { model, vocab, data, judges: {}, rows, seed: 1 };
    const { value } = await matching(context, 'speech', 'image', rows);
    return {
      kind: 'check',
      step: trainer.steps,
      arm: this.arm,
      accuracy: value,
      images: Array.from({ length: n }, (_, i) =>
        picture(this.#assets, local.slice(i * width, (i + 1) * width)),
      ),
      labels: [...data.test.labels.subarray(0, n)],
    };
  }

  dispose(): void {
    this.#setup.trainer.dispose();
    this.#setup.model.dispose();
  }
}
