/** Live memory over many steps of everything that runs for long, and of steps that throw. */
import { cpu } from '@loretta-ts/backend-cpu';
import {
  type Backend,
  capture,
  type HostRandom,
  key,
  setBackend,
  type Tensor,
  tensor,
  tidy,
  valueAndGrad,
} from '@loretta-ts/core';
import { failing, Refused } from '@loretta-ts/core/testing';
import {
  AdamW,
  checkpointBytes,
  clipGradNorm,
  clipScale,
  crossEntropyLoss,
  Decoder,
  generate,
  GradAccumulator,
  gradNorm,
  restoreCheckpoint,
} from '@loretta-ts/nn';
import { collectGarbage } from '../garbage';
import { eachCase, must, type Row } from '../row';
import { toyTrainer } from '../toy-trainer';

/** What heap and host arrays may grow by from a quarter of the steps to their end, after collection. */
const HEAP_BYTES = 2 * 1024 * 1024;
/** Steps before counts must not change: caches fill, schedules and shapes come round. */
const WARM = 24;

/** Something that is done many times. */
interface Work extends Disposable {
  step(random: HostRandom): void | Promise<void>;
}

const config = { vocab: 9, dim: 8, layers: 1, heads: 2, maxLength: 16, dropout: 0.1 };

interface Parts extends Disposable {
  readonly model: Decoder;
  readonly optimizer: AdamW;
  readonly ids: Tensor;
  readonly targets: Tensor;
}

function parts(): Parts {
  const model = new Decoder(config, key(1));
  const optimizer = new AdamW(model.namedParameters());
  const ids = tensor(
    Int32Array.from({ length: 10 }, (_, i) => i % 9),
    { shape: [2, 5] },
  ).keep();
  const targets = tensor(
    Int32Array.from({ length: 10 }, (_, i) => (i + 1) % 9),
    {
      shape: [2, 5],
    },
  ).keep();
  return {
    ...{ model, optimizer, ids, targets },
    [Symbol.dispose]() {
      for (const each of [optimizer, model, ids, targets]) each.dispose();
    },
  };
}

/** A step with clipping, from gradients or from accumulated ones. */
function training(): Work {
  const p = parts();
  const { model, optimizer, ids, targets } = p;
  return {
    async step(random) {
      const { value, grads } = valueAndGrad(model.parameters(), () =>
        crossEntropyLoss(model.logits(model.forward(ids, { key: key(random.int(1000)) })), targets),
      );
      using _value = value;
      using _grads = grads;
      if (random.int(2) === 0) {
        const { scale } = await clipGradNorm(grads, 1);
        optimizer.step(grads, { gradScale: scale });
      } else {
        using sums = new GradAccumulator(model.parameters());
        sums.add(grads, 3);
        sums.add(grads, 4);
        optimizer.step(sums.average());
      }
    },
    [Symbol.dispose]: () => p[Symbol.dispose](),
  };
}

function captured(): Work {
  const p = parts();
  const { model, optimizer, ids, targets } = p;
  const program = capture(
    (...[x, y, decayed, plain]: [Tensor, Tensor, Tensor, Tensor]) => {
      const { value, grads } = valueAndGrad(model.parameters(), () =>
        crossEntropyLoss(model.logits(model.forward(x)), y),
      );
      optimizer.apply(grads, [decayed, plain], clipScale(gradNorm(grads), 1));
      return value;
    },
    { state: optimizer.leaves() },
  );
  return {
    step: () =>
      tidy(() => {
        program.call(ids, targets, ...(optimizer.hypers() as [Tensor, Tensor]));
      }),
    [Symbol.dispose]() {
      program.dispose();
      p[Symbol.dispose]();
    },
  };
}

/** Steps of LoReTTa, which generate. */
function loretta(): Work {
  const toy = toyTrainer(1);
  return {
    async step(random) {
      await toy.trainer.step(toy.arm, random.uniform());
    },
    [Symbol.dispose]: () => toy[Symbol.dispose](),
  };
}

function generating(): Work {
  const p = parts();
  return {
    async step(random) {
      const stopIds = random.int(2) === 0 ? [] : [random.int(9)];
      const prompt = tensor(Int32Array.of(1, 2, 3, 4), { shape: [2, 2] });
      try {
        const options = { maxNewTokens: 1 + random.int(6), key: key(random.int(1000)), stopIds };
        const made = await generate(p.model, prompt, { ...options, logits: random.int(2) === 0 });
        for (const t of [made.ids, made.tokens, made.logits]) t?.dispose();
      } finally {
        prompt.dispose();
      }
    },
    [Symbol.dispose]: () => p[Symbol.dispose](),
  };
}

