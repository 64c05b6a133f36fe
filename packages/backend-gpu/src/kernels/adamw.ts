/** A step of AdamW over elements: three launches, whatever the number of parameters behind them. */
import type { Kernel } from '@loretta-ts/core';
import { type Context, finish, launchNamed } from '../launch';

// hyper: lr, 1 - beta1^t, 1 - beta2^t, factor on g, weight decay
const gradient = 'const d = g[o_g + this.thread.x] * hyper[o_hyper + 3];\n';

/** Kernel of `adamw`. Inputs are read before anything is stored: p, m and v may be donated. */
export function adamwKernel(context: Context): Kernel<'adamw'> {
  return ([p, g, m, v, hyper], [p2, m2, v2], { beta1, beta2, eps }) => {
    const size = p2!.size;
    if (size === 0) return;
    const mean = launchNamed(context, {
      ...{ name: 'adamw.m', arrays: { m: m!, g: g!, hyper: hyper! }, size },
      floats: { keep: beta1, take: 1 - beta1 },
      body: `${gradient}return m[o_m + this.thread.x] * keep + d * take;`,
    });
    const square = launchNamed(context, {
      ...{ name: 'adamw.v', arrays: { v: v!, g: g!, hyper: hyper! }, size },
      floats: { keep: beta2, take: 1 - beta2 },
      body: `${gradient}return v[o_v + this.thread.x] * keep + d * d * take;`,
    });
    const next = launchNamed(context, {
      ...{ name: 'adamw.p', arrays: { p: p!, mean, square, hyper: hyper! }, size },
      floats: { eps },
      body: `const lr = hyper[o_hyper];
const root = Math.sqrt(square[this.thread.x] / hyper[o_hyper + 2]) + eps;
const kept = p[o_p + this.thread.x] * (1 - lr * hyper[o_hyper + 4]);
return kept - (mean[this.thread.x] / root) * (lr / hyper[o_hyper + 1]);`,
    });
    finish(context, [
      [p2!, next],
      [m2!, mean],
      [v2!, square],
    ]);
  };
}
