/** Gradients of several micro-batches as if they were one batch. */
import { type Tensor, ValueError } from '@loretta-ts/core';
import type { Param } from '../module';
import type { GradSource } from './optimizer';

/**
 * Adds gradients of loss SUMS and divides by the number of tokens that were summed over. Averaging the means of
 * micro-batches of unequal length would weight their tokens unequally.
 */
export class GradAccumulator implements GradSource {
  private readonly sums = new Map<Param, Tensor>();
  private readonly params: readonly Param[];
  private count = 0;

  constructor(params: Iterable<Param>) {
    this.params = [...params];
  }

  /** Tokens so far. */
  get tokens(): number {
    return this.count;
  }

  /** Adds the gradients of a sum over `tokens` losses; the caller may dispose of them afterwards. */
  add(grads: GradSource, tokens: number): void {
    if (!Number.isSafeInteger(tokens) || tokens < 0) {
      throw new ValueError('GradAccumulator', `${tokens} is not a number of tokens`);
    }
    for (const param of this.params) {
      const before = this.sums.get(param);
      const g = grads.get(param);
      this.sums.set(param, (before === undefined ? g.mul(1) : before.add(g)).keep());
      before?.dispose();
    }
    this.count += tokens;
  }

  /** The sum of gradients of a parameter; multiply by `scale` (as the optimiser's gradScale) for the mean. */
  get(param: Param): Tensor {
    const total = this.sums.get(param);
    if (total === undefined)
      throw new ValueError('GradAccumulator', 'nothing was added for this parameter');
    return total;
  }

  /** Sums by parameter. */
  entries(): Iterable<[Param, Tensor]> {
    return this.sums.entries();
  }

  /** 1 / tokens. @throws ValueError when there were none */
  get scale(): number {
    if (this.count === 0)
      throw new ValueError('GradAccumulator', 'no tokens were added: there is no mean');
    return 1 / this.count;
  }

  /** Divides the sums by the tokens, so that `get` gives means and clipping sees the right norm. */
  average(): this {
    const { scale } = this;
    for (const [param, total] of this.sums) {
      this.sums.set(param, total.mul(scale).keep());
      total.dispose();
    }
    this.count = 1;
    return this;
  }

  /** Starts again at nothing. */
  reset(): void {
    for (const t of this.sums.values()) t.dispose();
    this.sums.clear();
    this.count = 0;
  }

  /** Frees the sums. */
  dispose(): void {
    this.reset();
  }

  /** As `dispose`, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}
