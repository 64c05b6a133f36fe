/** What the compiler accepts and refuses. `tsc` checks the lines; the functions here are never called. */
import type { Backend } from '@loretta-ts/core';
import { expectTypeOf, it } from 'vitest';
import { type GpuBackend, type GpuMode, gpu } from '../src';

const checked = (_: () => void): void => undefined;

it('is a backend that says what ran', () => {
  expectTypeOf(gpu).returns.resolves.toEqualTypeOf<GpuBackend>();
  expectTypeOf<GpuBackend>().toExtend<Backend>();
  expectTypeOf<GpuBackend>().toExtend<AsyncDisposable>();
  expectTypeOf<ReturnType<GpuBackend['info']>['precision']>().toBeString();
});

it('takes modes by name, and always one', () => {
  expectTypeOf<GpuMode>().toEqualTypeOf<
    'webgpu' | 'webgl2' | 'webgl' | 'headlessgl' | 'webasm' | 'cpu'
  >();
  checked(() => {
    // @ts-expect-error
    void gpu({ mode: 'cuda' });
    // @ts-expect-error
    void gpu({});
    // @ts-expect-error
    void gpu();
  });
});
