/** All kernels of the WebAssembly executor: the reference, overridden family by family. */
import type { Kernels } from '@loretta-ts/core';
import { activationKernels, ropeKernels } from './activation';
import { attentionKernels } from './attention';
import { createKernels } from './create';
import { elementwiseKernels } from './elementwise';
import type { WasmKernels } from './kernels.generated';
import { matmulKernels } from './matmul';
import { moveKernels, tableKernels } from './move';
import { reduceKernels } from './reduce';
import { normKernels, softmaxKernels } from './rows';
import { scanKernels } from './scan';
import { selectKernels } from './select';

/** What the kernels work with. `scratch` is an address with 640 KiB for the fused kernels. */
export interface Machine {
  readonly wasm: WasmKernels;
  readonly memory: WebAssembly.Memory;
  readonly scratch: number;
}

/** Each kernel decides by itself which dtypes and shapes it leaves to the reference. */
export function wasmKernels({ wasm, memory, scratch }: Machine, reference: Kernels): Kernels {
  return {
    ...reference,
    ...elementwiseKernels(wasm, memory, reference),
    ...selectKernels(wasm, reference),
    ...createKernels(wasm, reference, scratch),
    ...matmulKernels(wasm, reference),
    ...reduceKernels(wasm, reference),
    ...moveKernels(wasm, reference),
    ...tableKernels(wasm, memory, reference),
    ...softmaxKernels(wasm),
    ...normKernels(wasm),
    ...activationKernels(wasm),
    ...ropeKernels(wasm, memory, scratch),
    ...attentionKernels(wasm, memory, scratch),
    ...scanKernels(wasm),
  };
}
