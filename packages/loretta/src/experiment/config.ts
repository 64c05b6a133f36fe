/** The experiment's configuration: validated, every error naming its key. */
import type { OnNonFinite } from '@loretta-ts/nn';
import { z } from 'zod';
import { DataError } from '../data/errors';
import { ARMS, type ArmName, type TransitiveSchedule } from '../train/arms';

/** Everything that decides a run but the data. Plain JSON. */
export interface ExperimentConfig {
  /** Of data order, weights and sampling. */
  readonly seed: number;
  /** Methods to compare. */
  readonly arms: readonly ArmName[];
  /** Size of the decoder. */
  readonly model: {
    /** Width of the residual stream. */
    readonly dim: number;
    /** Number of blocks. */
    readonly layers: number;
    /** Heads of attention. */
    readonly heads: number;
    /** Probability in [0, 0.9]. */
    readonly dropout: number;
  };
  /** Optimisation, the same for every arm. */
  readonly train: {
    /** Steps of an arm, the common warm-up included. */
    readonly steps: number;
    /** Rows of each pair set in a step. */
    readonly batch: number;
    /** Largest learning rate. */
    readonly lr: number;
    /** Steps in which the rate rises. */
    readonly lrWarmup: number;
    /** Smallest rate as a share of `lr`. */
    readonly minLr: number;
    /** Of AdamW. */
    readonly weightDecay: number;
    /** Largest global gradient norm. */
    readonly clip: number;
    /** Share of tokens that augmentation replaces. */
    readonly noise: number;
    /** Frames that speech is shifted by, at most. */
    readonly shift: number;
    /** What happens to a step whose loss or gradient norm is not finite, as the `Trainer` takes it. */
    readonly onNonFinite: OnNonFinite;
  };
  /** The transitive part, and when it begins. */
  readonly transitive: TransitiveSchedule & {
    /** First and last step at which the transitive arm may begin. */
    readonly earliest: number;
    /** Last step at which the transitive arm may begin. */
    readonly latest: number;
    /** Generator's judged accuracy that opens the gate. */
    readonly skill: number;
  };
  /** Size of the evaluation. */
  readonly evaluate: {
    /** Aligned test rows, at most. */
    readonly rows: number;
    /** Rows of the matching task, at most. */
    readonly matchingRows: number;
    /** Scale of guided generation. */
    readonly guidance: number;
  };
}

function schema(): z.ZodType<ExperimentConfig> {
  const count = z.int().min(1);
  const share = z.number().min(0).max(1);
  return z.strictObject({
    seed: z.int().min(0).default(0),
    arms: z.array(z.enum(ARMS)).min(1).default(['commutative', 'transitive', 'causal']),
    model: z
      .strictObject({
        dim: count.default(64),
        layers: count.default(3),
        heads: count.default(4),
        dropout: z.number().min(0).max(0.9).default(0.1),
      })
      .prefault({}),
    train: z
      .strictObject({
        steps: count.default(1600),
        batch: count.default(32),
        lr: z.number().positive().default(6e-3),
        lrWarmup: z.int().min(0).default(50),
        minLr: share.default(0.1),
        weightDecay: z.number().min(0).default(0.1),
        clip: z.number().positive().default(1),
        noise: share.default(0.05),
        shift: z.int().min(0).default(1),
        onNonFinite: z.enum(['refuse', 'skip']).default('refuse'),
      })
      .prefault({}),
    transitive: z
      .strictObject({
        earliest: z.int().min(0).default(500),
        latest: z.int().min(0).default(900),
        skill: share.default(0.85),
        share: share.default(0.5),
        temperature: z.number().positive().default(0.9),
        guidance: z.number().positive().nullable().default(2),
        lossOn: z.enum(['real', 'all']).default('real'),
        allProbability: share.default(0),
      })
      .prefault({}),
    evaluate: z
      .strictObject({
        rows: count.default(300),
        matchingRows: count.default(300),
        guidance: z.number().positive().default(3),
      })
      .prefault({}),
  });
}

/** Defaults filled in. @throws DataError in one line that names every wrong key */
export function parseConfig(input: unknown): ExperimentConfig {
  const result = schema().safeParse(input);
  if (!result.success) {
    const problems = result.error.issues.map((i) => {
      const path = i.path.join('.');
      return path === '' ? i.message : `${path}: ${i.message}`;
    });
    throw new DataError('config', 'config', problems.join('; '));
  }
  checkTogether(result.data);
  return result.data;
}

/** What no key says alone. */
function checkTogether({ arms, model, train, transitive }: ExperimentConfig): void {
  const { earliest, latest } = transitive;
  const rules: readonly (readonly [boolean, string])[] = [
    [
      earliest <= latest && latest < train.steps,
      `transitive.earliest ${earliest} ≤ transitive.latest ${latest} < train.steps ${train.steps} must hold`,
    ],
    [
      train.lrWarmup < train.steps,
      `train.lrWarmup ${train.lrWarmup} must be below train.steps ${train.steps}`,
    ],
    [
      model.dim % (2 * model.heads) === 0,
      `model.dim ${model.dim} must be a multiple of 2 × model.heads ${model.heads}`,
    ],
    [new Set(arms).size === arms.length, `arms ${arms.join(', ')}: each can be there once`],
  ];
  for (const [holds, problem] of rules) {
    if (!holds) throw new DataError('config', 'config', problem);
  }
}
