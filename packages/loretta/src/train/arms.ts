/** The methods that one trainer compares: LoReTTa, what it is made of, and what it is measured against. */
import { DataError } from '../data/errors';
import type { LossOptions } from '../loss';
import { causal } from '../objectives/causal';
import { commutative } from '../objectives/commutative';
import { masked } from '../objectives/masked';
import type { Objective } from '../objectives/objective';
import { transitive } from '../objectives/transitive';

/**
 * - `causal`: one fixed order, as GPT
 * - `mmgpt`: one fixed order, each block among its own ids, what is generated counting seven times (DALL-E, MMGPT)
 * - `cm3`: one fixed order with causal masking (Aghajanyan et al. 2022)
 * - `commutative`: every order of a pair
 * - `commutative-masked`: that with causal masking
 * - `transitive`: LoReTTa, commutative and transitive steps
 * - `transitive-masked`: LoReTTa with causal masking of its commutative steps
 * - `shuffled`: control that must fail: pseudo-blocks of other rows
 * - `mislinked`: control that must fail: LoReTTa on pairs of which one set is joined across classes
 * - `oracle`: commutative, with real pairs of the unseen modalities
 */
export type ArmName =
  | 'causal'
  | 'mmgpt'
  | 'cm3'
  | 'commutative'
  | 'commutative-masked'
  | 'transitive'
  | 'transitive-masked'
  | 'shuffled'
  | 'mislinked'
  | 'oracle';

/** All arms, in the order of reports. */
export const ARMS: readonly ArmName[] = [
  'causal',
  'mmgpt',
  'cm3',
  'commutative',
  'commutative-masked',
  'transitive',
  'transitive-masked',
  'shuffled',
  'mislinked',
  'oracle',
];

/** How an arm does its transitive steps. */
export interface TransitiveSchedule {
  /** Share of transitive steps once they are on. */
  readonly share: number;
  /** Temperature of the generated modality. */
  readonly temperature: number;
  /** Classifier-free guidance of the generated modality; null is none. */
  readonly guidance: number | null;
  /** Loss on the real block only, or on the whole sequence. */
  readonly lossOn: 'real' | 'all';
  /** Share of transitive steps on all modalities at once. */
  readonly allProbability: number;
}

/** A method: what its training steps do. */
export interface Arm {
  /** Which one. */
  readonly name: string;
  /** How the targets of a step count. */
  readonly loss: Omit<LossOptions, 'key'>;
  /** What every step may do. */
  readonly base: Objective;
  /** What a share of the steps does instead; null for none. */
  readonly transitive: Objective | null;
  /** The model is a decoder; otherwise an encoder. */
  readonly causal: boolean;
  /** Trains on real pairs of the unseen modalities too. */
  readonly oracle: boolean;
  /** Trains on the last pair set joined across classes. */
  readonly mislinked: boolean;
  /** Continues from the common warm-up; otherwise it trains from the start. */
  readonly forks: boolean;
}

/** An arm's objectives. `order` is the one order of `causal`, `mmgpt` and `cm3`. @throws DataError for an unknown name */
export function makeArm(name: ArmName, order: readonly string[], options: TransitiveSchedule): Arm {
  const { temperature, guidance, lossOn, allProbability } = options;
  const linked = (shuffled: boolean): Objective =>
    transitive({ temperature, guidance, lossOn, allProbability, shuffled });
  const arm = (base: Objective, rest: Partial<Arm> = {}): Arm => ({
    name,
    base,
    loss: {},
    transitive: null,
    causal: true,
    oracle: false,
    mislinked: false,
    forks: true,
    ...rest,
  });
  switch (name) {
    case 'causal':
      return arm(causal({ order: [...order] }), { forks: false });
    case 'mmgpt':
      return arm(causal({ order: [...order] }), {
        forks: false,
        loss: {
          constrained: true,
          // DALL-E: (text + 7 · image) / 8
          modalityWeights: Object.fromEntries(order.map((m, i) => [m, i === 0 ? 1 : 7])),
        },
      });
    case 'cm3':
      return arm(masked(causal({ order: [...order] }), { probability: 0.5 }), { forks: false });
    case 'commutative':
      return arm(commutative());
    case 'commutative-masked':
      return arm(masked(commutative(), { probability: 0.5 }));
    case 'transitive':
      return arm(commutative(), { transitive: linked(false) });
    case 'transitive-masked':
      return arm(masked(commutative(), { probability: 0.5 }), { transitive: linked(false) });
    case 'shuffled':
      return arm(commutative(), { transitive: linked(true) });
    case 'mislinked':
      // the common warm-up has seen the true pairs
      return arm(commutative(), { transitive: linked(false), mislinked: true, forks: false });
    case 'oracle':
      return arm(commutative(), { oracle: true });
    default:
      throw new DataError('config', 'arm', `no arm ${String(name)}: ${ARMS.join(', ')}`);
  }
}
