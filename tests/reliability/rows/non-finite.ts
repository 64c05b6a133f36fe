/** NaN and infinities, in an op, a batch, a weight or a gradient: the step is not taken, and the op is named. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cpu } from '@loretta-ts/backend-cpu';
import {
  crossEntropy,
  customGrad,
  full,
  gelu,
  type HostRandom,
  key,
  NonFiniteError,
  normal,
  setBackend,
  silu,
  type Tensor,
  tensor,
  tidy,
  valueAndGrad,
} from '@loretta-ts/core';
import {
  AdamW,
  checkFinite,
  checkpointBytes,
  type GradEntries,
  gradNorm,
  LayerNorm,
  Linear,
  Module,
  type OnNonFinite,
  type Optimizer,
  parseSafetensors,
} from '@loretta-ts/nn';
import type { Trainer } from '@loretta-ts/loretta';
import { saveCheckpoint } from '@loretta-ts/nn/node';
import { type FaultyKernels, faultyKernels } from '../faults';
import { eachCase, must, pick, type Row } from '../row';
import { toyTrainer } from '../toy-trainer';

const VALUES = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY] as const;
/** Kernels that look for the fault are not made to fail. */
const LOOKING = new Set(['isNaN', 'isInf', 'cast', 'sum', 'concat', 'adamw']);

const IN_A_DECODER = ['embedding', 'matmul', 'attention', 'layerNorm', 'gelu', 'crossEntropy'];

/** An op that makes what is not finite of any finite x, and whether it is its gradient that does. */
const MAKERS: Readonly<
  Record<string, { readonly of: (x: Tensor) => Tensor; readonly back?: true }>
> = {
  log: { of: (x) => x.mul(0).sub(1).log() },
  exp: { of: (x) => x.mul(0).add(1000).exp() },
  div: { of: (x) => x.mul(0).add(1).div(x.mul(0)) },
  sqrt: { of: (x) => x.mul(0).sqrt(), back: true },
  pow: { of: (x) => x.mul(0).sub(1).pow(0.5) },
  customGrad: {
    of: customGrad((x) => ({ value: x.mul(1), vjp: (ct) => [ct.mul(0).log()] })),
    back: true,
  },
};

class Model extends Module {
  readonly first: Linear;
  readonly norm: LayerNorm;
  readonly second: Linear;

  constructor(inputs: number, width: number, classes: number, seed: number) {
    super();
    this.first = new Linear(inputs, width, { key: key(seed) });
    this.norm = new LayerNorm(width);
    this.second = new Linear(width, classes, { key: key(seed + 1) });
  }
}

interface Attempt {
  readonly error: NonFiniteError | null;
  readonly loss: number;
  readonly norm: number;
}

/** A training step as a user writes it. */
async function takeStep(
  model: Model,
  optimizer: Optimizer,
  fn: () => Tensor,
  onNonFinite: OnNonFinite,
): Promise<Attempt> {
  const { value, grads } = valueAndGrad(model.parameters(), fn);
  const size = tidy(() => gradNorm(grads as GradEntries));
  const [loss, norm] = [await value.item(), await size.item()];
  try {
    const params = model.namedParameters();
    const error = await checkFinite({ where: 'row', step: 0, loss, norm, params, fn }, onNonFinite);
    if (error === null) optimizer.step(grads);
    return { error, loss, norm };
  } catch (error) {
    if (!(error instanceof NonFiniteError)) throw error;
    return { error, loss, norm };
  } finally {
    for (const t of [value, size, grads]) t.dispose();
  }
}

function mustNotChange(before: Uint8Array, after: Uint8Array): void {
  must(Buffer.compare(before, after) === 0, () => 'weights or moments changed');
}

interface Case {
  readonly random: HostRandom;
  readonly index: number;
  readonly faulty: FaultyKernels;
  readonly path: string;
}

