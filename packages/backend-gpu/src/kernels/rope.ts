/** Rotary position embedding: every element turns its pair by its own angle. */
import type { Kernel } from '@loretta-ts/core';
import { quarters } from '../formulas';
import { type Context, finish, launchNamed } from '../launch';
import { divide } from '../source';

/** Kernel of `rope`. Frequencies come from the host: powers on a device are too far off. */
export function ropeKernel(context: Context): Kernel<'rope'> {
  return ([x, positions], [out], { theta, rotaryDim, interleaved, inverse }) => {
    if (out!.size === 0) return;
    const [, t, heads, d] = x!.shape as [number, number, number, number];
    const half = rotaryDim / 2;
    const speed = context.constants.get(`rope ${theta} ${half}`, () =>
      Float32Array.from({ length: Math.max(half, 1) }, (_, k) => theta ** (-k / half)),
    );
    const y = launchNamed(context, {
      name: interleaved ? 'rope.interleaved' : 'rope',
      arrays: { a: x!, positions: positions!, speed },
      ints: {
        ...{ t, heads, d, half, rows: positions!.shape.length === 2 ? t : 0 },
        turn: inverse ? -1 : 1,
      },
      size: out!.size,
      body: `const at = o_a + this.thread.x;
${divide('q1', 'c', 'this.thread.x', 'd')}${divide('q2', 'head', 'q1', 'heads')}${divide('b', 'place', 'q2', 't')}
if (c >= 2 * half) { return a[at]; }
${
  interleaved
    ? 'const k = Math.floor(c / 2);\nconst second = c - 2 * k;\nconst other = at + 1 - 2 * second;'
    : 'const second = c >= half ? 1 : 0;\nconst k = c - second * half;\nconst other = at + (1 - 2 * second) * half;'
}
const x = positions[o_positions + b * rows + place] * speed[k];
${quarters}let sin = quarter === 1 || quarter === 3 ? cosine : sine;
let cos = quarter === 1 || quarter === 3 ? sine : cosine;
if (quarter >= 2) { sin = -sin; }
if (quarter === 1 || quarter === 2) { cos = -cos; }
sin = sin * turn;
return second === 0 ? a[at] * cos - a[other] * sin : a[at] * cos + a[other] * sin;`,
    });
    finish(context, [[out!, y]]);
  };
}
