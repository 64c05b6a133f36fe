/** What the compiler accepts and refuses. `tsc` checks the lines; the functions here are never called. */
import type { Backend } from '@loretta-ts/core';
import { expectTypeOf, it } from 'vitest';
import { type CpuOptions, cpu, cpuAsync, referenceBackend } from '../src';

const checked = (_: () => void): void => undefined;

it('gives backends', () => {
  expectTypeOf(cpu).returns.toEqualTypeOf<Backend>();
  expectTypeOf(cpuAsync).returns.resolves.toEqualTypeOf<Backend>();
  expectTypeOf(referenceBackend).returns.toExtend<Backend>();
  expectTypeOf(cpu()).toExtend<AsyncDisposable>();
});

it('takes levels and threads by name', () => {
  expectTypeOf<CpuOptions['simd']>().toEqualTypeOf<
    'auto' | 'simd' | 'relaxed-simd' | 'none' | undefined
  >();
  expectTypeOf<CpuOptions['threads']>().toEqualTypeOf<number | 'auto' | undefined>();
  checked(() => {
    cpu({ simd: 'none', threads: 'auto' });
    // @ts-expect-error
    cpu({ simd: 'avx' });
    // @ts-expect-error
    cpu({ threads: 'all' });
    // @ts-expect-error
    cpu({ thread: 2 });
  });
});
