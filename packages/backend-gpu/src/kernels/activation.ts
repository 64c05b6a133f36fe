/** GELU, SiLU and SwiGLU with their gradients: one formula each. */
import type { Kernel, Kernels, View } from '@loretta-ts/core';
import { erfInto, nanOfOne, sigmoidInto } from '../formulas';
import type { Context } from '../launch';
import { broadcast, launchMap } from './elementwise';

type ActivationName = 'gelu' | 'geluGrad' | 'silu' | 'siluGrad' | 'swiglu' | 'swigluGrad';

// gelu by tanh: (1 + tanh u) / 2 = sigmoid(2 u), u = √(2/π) (x + 0.044715 x³), which keeps the small tail
const twice = `const xx = x * x;
const v = 1.5957691216057308 * x * (1 + 0.044715 * xx);
${sigmoidInto('s', 'v')}`;

const normal = `const scaled = x * 0.7071067811865476;
${erfInto('e', 'scaled')}const s = 0.5 * (1 + e);
`;

const formulas = {
  geluTanh: `${nanOfOne}${twice}return x * s;`,
  geluErf: `${nanOfOne}${normal}return x * s;`,
  geluGradTanh: `${nanOfOne}${twice}const slope = 1.5957691216057308 * (1 + 0.134145 * xx);
let tail = 0.0;
if (s > 0 && s < 1) { tail = x * s * (1 - s) * slope; }
return dy * (s + tail);`,
  geluGradErf: `${nanOfOne}${normal}let tail = 0.0;
if (Math.abs(x) < 14) { tail = x * Math.exp(-0.5 * x * x) * 0.3989422804014327; }
return dy * (s + tail);`,
  silu: `${nanOfOne}${sigmoidInto('s', 'x')}return x * s;`,
  siluGrad: `${nanOfOne}${sigmoidInto('s', 'x')}return dy * s * (1 + x * (1 - s));`,
  swiglu: `${nanOfOne}${sigmoidInto('s', 'x')}return x * s * up;`,
  swigluGate: `${nanOfOne}${sigmoidInto('s', 'x')}return dy * up * s * (1 + x * (1 - s));`,
  swigluUp: `${nanOfOne}${sigmoidInto('s', 'x')}return dy * x * s;`,
} as const;

/** Runs a formula over operands of one shape. */
function run(
  context: Context,
  name: keyof typeof formulas,
  operands: Readonly<Record<string, View>>,
  out: View,
): void {
  launchMap(
    context,
    { name, operands: Object.keys(operands), body: formulas[name] },
    Object.values(operands).map((x) => broadcast(x, out)),
    out,
  );
}

/** Kernels of the activations. */
export function activationKernels(context: Context): { readonly [N in ActivationName]: Kernel<N> } {
  return {
    gelu: ([x], [out], { approximate }) =>
      run(context, approximate ? 'geluTanh' : 'geluErf', { x: x! }, out!),
    geluGrad: ([x, dy], [out], { approximate }) =>
      run(context, approximate ? 'geluGradTanh' : 'geluGradErf', { x: x!, dy: dy! }, out!),
    silu: ([x], [out]) => run(context, 'silu', { x: x! }, out!),
    siluGrad: ([x, dy], [out]) => run(context, 'siluGrad', { x: x!, dy: dy! }, out!),
    swiglu: ([x, up], [out]) => run(context, 'swiglu', { x: x!, up: up! }, out!),
    swigluGrad([x, up, dy], [dgate, dup]) {
      run(context, 'swigluGate', { x: x!, up: up!, dy: dy! }, dgate!);
      run(context, 'swigluUp', { x: x!, dy: dy! }, dup!);
    },
  } satisfies Partial<Kernels>;
}
