/** The suite that anyone who writes a backend runs on it: the laws of every op, on samples of a fixed seed. */
import * as fc from 'fast-check';
import type { OpAttrs, OpName } from '../attrs';
import type { Backend } from '../backend';
import type { FloatDType } from '../dtype';
import type { Op } from '../op';
import { ops } from '../ops/table';
import {
  fusedIsDecomposed,
  gradientIsSlope,
  inferIsActual,
  kernelIsReference,
  nothingLeaks,
  replayIsEager,
  type Subject,
  type Tolerance,
  toleranceOf,
} from './laws';
import { opSamples, type Samples } from './samples';

/** `describe` and `it` of a test runner. */
export interface TestRunner {
  /** Declares a group of tests. */
  readonly describe: (name: string, body: () => void) => unknown;
  /** Declares a test. */
  readonly it: (name: string, body: () => Promise<void>) => unknown;
}

/** Options of `describeBackend`. */
export interface DescribeBackendOptions {
  /** Where the suite is declared. */
  readonly runner: TestRunner;
  /** What is right: a backend with f64, usually the plain reference. */
  readonly reference: () => Backend;
  /** Bounds against the reference by op, in f32; others have the default. */
  readonly tolerances?: { readonly [N in OpName]?: Tolerance };
  /** Samples of each op (10). */
  readonly runs?: number;
  /** Samples whose gradients are checked, of each op (as `runs`). */
  readonly gradientRuns?: number;
  /** Of the samples (1). A failure prints it with the path to the counterexample. */
  readonly seed?: number;
}

/**
 * Declares a suite for a backend: for every op, that its kernel gives what the reference gives in f64 and what its
 * decomposition gives; that `infer` is right; that no buffer leaks; that captured replay is bit-equal to eager; and, on
 * backends with f64, that gradients of first and second order are slopes.
 */
export function describeBackend(
  name: string,
  makeBackend: () => Backend,
  options: DescribeBackendOptions,
): void {
  const { runner, runs = 10, gradientRuns = runs, seed = 1 } = options;
  const backend = makeBackend();
  const reference = options.reference();
  const floats = (['f32', 'f64'] as const).filter((d) => backend.dtypes.includes(d));

  const declare = <N extends OpName>(op: Op<N>, samples: Samples<OpAttrs[N]>): void => {
    const law = (title: string, check: (subject: Subject<N>) => Promise<void>): void => {
      runner.it(`${op.name}: ${title}`, async () => {
        for (const float of floats) {
          await fc.assert(
            fc.asyncProperty(samples, async (sample) => {
              await check({ op, sample, float });
            }),
            { seed, numRuns: runs, includeErrorInReport: true },
          );
        }
      });
    };
    const bound = (float: FloatDType): Tolerance => {
      const stated = toleranceOf(op.name, float);
      if (float !== 'f32' || stated[0] === 0) return stated;
      return options.tolerances?.[op.name] ?? stated;
    };
    law('kernel = reference, infer = actual, no leak', async (subject) => {
      await kernelIsReference(subject, backend, reference, bound(subject.float));
      await inferIsActual(subject, backend);
      await nothingLeaks(subject, backend);
    });
    if (op.decompose !== undefined) {
      law('fused = decomposed', async (subject) => {
        await fusedIsDecomposed(subject, backend, bound(subject.float));
      });
    }
    law('replay = eager', async (subject) => {
      await replayIsEager(subject, backend);
    });
    if (op.vjp !== null && floats.includes('f64')) {
      runner.it(`${op.name}: gradient = slope`, async () => {
        await fc.assert(
          fc.asyncProperty(samples, fc.integer({ min: 0, max: 1e6 }), async (sample, direction) => {
            const subject = { op, sample, float: 'f64' } as const;
            // a sample of integers has no gradient: another one is drawn
            fc.pre(await gradientIsSlope(subject, backend, direction));
          }),
          { seed, numRuns: gradientRuns, includeErrorInReport: true },
        );
      });
    }
  };

  runner.describe(name, () => {
    for (const key of Object.keys(ops) as OpName[]) {
      // both tables have this row: the op and its samples agree
      declare(ops[key] as unknown as Op, opSamples[key] as unknown as Samples<OpAttrs[OpName]>);
    }
  });
}
