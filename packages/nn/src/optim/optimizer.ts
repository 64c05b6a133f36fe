/** What optimisers share: parameters by name, gradients by parameter, state under names. */
import { construct, type Tensor, ValueError, zeros } from '@loretta-ts/core';
import { CheckpointError } from '../errors';
import type { HostTensor } from '../host';
import { fromHost } from '../host';
import { Param } from '../module';

/** Where gradients come from: core's `Grads`, clipped or accumulated ones. */
export interface GradSource {
  /** The gradient of a parameter, of its shape. */
  get(param: Param): Tensor;
}

/** Parameters with names, as `Module.namedParameters` gives them. */
export type NamedParams = Iterable<readonly [string, Param]>;

/** Options of one step. */
export interface StepOptions {
  /** The rate of this step; default the one given at construction. */
  readonly lr?: number;
  /** Gradients are multiplied by it (clipping, mean over tokens); default 1. */
  readonly gradScale?: number | Tensor;
}

/** Base of optimisers: one slot of state per parameter and state name, zeros at the start. */
export abstract class Optimizer {
  /** Rate where a step names none. */
  readonly lr: number;
  /** Parameters by name. */
  protected readonly params: ReadonlyMap<string, Param>;
  private readonly slots = new Map<string, Param>();
  private taken = 0;

  /** @throws ValueError for a negative rate or a name given twice */
  constructor(params: NamedParams, lr: number, stateNames: readonly string[]) {
    checkSize('Optimizer', 'lr', lr);
    const byName = new Map<string, Param>();
    construct(() => {
      for (const [name, param] of params) {
        if (byName.has(name))
          throw new ValueError('Optimizer', `two parameters are called ${name}`);
        byName.set(name, param);
        for (const state of stateNames) {
          this.slots.set(`${state}/${name}`, new Param(zeros(param.shape, { dtype: param.dtype })));
        }
      }
    });
    this.lr = lr;
    this.params = byName;
  }

  /** Steps taken. */
  get steps(): number {
    return this.taken;
  }

  /** Replaces every parameter by its next value. */
  abstract step(grads: GradSource, options?: StepOptions): void;

  /** Live state by `STATE/NAME`, for example `exp_avg/lm_head.weight`. */
  stateDict(): Map<string, Tensor> {
    return new Map([...this.slots].map(([name, slot]) => [name, slot.value]));
  }

  /**
   * Takes state over, cast to each parameter's dtype; everything is checked before anything changes.
   * @param steps how many steps the state has behind it: bias correction goes on from there
   * @throws CheckpointError that names what is missing or misshapen
   */
  loadStateDict(state: ReadonlyMap<string, HostTensor>, steps: number): void {
    if (!Number.isSafeInteger(steps) || steps < 0) {
      throw new CheckpointError(
        `the optimiser's step count is ${steps}, not a non-negative integer`,
      );
    }
    for (const [name, slot] of this.slots) {
      const source = state.get(name);
      if (source === undefined) {
        throw new CheckpointError(
          `no optimiser state '${name}': was it saved by another optimiser or model?`,
        );
      }
      if (source.shape.join() !== slot.shape.join()) {
        throw new CheckpointError(
          `optimiser state '${name}' is [${source.shape.join(',')}], not [${slot.shape.join(',')}]`,
        );
      }
    }
    for (const [name, slot] of this.slots)
      slot.assign(fromHost(state.get(name)!, { dtype: slot.dtype }));
    this.taken = steps;
  }

  /** Parameters and state: the state of a captured step. */
  leaves(): Param[] {
    return [...this.params.values(), ...this.slots.values()];
  }

  /** Frees the state, not the parameters. */
  dispose(): void {
    for (const slot of this.slots.values()) slot.dispose();
  }

  /** As `dispose`, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  /** The state slot of a parameter. */
  protected slot(state: string, name: string): Param {
    return this.slots.get(`${state}/${name}`)!;
  }

  /** Counts a step and returns its number, from 1. */
  protected advance(): number {
    return ++this.taken;
  }
}

/** @throws ValueError unless x is a finite number from 0 */
export function checkSize(op: string, name: string, x: number): void {
  if (!(x >= 0 && Number.isFinite(x))) throw new ValueError(op, `${name} is ${x}, not 0 or more`);
}

/** @throws ValueError unless x is in [0, 1) */
export function checkShare(op: string, name: string, x: number): void {
  if (!(x >= 0 && x < 1)) throw new ValueError(op, `${name} is ${x}, not in [0, 1)`);
}

/** @throws ValueError for an option of Adam that is out of range, by its name */
export function checkAdam(
  op: string,
  options: {
    readonly betas: readonly [number, number];
    readonly eps: number;
    readonly weightDecay: number;
  },
): void {
  const { betas, eps, weightDecay } = options;
  checkShare(op, 'betas[0]', betas[0]);
  checkShare(op, 'betas[1]', betas[1]);
  checkSize(op, 'eps', eps);
  checkSize(op, 'weightDecay', weightDecay);
}

/** The gradient times the scale. */
export function scaled(grad: Tensor, gradScale: number | Tensor = 1): Tensor {
  return gradScale === 1 ? grad : grad.mul(gradScale);
}
