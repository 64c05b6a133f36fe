/** Survival on frozen features: a simulated cohort, a Cox head and Harrell's concordance (LORETTA §4.5). */
import {
  type Abortable,
  cumsum,
  exp,
  type HostRandom,
  hostRandom,
  indexSelect,
  log,
  matmul,
  square,
  sub,
  sum,
  tensor,
  throwIfAborted,
  tidy,
  ValueError,
  valueAndGrad,
  zeros,
  construct,
} from '@loretta-ts/core';
import { AdamW, Param } from '@loretta-ts/nn';
import type { Estimate } from '../evaluate/intervals';

/** Patients with a time of event or of censoring. */
export interface Cohort {
  /** Time of the event, or of leaving the study, `[n]`. */
  readonly times: Float64Array;
  /** 1 where the event was seen, 0 where the patient left before, `[n]`. */
  readonly events: Uint8Array;
}

/**
 * Exponential times of rate λ₀ e^η with random censoring: about `censored` of the patients leave before the event.
 * @param risks true log-risks η, `[n]`
 */
export function simulateCohort(
  risks: ArrayLike<number>,
  { seed, censored = 0.3 }: { readonly seed: number; readonly censored?: number },
): Cohort {
  const random: HostRandom = hostRandom(seed);
  const uniform = (): number => Math.max(random.uniform(), 2 ** -32);
  const n = risks.length;
  const times = Float64Array.from(risks, (eta) => -Math.log(uniform()) / (0.1 * Math.exp(eta)));
  const events = new Uint8Array(n);
  for (let i = 0; i < n; i++) {
    if (random.uniform() >= censored) events[i] = 1;
    else times[i]! *= uniform();
  }
  return { times, events };
}

/**
 * Harrell's C: of all pairs whose order of events is known, the share in which the one with the higher risk had the event
 * first; equal risks count half. NaN where no pair is comparable.
 */
export function concordance({ times, events }: Cohort, risks: ArrayLike<number>): number {
  let right = 0;
  let pairs = 0;
  for (let i = 0; i < times.length; i++) {
    if (events[i] !== 1) continue;
    for (let j = 0; j < times.length; j++) {
      if (!(times[i]! < times[j]!)) continue;
      pairs++;
      if (risks[i]! > risks[j]!) right++;
      else if (risks[i] === risks[j]) right += 0.5;
    }
  }
  return right / pairs;
}

/** Resamples of the patients behind an interval of the concordance. */
const RESAMPLES = 400;

/** Harrell's C with the 95 % interval of the bootstrap over patients (percentiles). */
export function concordanceEstimate(
  cohort: Cohort,
  risks: ArrayLike<number>,
  seed: number,
): Estimate {
  const random = hostRandom(seed);
  const n = cohort.times.length;
  const drawn = Array.from({ length: RESAMPLES }, () => {
    const rows = Int32Array.from({ length: n }, () => random.int(n));
    return concordance(
      {
        times: Float64Array.from(rows, (i) => cohort.times[i]!),
        events: Uint8Array.from(rows, (i) => cohort.events[i]!),
      },
      Float64Array.from(rows, (i) => risks[i]!),
    );
  })
    .filter((c) => !Number.isNaN(c))
    .sort((a, b) => a - b);
  const at = (share: number): number => drawn[Math.round(share * (drawn.length - 1))] ?? Number.NaN;
  return { value: concordance(cohort, risks), low: at(0.025), high: at(0.975), n };
}

/** Weights of a linear log-risk. */
export interface CoxHead {
  /** `[dim]`. */
  readonly weights: Float32Array;
  /** Log-risks of features `[n, dim]`, `[n]`. */
  risks(x: Float32Array): Float64Array;
}

/** Options of `fitCox`. */
export interface CoxOptions extends Abortable {
  /** λ; default 0.05. */
  readonly penalty?: number;
  /** Default 150. */
  readonly steps?: number;
}

/**
 * A Cox proportional hazards head: minimises −Σ_{events i} [η_i − log Σ_{t_j ≥ t_i} e^{η_j}] / events + λ ‖w‖² with η = x w.
 * @param x standardised features `[n, dim]`
 * @throws ValueError when sizes differ or no event was seen; what the signal was aborted with
 */
export async function fitCox(
  x: Float32Array,
  dim: number,
  { times, events }: Cohort,
  { penalty = 0.05, steps = 150, signal }: CoxOptions = {},
): Promise<CoxHead> {
  const n = times.length;
  if (x.length !== n * dim || events.length !== n) {
    throw new ValueError('fitCox', `${x.length} features of width ${dim} for ${n} patients`);
  }
  const seen = events.reduce((a, b) => a + b, 0);
  if (seen === 0) throw new ValueError('fitCox', 'no event was seen: there is nothing to learn');
  // latest first, so that a running sum goes over all who are still there; of equal times the sum holds both
  const order = Int32Array.from(times, (_, i) => i).sort((i, j) => times[j]! - times[i]!);
  const lastOfTime = order.map((i, at) => {
    let end = at;
    while (end + 1 < n && times[order[end + 1]!] === times[i]) end++;
    return end;
  });
  const sorted = new Float32Array(x.length);
  order.forEach((from, i) => {
    sorted.set(x.subarray(from * dim, (from + 1) * dim), i * dim);
  });
  const { features, died, ends, w, optimizer } = construct(() => {
    const made = new Param(zeros([dim, 1]));
    return {
      features: tensor(sorted, { shape: [n, dim] }).keep(),
      died: tensor(Float32Array.from(order, (i) => events[i]! / seen)).keep(),
      ends: tensor(lastOfTime).keep(),
      w: made,
      optimizer: new AdamW([['w', made]], { lr: 0.05, weightDecay: 0 }),
    };
  });
  let weights: Float32Array;
  try {
    for (let step = 0; step < steps; step++) {
      await throwIfAborted(signal);
      tidy(() => {
        const { grads } = valueAndGrad([w], () => {
          const eta = matmul(features, w.value).reshape(n);
          const atRisk = indexSelect(log(cumsum(exp(eta), 0)), ends, 0);
          return sub(sum(sub(atRisk, eta).mul(died)), sum(square(w.value)).mul(-penalty));
        });
        optimizer.step(grads, { lr: 0.05 * (1 - step / steps) });
      });
    }
    weights = Float32Array.from(await w.value.data());
  } finally {
    for (const owned of [features, died, ends, optimizer, w]) owned.dispose();
  }
  return {
    weights,
    risks: (rows) =>
      Float64Array.from({ length: rows.length / dim }, (_, i) => {
        let eta = 0;
        for (let d = 0; d < dim; d++) eta += rows[i * dim + d]! * weights[d]!;
        return eta;
      }),
  };
}
