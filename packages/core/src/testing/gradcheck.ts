/**
 * Gradients against central differences along one random direction: ⟨v, Jᵀw⟩ = d/dt ⟨w, f(x + t v)⟩. A direction
 * instead of every element: two evaluations whatever the size, and an inner product that no cancellation hides in.
 */
import { valueAndGrad } from '../autograd';
import { isFloat, showAval } from '../dtype';
import { DTypeError } from '../errors';
import { add, mul } from '../ops/arithmetic';
import { full } from '../ops/create';
import { sum } from '../ops/linear';
import { isFiniteOf, where } from '../ops/select';
import { hostRandom } from '../random';
import { scope } from '../scope';
import { tensor } from '../create-tensor';
import type { Tensor } from '../tensor';

/** Options of `gradcheck`. */
export interface GradcheckOptions {
  /** 1 (default) checks the gradient; 2 also the gradient of ⟨v, gradient⟩. */
  readonly order?: 1 | 2;
  /** Step of the difference (1e-6). */
  readonly eps?: number;
  /** Default 1e-5. */
  readonly atol?: number;
  /** Default 1e-3. */
  readonly rtol?: number;
  /** Of the directions and cotangents (1). */
  readonly seed?: number;
}

/** A gradient that is not the slope. */
export class GradcheckError extends Error {
  /** The class. */
  override readonly name = 'GradcheckError';
  /** Of the derivative that is wrong. */
  readonly order: 1 | 2;
  /** ⟨v, gradient⟩. */
  readonly analytic: number;
  /** The central difference. */
  readonly numeric: number;
  constructor(order: 1 | 2, analytic: number, numeric: number) {
    super(`order ${order}: the gradient gives ${analytic}, the difference ${numeric}`);
    this.order = order;
    this.analytic = analytic;
    this.numeric = numeric;
  }
}

type Fn = (...xs: Tensor[]) => Tensor | readonly Tensor[];

/** A scalar function of the float tensors among its arguments. */
type Scalar = (xs: readonly Tensor[]) => Tensor;

/**
 * Checks the gradient of `fn` in all f64 inputs, by a random cotangent for each float output. Other inputs stay as
 * they are; outputs that are not finite do not count.
 * @throws GradcheckError when a slope differs; DTypeError when no input is f64, or one is f32
 */
export async function gradcheck(
  fn: Fn,
  inputs: readonly Tensor[],
  options: GradcheckOptions = {},
): Promise<void> {
  const { order = 1, seed = 1 } = options;
  for (const x of inputs) {
    if (x.dtype === 'f32')
      throw new DTypeError('gradcheck', `${showAval(x)}: differences need f64`, [x.dtype]);
  }
  const moving = inputs.flatMap((x, i) => (isFloat(x.dtype) ? [i] : []));
  if (moving.length === 0) throw new DTypeError('gradcheck', 'no input is f64', []);
  const random = hostRandom(seed);
  using s = scope();
  const direction = (like: Tensor): Tensor =>
    tensor(
      Float64Array.from({ length: like.size }, () => 2 * random.uniform() - 1),
      { shape: like.shape, backend: like.backend },
    );
  const outputs = (xs: readonly Tensor[]): Tensor[] => {
    const all = [...inputs];
    moving.forEach((i, k) => {
      all[i] = xs[k]!;
    });
    return [fn(...all)].flat().filter((y) => isFloat(y.dtype));
  };
  const start = moving.map((i) => inputs[i]!);
  // cotangents come after the inputs: second order is taken in both
  const cotangents = s.run(() => outputs(start).map(direction));
  const weighted: Scalar = (xs) => {
    const ys = outputs(xs.slice(0, start.length));
    return total(ys.map((y, i) => inner(y, xs[start.length + i]!)));
  };
  const points = [...start, ...cotangents];
  const v = s.run(() => start.map(direction));
  await compare(1, (xs) => weighted([...xs, ...cotangents]), start, v, options);
  if (order === 1) return;
  const slope: Scalar = (xs) => {
    const leaves = xs.slice(0, start.length);
    const { grads } = valueAndGrad(leaves, () => weighted(xs));
    return total(leaves.map((x, i) => inner(grads.get(x), v[i]!)));
  };
  await compare(
    2,
    slope,
    points,
    s.run(() => points.map(direction)),
    options,
  );
}

/** Σ y ⊙ w over what is finite. */
function inner(y: Tensor, w: Tensor): Tensor {
  return sum(mul(where(isFiniteOf(y), y, 0), w));
}

function total(parts: readonly Tensor[]): Tensor {
  return parts.reduce((a, b) => add(a, b), full([], 0, { dtype: 'f64' }));
}

async function compare(
  order: 1 | 2,
  fn: Scalar,
  xs: readonly Tensor[],
  v: readonly Tensor[],
  { eps = 1e-6, atol = 1e-5, rtol = 1e-3 }: GradcheckOptions,
): Promise<void> {
  using s = scope();
  const value = async (make: () => Tensor): Promise<number> => await s.run(make).item();
  const moved = (by: number): Tensor => fn(xs.map((x, i) => add(x, mul(v[i]!, by))));
  const analytic = await value(() => {
    const { grads } = valueAndGrad(xs, () => fn(xs));
    return total(xs.map((x, i) => sum(mul(grads.get(x), v[i]!))));
  });
  const numeric = ((await value(() => moved(eps))) - (await value(() => moved(-eps)))) / (2 * eps);
  if (!(Math.abs(analytic - numeric) <= atol + rtol * Math.abs(numeric))) {
    throw new GradcheckError(order, analytic, numeric);
  }
}
