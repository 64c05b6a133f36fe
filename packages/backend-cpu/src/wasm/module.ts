/** The compiled kernels: which build runs here, and its exports. */
import { applyDelta } from './delta';
import { memoryFlags, relaxedSimdDelta, simdKernels, type WasmKernels } from './kernels.generated';

export type SimdLevel = 'relaxed-simd' | 'simd';

// (module (func (result v128) i32.const 0 i8x16.splat)) and the same through relaxed_madd.
const simdProbe = [
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 8, 1, 6, 0, 65, 0, 253, 15,
  11,
];
const relaxedProbe = [
  0, 97, 115, 109, 1, 0, 0, 0, 1, 8, 1, 96, 3, 123, 123, 123, 1, 123, 3, 2, 1, 0, 10, 13, 1, 11, 0,
  32, 0, 32, 1, 32, 2, 253, 133, 2, 11,
];

/** Whether the engine validates a level. */
export function supports(level: SimdLevel): boolean {
  if (typeof WebAssembly === 'undefined') return false;
  return WebAssembly.validate(new Uint8Array(level === 'simd' ? simdProbe : relaxedProbe));
}

function decoded(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
}

/** The code is the same for both kinds of memory, but the import says which. */
function bytes(level: SimdLevel, shared: boolean): Uint8Array<ArrayBuffer> {
  const plain = decoded(simdKernels);
  const code = level === 'simd' ? plain : applyDelta(plain, decoded(relaxedSimdDelta));
  if (!shared) code[memoryFlags] = 1;
  return code;
}

export function compileKernels(level: SimdLevel, shared: boolean): WebAssembly.Module {
  return new WebAssembly.Module(bytes(level, shared));
}

export function compileKernelsAsync(
  level: SimdLevel,
  shared: boolean,
): Promise<WebAssembly.Module> {
  return WebAssembly.compile(bytes(level, shared));
}

export function instantiate(module: WebAssembly.Module, memory: WebAssembly.Memory): WasmKernels {
  const instance = new WebAssembly.Instance(module, { env: { memory } });
  // The generated module and this interface come from the same sources.
  return instance.exports as unknown as WasmKernels;
}