/** Saves, loads, and builds a model to load into. */
function loading(): Work {
  const p = parts();
  return {
    async step(random) {
      const bytes = await checkpointBytes(p);
      if (random.int(2) === 0) {
        restoreCheckpoint(bytes, p);
        return;
      }
      using model = new Decoder(config, null);
      using optimizer = new AdamW(model.namedParameters());
      restoreCheckpoint(bytes, { model, optimizer });
    },
    [Symbol.dispose]: () => p[Symbol.dispose](),
  };
}

const WORKS = { training, captured, loretta, generating, loading };

/** Bytes of the heap and of arrays beside it that are still in use. */
async function heldBytes(): Promise<number> {
  for (let i = 0; i < 3; i++) {
    collectGarbage();
    await new Promise((next) => setImmediate(next));
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

interface Live {
  readonly buffers: number;
  readonly bytes: number;
}

const live = (backend: Backend): Live => {
  const { buffers, bytes } = backend.memory();
  return { buffers, bytes };
};

function mustBe(now: Live, before: Live, when: string): void {
  must(
    now.buffers === before.buffers && now.bytes === before.bytes,
    () =>
      `${when}: ${now.buffers} buffers of ${now.bytes} bytes, were ${before.buffers} of ${before.bytes}`,
  );
}

/** Steps that end; the growth of what the host holds. */
async function steady(
  name: keyof typeof WORKS,
  steps: number,
  random: HostRandom,
): Promise<number> {
  const backend = cpu({ simd: 'simd', threads: 1 });
  setBackend(backend);
  let growth = 0;
  {
    using work = WORKS[name]();
    let before: Live | null = null;
    let [peak, held] = [0, 0];
    for (let i = 0; i < WARM + steps; i++) {
      await work.step(random);
      if (i < WARM) continue;
      before ??= live(backend);
      mustBe(live(backend), before, `${name}, step ${i}`);
      if (i === WARM + Math.floor(steps / 4)) {
        peak = backend.memory().peakBytes;
        held = await heldBytes();
      }
    }
    growth = (await heldBytes()) - held;
    must(
      growth <= HEAP_BYTES,
      () => `${name}: ${growth} bytes more on the heap after ${steps} steps`,
    );
    must(
      backend.memory().peakBytes === peak,
      () => `${name}: at most ${backend.memory().peakBytes} bytes at a time, were ${peak}`,
    );
  }
  mustBe(live(backend), { buffers: 0, bytes: 0 }, `${name}, at the end`);
  await backend.dispose();
  return growth;
}

/** Steps of which each is stopped at an allocation or a kernel. */
async function throwing(steps: number, random: HostRandom): Promise<number> {
  let thrown = 0;
  const names = Object.keys(WORKS) as (keyof typeof WORKS)[];
  for (const name of names) {
    const made = cpu({ simd: 'simd', threads: 1 });
    const faults = failing(made);
    setBackend(faults.backend);
    {
      using work = WORKS[name]();
      for (let i = 0; i < WARM; i++) await work.step(random);
      faults.restart(null);
      for (let i = 0; i * names.length < steps; i++) {
        faults.restart(random.int(400));
        const before = live(made);
        const error = await Promise.resolve()
          .then(() => work.step(random))
          .then(
            () => null,
            (e: unknown) => e,
          );
        if (error !== null && !(error instanceof Refused)) throw error;
        if (error !== null) thrown++;
        mustBe(live(made), before, `${name}, step ${i}: ${(error as Error | null)?.stack}`);
      }
      faults.restart(null);
    }
    mustBe(live(made), { buffers: 0, bytes: 0 }, `${name}, at the end`);
    await made.dispose();
  }
  return thrown;
}

export const leaks: Row = {
  name: 'leaks',
  holds: 'live buffers and bytes are those of the step before, and the heap is flat',
  ci: 1000,
  release: 20_000,
  async check(runs, seed, report) {
    const names = Object.keys(WORKS) as (keyof typeof WORKS)[];
    const each = Math.ceil(runs / (names.length + 1));
    await eachCase(names.length + 1, seed, report, async (random, index) => {
      const name = names[index];
      if (name === undefined) {
        report.note('thrown', await throwing(each, random));
        return;
      }
      report.note(`KiB of ${name}`, Math.round((await steady(name, each, random)) / 1024));
    });
  },
};
