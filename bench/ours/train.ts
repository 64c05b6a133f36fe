/** The captured training step of `lib/model`, from the weights that every peer starts with. */
import type { Backend } from '@loretta-ts/core';
import type { TrainCase } from '../lib/cases';
import { makeTrainStep } from '../lib/model';
import type { Work } from '../peers/serve.mjs';

/** Time spent inside kernels so far. */
export interface KernelTime {
  ms: number;
}

/** Puts a clock around every kernel of a backend. */
export function profileKernels(backend: Backend): KernelTime {
  const time: KernelTime = { ms: 0 };
  const kernels = backend.kernels as Record<string, (...args: unknown[]) => void>;
  for (const [name, kernel] of Object.entries(kernels)) {
    kernels[name] = (...args) => {
      const start = performance.now();
      kernel(...args);
      time.ms += performance.now() - start;
    };
  }
  return time;
}

export function trainWork(
  { preset }: TrainCase,
  backend: Backend,
  profile: KernelTime | null,
): Work {
  const train = makeTrainStep(preset); // the weights of the file are those of its key
  let spent = 0;
  let steps = 0;
  return {
    run() {
      const start = performance.now();
      train.step();
      spent += performance.now() - start;
      steps++;
    },
    check() {
      const losses = [train.step(), train.step(), train.step()];
      if (profile !== null) profile.ms = 0;
      return losses;
    },
    after() {
      const extra: Record<string, number> = {
        peakMiB: backend.memory().peakBytes / 2 ** 20,
        instructions: train.instructions,
      };
      if (profile !== null) {
        extra['outsideMs'] = (spent - profile.ms) / steps;
        extra['outsideShare'] = 1 - profile.ms / spent;
        profile.ms = 0;
      }
      spent = 0;
      steps = 0;
      return extra;
    },
  };
}
