/** What an algebraic law is, and how its cases are drawn, checked and shrunk. */
import { type HostRandom, hostRandom, type Tensor, tidy } from '@loretta-ts/core';
import * as fc from 'fast-check';

/** A law with its cases. */
export interface Law {
  readonly name: string;
  /** Checks it so many times; null when it holds, else what was found, and where. */
  run(runs: number, seed: number): string | null;
}

/** A case: sizes by name, and the seed of the values. */
type Case<S extends string> = Readonly<Record<S | 'seed', number>>;

/** A law over cases of an arbitrary. Counterexamples that were once found are `past`, and come first. */
export function lawOf<T>(
  name: string,
  cases: fc.Arbitrary<T>,
  check: (drawn: T) => void,
  past: readonly T[] = [],
): Law {
  return {
    name,
    run(runs, seed) {
      const property = fc.property(cases, (drawn) => {
        tidy(() => check(drawn));
      });
      const examples = past.map((drawn): [T] => [drawn]);
      const found = fc.check(property, { seed, numRuns: runs, examples });
      if (!found.failed) return null;
      const { counterexamplePath: path, counterexample, numShrinks, errorInstance } = found;
      const error = errorInstance instanceof Error ? errorInstance.stack : String(errorInstance);
      return `${name}: fast-check seed ${seed}, path ${path}, ${numShrinks} times shrunk: ${fc.stringify(counterexample)}\n${error}`;
    },
  };
}

/** A law over sizes within bounds, `[least, most]`, and values of a seed. */
export function law<S extends string>(
  name: string,
  sizes: Readonly<Record<S, readonly [least: number, most: number]>>,
  check: (sizes: Case<S>, random: HostRandom) => void,
  past: readonly Case<S>[] = [],
): Law {
  const bounds = Object.entries<readonly [number, number]>(sizes);
  const cases = fc.record({
    ...Object.fromEntries(bounds.map(([size, [min, max]]) => [size, fc.integer({ min, max })])),
    seed: fc.nat(2 ** 30),
  }) as fc.Arbitrary<Case<S>>;
  return lawOf(name, cases, (drawn) => check(drawn, hostRandom(drawn.seed)), past);
}

/** |got − want| <= bound · max(1, |want|). */
export function near(got: Tensor, want: Tensor, bound = 1e-10): void {
  if (got.shape.join() !== want.shape.join()) {
    throw new Error(`[${got.shape.join()}] is not [${want.shape.join()}]`);
  }
  const [a, b] = [got.dataSync(), want.dataSync()];
  b.forEach((w, i) => {
    const g = a[i]!;
    if (Object.is(g, w) || Math.abs(g - w) <= bound * Math.max(1, Math.abs(w))) return;
    throw new Error(`element ${i} is ${g}, not ${w}`);
  });
}

/** The same elements, bit for bit. */
export function same(got: Tensor, want: Tensor): void {
  near(got, want, 0);
}
