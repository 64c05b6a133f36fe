/** Mamba's scan and its gradient. */
import { ValueError, type View } from '@loretta-ts/core';
import type { WasmKernels } from './kernels.generated';
import { at, atBytes, type SomeKernels } from './view';

/** For 64 states, 3 √l vectors of them fit the working memory of `assembly/scan.ts`. */
const longest = 4_000_000;

export function scanKernels(wasm: WasmKernels): SomeKernels {
  return {
    selectiveScan([u, delta, A, B, C, ...more], [y, last], { has }) {
      const [b, d, l] = u!.shape as readonly [number, number, number];
      const state = has.state ? at(more[0]!) : 0;
      const starts = has.starts ? startsOf(more, has) : 0;
      const sizes = [d, l, A!.shape[1]!] as const;
      const [pB, pC] = [at(B!), at(C!)];
      const to = [at(y!), at(last!)] as const;
      wasm.scanRows(0, b * d, ...sizes, at(u!), at(delta!), at(A!), pB, pC, state, starts, ...to);
    },
    selectiveScanGrad([u, delta, A, B, C, ...more], [du, ddelta, dA, dB, dC], { has }) {
      const [b, d, l] = u!.shape as readonly [number, number, number];
      if (l > longest) {
        throw new ValueError('selectiveScanGrad', `${l} steps: at most ${longest} fit the kernel`);
      }
      const state = has.state ? at(more[0]!) : 0;
      const starts = has.starts ? startsOf(more, has) : 0;
      const dy = at(more[more.length - 1]!);
      const sizes = [d, l, A!.shape[1]!] as const;
      const from = [at(u!), at(delta!), at(A!), at(B!), at(C!), state, starts, dy] as const;
      const to = [at(du!), at(ddelta!), at(dA!), at(dB!), at(dC!)] as const;
      wasm.scanGradRows(0, b, ...sizes, ...from, ...to);
    },
  };
}

function startsOf(more: readonly View[], has: { readonly state: boolean }): number {
  return atBytes(more[has.state ? 1 : 0]!);
}
