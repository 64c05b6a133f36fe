/** Fused elementwise kernels: activations, rotary positions, the AdamW step. */
import type { WasmKernels } from './kernels.generated';
import { at, type SomeKernels } from './view';

export function activationKernels(wasm: WasmKernels): SomeKernels {
  return {
    gelu([x], [y], { approximate }) {
      wasm.gelu(approximate, x!.size, at(x!), at(y!));
    },
    geluGrad([x, dy], [dx], { approximate }) {
      wasm.geluGrad(approximate, x!.size, at(x!), at(dy!), at(dx!));
    },
    silu([x], [y]) {
      wasm.silu(x!.size, at(x!), at(y!));
    },
    siluGrad([x, dy], [dx]) {
      wasm.siluGrad(x!.size, at(x!), at(dy!), at(dx!));
    },
    swiglu([gate, up], [y]) {
      wasm.swiglu(y!.size, at(gate!), at(up!), at(y!));
    },
    swigluGrad([gate, up, dy], [dgate, dup]) {
      wasm.swigluGrad(dy!.size, at(gate!), at(up!), at(dy!), at(dgate!), at(dup!));
    },
    adamw([p, g, m, v, hyper], [po, mo, vo], { beta1, beta2, eps }) {
      const n = p!.size;
      const h = at(hyper!);
      const [q, r, s] = [at(po!), at(mo!), at(vo!)];
      wasm.adamw(n, beta1, beta2, eps, at(p!), at(g!), at(m!), at(v!), h, q, r, s);
    },
  };
}

/** `scratch` is an address with room for the frequencies and one table; `memory` is looked at anew in each call. */
export function ropeKernels(
  wasm: WasmKernels,
  memory: WebAssembly.Memory,
  scratch: number,
): SomeKernels {
  return {
    rope([x, positions], [y], { theta, rotaryDim, interleaved, inverse }) {
      const [b, t, h, d] = x!.shape as readonly [number, number, number, number];
      const pairs = rotaryDim >> 1;
      const frequencies = new Float64Array(memory.buffer, scratch, pairs);
      for (let k = 0; k < pairs; k++) frequencies[k] = theta ** ((-2 * k) / rotaryDim);
      const shared = positions!.shape.length === 1;
      const p = at(positions!);
      wasm.rope(b, t, h, d, rotaryDim, interleaved, inverse, shared, scratch, p, at(x!), at(y!));
    },
  };
}
