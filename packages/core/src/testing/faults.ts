/** Backends that fail on purpose: what must hold then is checked with them. */
import type { Backend, Kernels, View } from '../backend';

type AnyKernel = (ins: readonly View[], outs: readonly View[], attrs: never) => void;

/** A backend with some members replaced. */
export function instead(of: Backend, members: Partial<Backend>): Backend {
  return new Proxy(of, {
    get(target, name) {
      if (name in members) return members[name as keyof Backend];
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}

/** A backend that refuses one allocation or kernel. */
export interface Failing {
  /** The backend that fails. */
  readonly backend: Backend;
  /** How many there were since `restart`. */
  readonly calls: number;
  /** Lets the call of this number fail from now on, counted from 0; null none. */
  restart(failAt: number | null): void;
}

/** What a `Failing` backend throws. */
export class Refused extends Error {
  /** The class. */
  override readonly name = 'Refused';
}

/** `of` with one allocation or kernel call that throws, before it does anything. */
export function failing(of: Backend): Failing {
  let [calls, failAt] = [0, null as number | null];
  const count = (what: string): void => {
    if (calls++ === failAt) throw new Refused(what);
  };
  const kernels = Object.fromEntries(
    Object.entries(of.kernels).map(([op, kernel]) => [
      op,
      (...args: Parameters<AnyKernel>) => {
        count(op);
        (kernel as AnyKernel)(...args);
      },
    ]),
  ) as unknown as Kernels;
  return {
    backend: instead(of, {
      kernels,
      alloc: (size, dtype) => {
        count('alloc');
        return of.alloc(size, dtype);
      },
    }),
    get calls() {
      return calls;
    },
    restart(at) {
      calls = 0;
      failAt = at;
    },
  };
}

/**
 * Stops `work` at each of its allocations and kernels in turn, until it comes to its end, and gives their number.
 * @param work gives what frees its results
 * @param every stops only at every so many calls, where all would take too long
 * @throws Error when it leaves buffers behind where it was stopped; what `work` throws by itself
 */
export async function stopEverywhere(
  { backend, restart }: Pick<Failing, 'backend' | 'restart'>,
  work: () => Promise<() => void>,
  every = 1,
): Promise<number> {
  for (let at = 0; ; at += every) {
    const before = backend.memory().buffers;
    restart(at);
    try {
      const free = await work();
      restart(null);
      free();
      return at;
    } catch (error) {
      restart(null);
      if (!(error instanceof Refused)) throw error;
      const left = backend.memory().buffers - before;
      if (left !== 0)
        throw new Error(`stopped at call ${at} (${error.message}): ${left} buffers left`);
    }
  }
}