/** A fault in a kernel, in an op, in the batch or in a gradient, in a loop of nn. */
async function inALoop({ random, index, faulty, path }: Case): Promise<string> {
  const [inputs, width, classes, rows] = [0, 0, 0, 0].map(() => 2 + random.int(5)) as [
    number,
    number,
    number,
    number,
  ];
  const model = new Model(inputs, width, classes, index);
  const optimizer = new AdamW(model.namedParameters());
  let x = normal(key(index + 2), [rows, inputs]);
  const y = tensor(Int32Array.from({ length: rows }, () => random.int(classes)));
  const act = pick(random, [gelu, silu]);
  const [maker, { of, back }] = pick(random, Object.entries(MAKERS));
  // nobody asks for the gradient of x itself
  const depth = back === true ? 1 + random.int(2) : random.int(3);
  const sites = { on: false };
  const site = (h: Tensor, at: number): Tensor => (sites.on && at === depth ? h.add(of(h)) : h);
  const fn = (): Tensor => {
    faulty.restart();
    let h = site(model.first.forward(site(x, 0)), 1);
    h = site(model.norm.forward(act(h)), 2);
    return crossEntropy(model.second.forward(h), y).mean();
  };
  const onNonFinite = pick(random, ['refuse', 'skip'] as const);
  try {
    for (let i = 0; i <= random.int(3); i++) {
      const { error } = await takeStep(model, optimizer, fn, onNonFinite);
      must(error === null, () => `a healthy step is refused: ${error}`);
    }
    await saveCheckpoint(path, { model, optimizer });
    const before = await checkpointBytes({ model, optimizer });
    const kind = pick(random, ['kernel', 'op', 'batch'] as const);
    const value = pick(random, VALUES);
    let expected = maker;
    if (kind === 'kernel') {
      tidy(() => {
        valueAndGrad(model.parameters(), fn);
      });
      const [op, calls] = pick(
        random,
        [...faulty.calls].filter(([name]) => !LOOKING.has(name)),
      );
      // an infinity that is filled in was asked for
      const wrong = op === 'fill' ? Number.NaN : value;
      faulty.fault = { op, call: random.int(calls), element: random.int(1000), value: wrong };
      expected = op;
    } else if (kind === 'op') {
      sites.on = true;
    } else {
      const data = x.dataSync().slice();
      data[random.int(data.length)] = value;
      x.dispose();
      x = tensor(data, { shape: [rows, inputs] });
      expected = 'matmul';
    }
    const { error, loss, norm } = await takeStep(model, optimizer, fn, onNonFinite);
    if (error === null) {
      must(
        kind === 'kernel' && !Number.isNaN(value),
        () => `${kind} ${expected} is not noticed: loss ${loss}, norm ${norm}`,
      );
      await checkpointBytes({ model, optimizer, onlyFinite: true });
      return 'harmless';
    }
    const named = kind === 'op' && back === true ? `the gradient of ${maker}` : expected;
    must(
      kind === 'op' && back === true ? error.message.includes(named) : error.op === named,
      () => `${kind}: ${named} is not named: ${error.op}: ${error.message}`,
    );
    must(
      error.message.startsWith('row: step 0: '),
      () => `the step is not named: ${error.message}`,
    );
    mustNotChange(before, await checkpointBytes({ model, optimizer }));
    mustNotChange(before, readFileSync(path));
    return kind;
  } finally {
    faulty.fault = null;
    for (const each of [optimizer, model, x, y]) each.dispose();
  }
}

