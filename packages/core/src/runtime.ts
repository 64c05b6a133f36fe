/**
 * The one module-level state: the default backend, the leak reporter, and the frame of the synchronous call in progress
 * (scope, trace, recording). Frames are set in `try`/`finally` and never outlive the call, so nothing of
 * them crosses an `await`.
 */
import type { Backend } from './backend';
import { BackendError } from './errors';
import type { Scope } from './scope';
import type { Tensor, ValueRef } from './tensor';
import type { Trace } from './trace';

/** Sees every op that runs. */
export interface OpWatch {
  /** Called before an op runs: what `ran` is to know of its inputs. */
  before(ins: readonly Tensor[]): readonly unknown[];
  /** Called when an op has run. */
  ran(op: string, ins: readonly unknown[], outs: readonly Tensor[]): void;
  /** Runs the gradient of an op. */
  gradientOf<T>(op: string, fn: () => T): T;
  /** Called with what the gradient rule of an op gave. */
  gave(op: string, cotangents: readonly (Tensor | null)[]): void;
}

export interface Frame {
  /** Where new tensors are registered. */
  readonly scope: Scope | null;
  /** The capture in progress. */
  readonly trace: Trace | null;
  /** False inside `noGrad`. */
  readonly recording: boolean;
  /** Collects what a checkpointed function reads from outside. */
  readonly reads: Map<ValueRef, Tensor> | null;
  /** Collects what is taken out of scopes inside `construct`. */
  readonly kept: Set<Tensor> | null;
  /** Looks at every result, while an anomaly is looked for. */
  readonly watch: OpWatch | null;
}

const runtime: {
  backend: Backend | null;
  frame: Frame;
  leaks: FinalizationRegistry<string> | null;
} = {
  backend: null,
  leaks: null,
  frame: { scope: null, trace: null, recording: true, reads: null, kept: null, watch: null },
};

export function frame(): Frame {
  return runtime.frame;
}

/** Runs `fn` with some fields of the frame replaced. @throws TypeError when fn is asynchronous */
export function withFrame<T>(change: Partial<Frame>, fn: () => T): T {
  const saved = runtime.frame;
  runtime.frame = { ...saved, ...change };
  try {
    const result = fn();
    if (result instanceof Promise) {
      result.catch(() => undefined);
      throw new TypeError(
        'scope: the function returned a promise: give each part between two awaits a scope of its own (scope().run)',
      );
    }
    return result;
  } finally {
    runtime.frame = saved;
  }
}

/** Makes `backend` the one that new tensors live on. */
export function setBackend(backend: Backend): void {
  runtime.backend = backend;
}

/** The default backend. @throws BackendError when none was set */
export function getBackend(): Backend {
  if (runtime.backend === null) {
    throw new BackendError(
      'none',
      'no backend is set: call setBackend(cpu()) with cpu from @loretta-ts/backend-cpu',
    );
  }
  return runtime.backend;
}

/** Runs `fn` with another default backend. @throws TypeError when fn is asynchronous */
export function withBackend<T>(backend: Backend, fn: () => T): T {
  const saved = runtime.backend;
  runtime.backend = backend;
  try {
    return withFrame({}, fn);
  } finally {
    runtime.backend = saved;
  }
}

/**
 * Reports device memory whose last handle was collected without `dispose`, for development: it tells, it never
 * reclaims. When the engine collects is its own affair. Null ends it.
 */
export function reportLeaks(report: ((what: string) => void) | null): void {
  runtime.leaks = report === null ? null : new FinalizationRegistry(report);
}

/** @internal */
export function leakRegistry(): FinalizationRegistry<string> | null {
  return runtime.leaks;
}
