/** Training traces: losses, norms and rates of every step, parameters on the way, and resuming. */
import { join } from 'node:path';
import * as core from '@loretta-ts/core';
import * as nn from '@loretta-ts/nn';
import { loadHfFolder } from '@loretta-ts/nn/node';
import type { Case, Group } from '../format';
import { valuesOf } from '../format';
import { readVectors, type Vector } from '../safetensors';
import type { Verdict } from '../verdict';

interface Tolerance {
  readonly loss: { readonly f64_abs: number; readonly f32_abs_per_step: readonly number[] };
  readonly params_after_50: { readonly f64_abs: number };
}

/** A run in progress. */
interface Run {
  readonly model: nn.Decoder;
  readonly optimizer: nn.AdamW;
}

export async function trainCase(group: Group, c: Case, verdict: Verdict): Promise<void> {
  const a = c.attrs as Readonly<Record<string, number>>;
  const files = c.raw['files'] as {
    readonly config: string;
    readonly after: Readonly<Record<string, string>>;
  };
  const want = (name: string): Float64Array =>
    valuesOf(group, c.outputs.find((e) => e.name === name)!).data;
  const tol = c.raw['tol'] as Tolerance;
  const { precision } = verdict;
  const [losses, norms, rates] = [want('loss'), want('grad_norm'), want('lr')];
  const folder = join(group.dir, files.config, '..');
  const schedule = nn.cosineWarmupMin(a['lr']!, a['warmup']!, a['total']!, a['min_lr']!);

  const near = (what: string, got: number, wanted: number, allowed: number): void =>
    verdict.that(
      Math.abs(got - wanted) <= allowed,
      `${what} is ${got}, want ${wanted}: off by ${Math.abs(got - wanted)}, allowed ${allowed}`,
    );
  const lossBound = (step: number): number =>
    precision === 'f64' ? tol.loss.f64_abs : (tol.loss.f32_abs_per_step[step] ?? 0);

  const advance = async ({ model, optimizer }: Run, step: number, label: string): Promise<void> => {
    using s = core.scope();
    const { value, grads } = s.run(() => lossAndGrads(group, c, model, step));
    near(`${label}: loss of step ${step}`, await value.item(), losses[step]!, lossBound(step));
    const { norm, scale } = await nn.clipGradNorm(grads, a['max_norm']!);
    if (precision === 'f64') near(`${label}: norm of step ${step}`, norm, norms[step]!, 1e-8);
    near(`${label}: rate of step ${step}`, schedule(step), rates[step]!, 1e-15);
    optimizer.step(grads, { lr: schedule(step), gradScale: scale });
  };

  const state = async ({ model, optimizer }: Run, after: string): Promise<void> => {
    if (precision !== 'f64') return verdict.skip();
    const live = new Map([
      ...[...model.stateDict()].map(([name, t]) => [`param/${name}`, t] as const),
      ...optimizer.stateDict(),
    ]);
    for (const [name, saved] of readVectors(join(group.dir, files.after[after]!))) {
      const t = live.get(name) ?? live.get(`param/${name}`);
      if (t === undefined) {
        verdict.that(false, `after ${after}: there is no ${name}`);
        continue;
      }
      const bound = [0, tol.params_after_50.f64_abs] as const;
      const got = { shape: t.shape, data: await t.data() };
      verdict.values(`after ${after}: ${name}`, got, saved, { f64: bound, f32: null });
    }
  };

  const fresh = await start(folder, c, precision);
  try {
    for (let step = 0; step < a['steps']!; step++) {
      await advance(fresh, step, 'run');
      if (files.after[String(step + 1)] !== undefined) await state(fresh, String(step + 1));
    }
  } finally {
    stop(fresh);
  }
  for (const [after, file] of Object.entries(files.after)) {
    const saved = readVectors(join(group.dir, file));
    const from = Number(after);
    if (from >= a['steps']! || ![...saved.keys()].some((k) => k.startsWith('exp_avg/'))) continue;
    const resumed = await start(folder, c, precision);
    try {
      resume(resumed, saved, from);
      for (let step = from; step < a['steps']!; step++) {
        await advance(resumed, step, `resumed at ${from}`);
      }
    } finally {
      stop(resumed);
    }
  }
}

function lossAndGrads(
  group: Group,
  c: Case,
  model: nn.Decoder,
  step: number,
): core.ValueAndGrad<nn.Param, undefined> {
  const input = (name: string): Float64Array =>
    valuesOf(group, c.inputs.find((e) => e.name === name)!).data;
  const [batch, seq] = [Number(c.attrs['batch']), Number(c.attrs['seq'])];
  const [stream, starts] = [input('stream'), input('starts')];
  const rows = (shift: number): core.Tensor => {
    const data = Array.from({ length: batch }, (_, i) => {
      const from = starts[step * batch + i]! + shift;
      return [...stream.subarray(from, from + seq)];
    });
    return core.tensor(Int32Array.from(data.flat()), { shape: [batch, seq] });
  };
  const [inputs, targets] = [rows(0), rows(1)];
  return core.valueAndGrad(model.parameters(), () =>
    nn.crossEntropyLoss(model.logits(model.forward(inputs)), targets),
  );
}

async function start(folder: string, c: Case, dtype: core.FloatDType): Promise<Run> {
  const model = await loadHfFolder(folder, { dtype });
  const decayed = new Set(c.attrs['decay'] as readonly string[]);
  const optimizer = new nn.AdamW(model.namedParameters(), {
    betas: c.attrs['betas'] as readonly [number, number],
    eps: Number(c.attrs['eps']),
    weightDecay: Number(c.attrs['weight_decay']),
    decay: (name) => decayed.has(name),
  });
  return { model, optimizer };
}

function resume({ model, optimizer }: Run, saved: ReadonlyMap<string, Vector>, steps: number) {
  const host = new Map(
    [...saved].map(([name, v]) => [name, { dtype: 'F64' as const, shape: v.shape, data: v.data }]),
  );
  const weights = new Map(
    [...host].flatMap(([name, v]) =>
      name.startsWith('exp_avg') ? [] : [[name.replace(/^param\//, ''), v] as const],
    ),
  );
  model.loadStateDict(weights);
  optimizer.loadStateDict(host, steps);
}

function stop({ model, optimizer }: Run): void {
  model.dispose();
  optimizer.dispose();
}
