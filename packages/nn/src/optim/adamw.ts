/** Adam with decoupled weight decay. */
import { adamw, concat, type Tensor, tensor, tidy } from '@loretta-ts/core';
import type { Param } from '../module';
import {
  checkAdam,
  type GradSource,
  type NamedParams,
  Optimizer,
  type StepOptions,
} from './optimizer';

/** Options of `AdamW`. */
export interface AdamWOptions {
  /** Default 1e-3. */
  readonly lr?: number;
  /** Default [0.9, 0.999]. */
  readonly betas?: readonly [number, number];
  /** Default 1e-8. */
  readonly eps?: number;
  /** Default 0.01. */
  readonly weightDecay?: number;
  /** Which parameters decay; default those with `Param.decay` (rank 2 or more). */
  readonly decay?: (name: string, param: Param) => boolean;
}

/**
 * p ← p − lr · wd · p, then p ← p − lr · m̂ / (√v̂ + eps) (Loshchilov and Hutter 2019, alg. 2). State: `exp_avg`,
 * `exp_avg_sq`.
 */
export class AdamW extends Optimizer {
  private readonly betas: readonly [number, number];
  private readonly eps: number;
  private readonly weightDecay: number;
  private readonly decays: ReadonlySet<string>;

  /** @throws ValueError for a rate, beta, eps or decay out of range, or a name given twice */
  constructor(params: NamedParams, options: AdamWOptions = {}) {
    const {
      betas = [0.9, 0.999],
      eps = 1e-8,
      weightDecay = 0.01,
      decay = (_, p) => p.decay,
    } = options;
    checkAdam('AdamW', { betas, eps, weightDecay });
    super(params, options.lr ?? 1e-3, ['exp_avg', 'exp_avg_sq']);
    this.betas = betas;
    this.eps = eps;
    this.weightDecay = weightDecay;
    this.decays = new Set(
      [...this.params].filter(([name, p]) => decay(name, p)).map(([name]) => name),
    );
  }

  step(grads: GradSource, { lr = this.lr, gradScale = 1 }: StepOptions = {}): void {
    tidy(() => {
      if (typeof gradScale === 'number') this.apply(grads, this.hypers(lr, gradScale));
      else this.apply(grads, this.hypers(lr), gradScale);
    });
  }

  /**
   * Counts a step and returns what its arithmetic needs, `[lr, 1 − β₁ᵗ, 1 − β₂ᵗ, gradScale, weightDecay]`, for
   * parameters that decay and for those that do not. A captured step takes the two as arguments.
   */
  hypers(lr: number = this.lr, gradScale = 1): readonly [decayed: Tensor, plain: Tensor] {
    const t = this.advance();
    const [beta1, beta2] = this.betas;
    const dtype = this.params.values().next().value?.dtype ?? 'f32';
    const make = (weightDecay: number): Tensor =>
      tensor([lr, 1 - beta1 ** t, 1 - beta2 ** t, gradScale, weightDecay], { dtype });
    return [make(this.weightDecay), make(0)];
  }

  /**
   * The arithmetic of a step, all on the device: what `capture` records, with `leaves()` as its state.
   * @param gradScale a scalar that takes the place of the hypers' own (`clipScale`)
   */
  apply(
    grads: GradSource,
    hypers: readonly [decayed: Tensor, plain: Tensor],
    gradScale: Tensor | null = null,
  ): void {
    const [beta1, beta2] = this.betas;
    const [decayed, plain] =
      gradScale === null ? hypers : hypers.map((h) => withScale(h, gradScale));
    if (this.params.values().next().value?.value.backend.wholeArrays === true) {
      const all = [...this.params];
      const decays = ([name]: (typeof all)[number]): boolean => this.decays.has(name);
      this.applyFlat(grads, decayed!, all.filter(decays));
      this.applyFlat(
        grads,
        plain!,
        all.filter((entry) => !decays(entry)),
      );
      return;
    }
    for (const [name, param] of this.params) {
      const mean = this.slot('exp_avg', name);
      const square = this.slot('exp_avg_sq', name);
      const hyper = this.decays.has(name) ? decayed! : plain!;
      const [p, m, v] = adamw(param.value, grads.get(param), mean.value, square.value, hyper, {
        beta1,
        beta2,
        eps: this.eps,
        donate: true,
      });
      param.assign(p);
      mean.assign(m);
      square.assign(v);
    }
  }

  /**
   * The same over one array of all these parameters, where each launch counts. Afterwards they and their moments are views
   * of such arrays, so that the next step finds them end to end.
   */
  private applyFlat(
    grads: GradSource,
    hyper: Tensor,
    named: readonly (readonly [string, Param])[],
  ): void {
    if (named.length === 0) return;
    const [beta1, beta2] = this.betas;
    const slots = (['exp_avg', 'exp_avg_sq'] as const).map((state) =>
      named.map(([name]) => this.slot(state, name)),
    );
    const states = [named.map(([, param]) => param), ...slots];
    const [p, m, v] = states.map((params) => joined(params.map(({ value }) => value)));
    const g = joined(states[0]!.map((param) => grads.get(param)));
    const next = adamw(p!, g, m!, v!, hyper, { beta1, beta2, eps: this.eps });
    next.forEach((flat, i) => {
      let at = 0;
      for (const param of states[i]!) {
        const { size } = param.value;
        param.assign(flat.narrow(0, at, size).reshape(...param.shape));
        at += size;
      }
    });
  }
}

/** Tensors end to end, as one of rank 1. */
function joined(tensors: readonly Tensor[]): Tensor {
  return concat(tensors.map((t) => t.reshape(t.size)));
}

function withScale(hyper: Tensor, scale: Tensor): Tensor {
  return concat([hyper.narrow(0, 0, 3), scale.reshape(1), hyper.narrow(0, 4, 1)]);
}
