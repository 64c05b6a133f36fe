/** A captured function replays to the bits of the eager one: every model, forward and training step. */
import { cpu, referenceBackend } from '@loretta-ts/backend-cpu';
import {
  type Backend,
  capture,
  type HostRandom,
  hostRandom,
  setBackend,
  type Tensor,
  tidy,
  valueAndGrad,
} from '@loretta-ts/core';
import * as nn from '@loretta-ts/nn';
import { classesOf, models, type ReplayModel } from '../replay-models';
import { objectives } from '../replay-objectives';
import { eachCase, must, pick, type Row } from '../row';

const cases = [...models, ...objectives];

function bytesOf(t: Tensor): Buffer {
  const { buffer, byteOffset, byteLength } = t.dataSync();
  return Buffer.from(buffer, byteOffset, byteLength);
}

function mustEqual(eager: readonly Tensor[], replayed: readonly Tensor[], what: string): void {
  must(eager.length === replayed.length, () => `${what}: ${replayed.length} values`);
  eager.forEach((t, i) => {
    must(
      bytesOf(t).equals(bytesOf(replayed[i]!)),
      () => `${what}: value ${i} is not the eager one`,
    );
  });
}

/** Batches of two sizes, each met again after the other: recorded, replayed, and changed back. */
const SIZES = [2, 3, 2, 2, 3];

function checkForward({ inputs, forward }: ReplayModel, random: HostRandom): void {
  using program = capture((...xs: Tensor[]) => forward(...xs));
  for (const [i, b] of SIZES.entries()) {
    tidy(() => {
      const xs = inputs(random, b);
      mustEqual(forward(...xs), program.call(...xs), `forward ${i}`);
    });
  }
}

interface Training {
  readonly model: ReplayModel;
  readonly optimizer: nn.AdamW;
}

/** A step with clipping, all of it on the device: `[loss, norm]`. */
function step({ model, optimizer }: Training, inputs: Tensor[]): Tensor[] {
  const [decayed, plain, ...xs] = inputs as [Tensor, Tensor, ...Tensor[]];
  const { value, grads, aux } = valueAndGrad(model.module.parameters(), () => {
    const { loss, aux: kept = [] } = model.loss(...xs);
    return [loss, kept] as const;
  });
  const norm = nn.gradNorm(grads);
  optimizer.apply(grads, [decayed, plain], nn.clipScale(norm, 0.5));
  model.after?.(aux);
  return [value, norm];
}

function checkTraining(eager: Training, captured: Training, random: HostRandom): void {
  using program = capture((...xs: Tensor[]) => step(captured, xs), {
    state: [...captured.optimizer.leaves(), ...captured.model.state],
  });
  for (const [i, b] of SIZES.entries()) {
    tidy(() => {
      const xs = eager.model.inputs(random, b);
      const want = step(eager, [...eager.optimizer.hypers(), ...xs]);
      const got = program.call(...captured.optimizer.hypers(), ...xs);
      mustEqual(want, got, `step ${i}, loss and norm`);
    });
  }
  const all = ({ model, optimizer }: Training): Map<string, Tensor> =>
    new Map([...model.module.stateDict(), ...optimizer.stateDict()]);
  const got = all(captured);
  for (const [name, t] of all(eager)) mustEqual([t], [got.get(name)!], `${name} after the steps`);
}

/** Models that nn exports and no case has. */
function withoutCase(seen: ReadonlySet<string>): string[] {
  return Object.entries(nn).flatMap(([name, value]) =>
    typeof value === 'function' && value.prototype instanceof nn.Module && !seen.has(name)
      ? [name]
      : [],
  );
}

export const replay: Row = {
  name: 'replay',
  holds: 'a captured forward pass and training step of every model give the bits of the eager one',
  ci: 3,
  release: 20,
  async check(runs, seed, report) {
    const backends: Backend[] = [cpu({ threads: 1 }), cpu({ threads: 2 }), referenceBackend()];
    const seen = new Set<string>();
    let held = 0;
    await eachCase(runs * cases.length, seed, report, async (random, index) => {
      const { name, make } = cases[index % cases.length]!;
      const backend = pick(random, backends);
      setBackend(backend);
      const of = random.int(2 ** 20);
      const trainings: Training[] = [];
      try {
        for (let i = 0; i < 2; i++) {
          const model = await make(hostRandom(of));
          const optimizer = new nn.AdamW(model.module.namedParameters(), { lr: 0.01 });
          trainings.push({ model, optimizer });
        }
        const [eager, captured] = trainings as [Training, Training];
        for (const each of classesOf(eager.model.module)) seen.add(each);
        checkForward(eager.model, random);
        checkTraining(eager, captured, random);
      } catch (error) {
        throw new Error(`${name} on ${backend.name}: ${(error as Error).stack}`);
      } finally {
        for (const { model, optimizer } of trainings) {
          optimizer.dispose();
          model.module.dispose();
        }
      }
      must(
        backend.memory().buffers === 0,
        () => `${name}: ${backend.memory().buffers} buffers left`,
      );
      held++;
    });
    for (const backend of backends) await backend.dispose();
    if (held < runs * cases.length) return; // not every model was met
    for (const name of withoutCase(seen)) report.fail(name, 'nn exports it, and no case has it');
    report.note('models', cases.length);
    report.note('classes', seen.size);
  },
};