/** The same in the trainer: a kernel or a weight, refused or skipped. */
async function inTheTrainer({ random, index, faulty }: Case): Promise<string> {
  const onNonFinite = pick(random, ['refuse', 'skip'] as const);
  using toy = toyTrainer(index, { onNonFinite });
  const { trainer, model, arm } = toy;
  for (let i = 0; i <= random.int(3); i++) await trainer.step(arm, random.uniform());
  const weights = (): Promise<Uint8Array> => checkpointBytes({ model });
  const moments = async (): Promise<string> => (await momentsOf(trainer)).join();
  const [before, state, steps] = [await weights(), await moments(), trainer.steps];
  const isWeight = random.int(4) === 0;
  const op = pick(
    random,
    IN_A_DECODER.filter((name) => faulty.calls.has(name)),
  );
  const param = pick(random, model.parameters());
  const good = param.value.dataSync();
  if (isWeight) {
    // all of it: a batch need not read every row of an embedding
    param.assign(full(param.shape, Number.NaN));
  } else {
    faulty.fault = { op, call: null, element: 0, value: Number.NaN };
  }
  try {
    const step = trainer.step(arm, 0);
    if (onNonFinite === 'skip' && !isWeight) {
      const { skipped } = await step;
      must(skipped?.includes(op) === true, () => `${op} is not named: ${skipped}`);
      must(trainer.steps === steps + 1, () => 'a step that is skipped is not counted');
    } else {
      const error = await step.then(
        () => null,
        (found: unknown) => found,
      );
      must(error instanceof NonFiniteError, () => `it is taken, or ${String(error)}`);
      const { message, op: named } = error as NonFiniteError;
      must(isWeight ? message.includes('in a leaf') : named === op, () => `${op}: ${message}`);
      must(trainer.steps === steps, () => 'a step that is refused is counted');
    }
  } finally {
    faulty.fault = null;
    if (isWeight) param.assign(tensor(good, { shape: param.shape }));
  }
  mustNotChange(before, await weights());
  must((await moments()) === state, () => 'moments changed');
  const after = await trainer.step(arm, 0);
  must(after.skipped === undefined, () => `the next step is skipped too: ${after.skipped}`);
  return isWeight ? 'weight' : 'trainer';
}

/** Moments and their step count, as the trainer saves them. */
async function momentsOf(trainer: Trainer): Promise<string[]> {
  const { tensors, metadata } = parseSafetensors(await trainer.save());
  const state = [...tensors].filter(([name]) => name.includes('/'));
  return [metadata.get('optimizer.steps')!, ...state.map(([name, t]) => `${name} ${t.data}`)];
}

/** An update that overflows: the healthy checkpoint stays. */
async function inTheUpdate({ random, index, path }: Case): Promise<string> {
  const model = new Model(3, 4, 3, index);
  const optimizer = new AdamW(model.namedParameters(), { weightDecay: 100 });
  const x = normal(key(index), [4, 3]);
  const fn = (): Tensor =>
    model.second
      .forward(gelu(model.first.forward(x)))
      .square()
      .mean();
  try {
    await saveCheckpoint(path, { model, optimizer });
    const before = readFileSync(path);
    const { value, grads } = valueAndGrad(model.parameters(), fn);
    optimizer.step(grads, { lr: (1 + random.uniform()) * 1e38 });
    for (const t of [value, grads]) t.dispose();
    const error = await saveCheckpoint(path, { model, optimizer }).catch((e: unknown) => e);
    must(error instanceof NonFiniteError, () => `saved, or ${String(error)}`);
    mustNotChange(before, readFileSync(path));
    return 'update';
  } finally {
    for (const each of [optimizer, model, x]) each.dispose();
  }
}

export const nonFinite: Row = {
  name: 'non-finite',
  holds: 'what is not finite is noticed in its step by the name of the op, and nothing changes',
  ci: 100,
  release: 1000,
  async check(runs, seed, report) {
    const root = mkdtempSync(join(tmpdir(), 'loretta-finite-'));
    const counts = new Map<string, number>();
    try {
      await eachCase(runs, seed, report, async (random, index) => {
        const backend = cpu({ simd: 'simd', threads: 1 });
        const faulty = faultyKernels(backend);
        setBackend(faulty.backend);
        const path = join(root, 'model.safetensors');
        const test = [inALoop, inALoop, inALoop, inTheTrainer, inTheUpdate][index % 5]!;
        const kind = await test({ random, index, faulty, path });
        counts.set(kind, (counts.get(kind) ?? 0) + 1);
        const { buffers } = backend.memory();
        await backend.dispose();
        must(buffers === 0, () => `${buffers} buffers are left`);
      });
    } finally {
      rmSync(root, { recursive: true });
    }
    for (const [kind, count] of counts) report.note(kind, count);
  },
};
