/** Fifty steps of AdamW on a small Llama against PyTorch in float64, and resuming in the middle of them. */
import { mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { referenceBackend } from '@loretta-ts/backend-cpu';
import { capture, key, setBackend, type Tensor, tensor, valueAndGrad } from '@loretta-ts/core';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  AdamW,
  clipGradNorm,
  clipScale,
  cosineWarmupMin,
  crossEntropyLoss,
  Decoder,
  decoderConfigFromHf,
  gradNorm,
  type HostTensor,
  toHost,
} from '../src/index';
import { loadCheckpoint, loadSafetensors, saveCheckpoint } from '../src/node';
import { type Case, expectClose, hasShared, loadGroup, numbersOf, sharedPath } from './shared';

interface TrainCase extends Case {
  readonly files: { readonly weights: string; readonly after: Record<string, string> };
  readonly tol: {
    readonly loss: { readonly f64_abs: number; readonly f32_abs_per_step: readonly number[] };
    readonly params_after_50: { readonly f64_abs: number };
  };
}

interface Run {
  readonly model: Decoder;
  readonly optimizer: AdamW;
  step(t: number): Promise<{ readonly loss: number; readonly norm: number; readonly lr: number }>;
}

describe.runIf(hasShared)('training', () => {
  beforeAll(() => setBackend(referenceBackend()));

  async function start(
    dtype: 'f32' | 'f64',
  ): Promise<Run & { readonly c: TrainCase; golden(name: string): number[] }> {
    const g = loadGroup('train');
    const c = g.cases[0] as TrainCase;
    const a = c.attrs as Record<string, number>;
    const [batch, seq] = [a['batch']!, a['seq']!];
    const stream = numbersOf(g.host(c.inputs[0]!.tensor));
    const starts = numbersOf(g.host(c.inputs[1]!.tensor));
    const model = new Decoder(decoderConfigFromHf(c.attrs['config'], { dtype }), null);
    const weights = await loadSafetensors(sharedPath(`conformance/${c.files.weights}`));
    model.loadStateDict(weights.tensors);
    const optimizer = new AdamW(model.namedParameters(), {
      betas: c.attrs['betas'] as [number, number],
      eps: a['eps']!,
      weightDecay: a['weight_decay']!,
    });
    const decayed = model.namedParameters().filter(([, p]) => p.decay);
    expect(decayed.map(([name]) => name).sort()).toEqual(
      [...(c.attrs['decay'] as string[])].sort(),
    );
    const schedule = cosineWarmupMin(a['lr']!, a['warmup']!, a['total']!, a['min_lr']!);
    const rows = (t: number, shift: number): Tensor => {
      const ids = starts
        .slice(t * batch, (t + 1) * batch)
        .flatMap((s) => stream.slice(s + shift, s + shift + seq));
      return tensor(ids, { shape: [batch, seq], dtype: 'i32' });
    };
    return {
      c,
      model,
      optimizer,
      golden: (name) => numbersOf(g.host(c.outputs.find((o) => o.name === name)!.tensor)),
      async step(t) {
        const { value, grads } = valueAndGrad(model.parameters(), () =>
          crossEntropyLoss(model.logits(model.forward(rows(t, 0))), rows(t, 1)),
        );
        const { norm, scale } = await clipGradNorm(grads, a['max_norm']!);
        const lr = schedule(t);
        optimizer.step(grads, { lr, gradScale: scale });
        const loss = value.itemSync();
        grads.dispose();
        value.dispose();
        return { loss, norm, lr };
      },
    };
  }

  function compareState(
    run: Run,
    c: TrainCase,
    after: ReadonlyMap<string, HostTensor>,
    full: boolean,
  ): void {
    const tol = [0, c.tol.params_after_50.f64_abs] as const;
    const own = new Map<string, Tensor>([
      ...[...run.model.stateDict()].map(([name, t]) => [`param/${name}`, t] as const),
      ...(full ? run.optimizer.stateDict() : []),
    ]);
    for (const [name, t] of own) {
      const golden = after.get(name) ?? after.get(name.replace(/^param\//, ''));
      expectClose(t.dataSync(), numbersOf(golden!), tol, name);
    }
  }

  it('repeats every loss, norm, rate and state of fifty steps in float64', async () => {
    const run = await start('f64');
    const [loss, norm, lr] = ['loss', 'grad_norm', 'lr'].map((name) => run.golden(name));
    for (let t = 0; t < loss!.length; t++) {
      const got = await run.step(t);
      expectClose([got.loss], [loss![t]!], [0, run.c.tol.loss.f64_abs], `loss of step ${t}`);
      expectClose([got.norm], [norm![t]!], [0, 1e-8], `norm of step ${t}`);
      expectClose([got.lr], [lr![t]!], [1e-12, 0], `rate of step ${t}`);
      const file = run.c.files.after[String(t + 1)];
      if (file !== undefined) {
        const after = await loadSafetensors(sharedPath(`conformance/${file}`));
        compareState(run, run.c, after.tensors, t > 0);
      }
    }
  });

  it('resumes from a checkpoint to the same bits', async () => {
    const run = await start('f64');
    for (let t = 0; t < 6; t++) await run.step(t);
    const directory = mkdtempSync(join(tmpdir(), 'nn-train-'));
    const path = join(directory, 'step6.safetensors');
    await saveCheckpoint(path, {
      model: run.model,
      optimizer: run.optimizer,
      metadata: { note: 'ünï' },
    });
    expect(readdirSync(directory)).toEqual(['step6.safetensors']);
    const again = await start('f64');
    const metadata = await loadCheckpoint(path, { model: again.model, optimizer: again.optimizer });
    expect(metadata.get('note')).toBe('ünï');
    expect(JSON.parse(metadata.get('config')!)).toEqual(
      JSON.parse(JSON.stringify(run.model.config)),
    );
    for (let t = 6; t < 9; t++) expect(await again.step(t)).toEqual(await run.step(t));
    const [a, b] = [await toHost(run.model.stateDict()), await toHost(again.model.stateDict())];
    expect(a).toEqual(b);
    expect(readFileSync(path).subarray(8, 9).toString()).toBe('{');
  });

  it('resumes from the golden state after step 25', async () => {
    const run = await start('f64');
    const file = await loadSafetensors(sharedPath(`conformance/${run.c.files.after['25']}`));
    const params = [...file.tensors].filter(([name]) => name.startsWith('param/'));
    run.model.loadStateDict(new Map(params.map(([name, t]) => [name.replace('param/', ''), t])));
    run.optimizer.loadStateDict(file.tensors, 25);
    const loss = run.golden('loss');
    for (let t = 25; t < 50; t++) {
      const got = await run.step(t);
      expectClose([got.loss], [loss[t]!], [0, run.c.tol.loss.f64_abs], `loss of step ${t}`);
    }
  });

  it('stays near the losses in float32', async () => {
    const run = await start('f32');
    const loss = run.golden('loss');
    for (let t = 0; t < loss.length; t++) {
      const got = await run.step(t);
      expectClose(
        [got.loss],
        [loss[t]!],
        [0, run.c.tol.loss.f32_abs_per_step[t]!],
        `loss of step ${t}`,
      );
    }
  });

  it('frees everything a step makes', async () => {
    const backend = referenceBackend();
    setBackend(backend);
    const run = await start('f32');
    await run.step(0);
    const before = backend.memory().buffers;
    for (let t = 1; t < 4; t++) await run.step(t);
    expect(backend.memory().buffers).toBe(before);
    setBackend(referenceBackend());
  });
});

describe('a captured training step', () => {
  it('repeats the eager one to the bit, clipping included', () => {
    setBackend(referenceBackend());
    const config = { vocab: 7, dim: 8, layers: 1, heads: 2, maxLength: 8 };
    const make = (): { readonly model: Decoder; readonly optimizer: AdamW } => {
      const model = new Decoder(config, key(1));
      return { model, optimizer: new AdamW(model.namedParameters(), { lr: 0.01 }) };
    };
    const [eager, captured] = [make(), make()];
    const x = tensor(
      [
        [1, 2, 3],
        [4, 5, 6],
      ],
      { dtype: 'i32' },
    );
    const y = tensor(
      [
        [2, 3, 1],
        [5, 6, 0],
      ],
      { dtype: 'i32' },
    );
    const step = (
      s: typeof eager,
      ids: Tensor,
      targets: Tensor,
      decayed: Tensor,
      plain: Tensor,
    ): Tensor => {
      const { value, grads } = valueAndGrad(s.model.parameters(), () =>
        crossEntropyLoss(s.model.logits(s.model.forward(ids)), targets),
      );
      s.optimizer.apply(grads, [decayed, plain], clipScale(gradNorm(grads), 0.1));
      return value;
    };
    using program = capture((...xs: [Tensor, Tensor, Tensor, Tensor]) => step(captured, ...xs), {
      state: captured.optimizer.leaves(),
    });
    for (let t = 0; t < 4; t++) {
      const want = step(eager, x, y, ...eager.optimizer.hypers()).itemSync();
      expect(program.call(x, y, ...captured.optimizer.hypers()).itemSync()).toBe(want);
    }
    const values = captured.model.stateDict();
    for (const [name, t] of eager.model.stateDict()) {
      expect([...values.get(name)!.dataSync()]).toEqual([...t.dataSync()]);
    }
  });

  it('a scale on the device is the scale on the host', async () => {
    const runs = [true, false].map(async (device) => {
      const model = new Decoder(
        { vocab: 5, dim: 4, layers: 1, heads: 1, maxLength: 4, dtype: 'f64' },
        key(2),
      );
      const optimizer = new AdamW(model.namedParameters());
      const x = tensor([[1, 2, 3]], { dtype: 'i32' });
      const { grads } = valueAndGrad(model.parameters(), () => model.forward(x).square().sum());
      const { scale } = await clipGradNorm(grads, 0.5);
      optimizer.step(grads, { gradScale: device ? clipScale(gradNorm(grads), 0.5) : scale });
      return await toHost(model.stateDict());
    });
    const [a, b] = await Promise.all(runs);
    for (const [name, t] of a!)
      expectClose(numbersOf(t), numbersOf(b!.get(name)!), [1e-12, 1e-14], name);
  });
});
