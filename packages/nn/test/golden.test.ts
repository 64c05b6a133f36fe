/** Optimisers, schedules, filters, losses and norms against PyTorch in float64. */
import { referenceBackend } from '@loretta-ts/backend-cpu';
import {
  type FloatDType,
  layerNorm,
  mul,
  NonFiniteError,
  setBackend,
  softmax,
  sum,
  type Tensor,
  tensor,
  valueAndGrad,
} from '@loretta-ts/core';
import { beforeAll, describe, expect, it } from 'vitest';
import * as nn from '../src/index';
import { type Case, expectClose, type Group, hasShared, loadGroup, numbersOf } from './shared';

type Run = (c: Case, x: (name: string) => Tensor) => Tensor | readonly Tensor[];
type Attrs = Record<string, never>;

const num = (c: Case, name: string): number => c.attrs[name] as number;

const losses: Record<string, Run> = {
  cross_entropy: (c, x) =>
    nn.crossEntropyLoss(x('logits'), x('target'), {
      reduction: c.attrs['reduction'] as nn.Reduction,
      labelSmoothing: num(c, 'label_smoothing'),
      ignoreIndex: num(c, 'ignore_index'),
      weight: c.inputs.some((i) => i.name === 'weight') ? x('weight') : null,
    }),
  cross_entropy_3d: (_, x) => nn.crossEntropyLoss(x('logits'), x('target')),
  cross_entropy_prob: (c, x) =>
    nn.crossEntropyLoss(x('logits'), x('target'), { labelSmoothing: num(c, 'label_smoothing') }),
  cross_entropy_accumulated: (_, x) => {
    const parts = [0, 1].map((i) =>
      nn.crossEntropyLoss(x(`logits${i}`), x(`target${i}`), { reduction: 'sum' }),
    );
    const tokens = [0, 1].reduce(
      (n, i) =>
        n +
        x(`target${i}`)
          .dataSync()
          .filter((t) => t !== -100).length,
      0,
    );
    return parts[0]!.add(parts[1]!).div(tokens);
  },
  nll_loss: (c, x) =>
    nn.nllLoss(x('logprobs'), x('target'), {
      reduction: c.attrs['reduction'] as nn.Reduction,
      weight: c.inputs.some((i) => i.name === 'weight') ? x('weight') : null,
    }),
  mse_loss: (c, x) => nn.mseLoss(x('pred'), x('target'), c.attrs as Attrs),
  l1_loss: (c, x) => nn.l1Loss(x('pred'), x('target'), c.attrs as Attrs),
  huber_loss: (c, x) => nn.huberLoss(x('pred'), x('target'), c.attrs as Attrs),
  bce_with_logits: (c, x) =>
    nn.bceWithLogitsLoss(x('logits'), x('target'), {
      ...(c.attrs as Attrs),
      posWeight: c.inputs.some((i) => i.name === 'pos_weight') ? x('pos_weight') : null,
    }),
  kl_div: (c, x) => nn.klDivLoss(x('logq'), x('p'), c.attrs as Attrs),
};

const affine = (c: Case, x: (name: string) => Tensor): nn.AffineOptions => ({
  weight: x('weight'),
  bias: x('bias'),
  eps: num(c, 'eps'),
});

const norms: Record<string, Run> = {
  group_norm: (c, x) => nn.groupNorm(x('x'), num(c, 'groups'), affine(c, x)),
  batch_norm_train: (c, x) => nn.batchNorm(x('x'), affine(c, x)),
  batch_norm_eval: (c, x) => nn.batchNormEval(x('x'), x('mean'), x('var'), affine(c, x)),
  batch_norm_running: (c, x) => {
    const running = nn.batchNormRunning(x('x'), x('mean'), x('var'), num(c, 'momentum'));
    return [running.mean, running.variance];
  },
  dropout_masked: (c, x) => nn.dropoutMasked(x('x'), x('mask'), num(c, 'p')),
};

const pipeline = (c: Case, x: Tensor): Tensor =>
  nn.topPFilter(
    nn.topKFilter(nn.applyTemperature(x, num(c, 'temperature')), num(c, 'k')),
    num(c, 'p'),
  );

const sampling: Record<string, Run> = {
  greedy: (_, x) => nn.greedy(x('logits')),
  top_k: (c, x) => nn.topKFilter(x('logits'), num(c, 'k')),
  top_p: (c, x) => nn.topPFilter(x('logits'), num(c, 'p')),
  min_p: (c, x) => nn.minPFilter(x('logits'), num(c, 'min_p')),
  temperature: (c, x) => softmax(nn.applyTemperature(x('logits'), num(c, 'temperature'))),
  repetition_penalty: (c, x) => nn.repetitionPenalty(x('logits'), x('prev'), num(c, 'penalty')),
  pipeline: (c, x) => pipeline(c, x('logits')),
  sample_inverse_cdf: (c, x) => nn.sampleInverseCdf(pipeline(c, x('logits')), x('u')),
};

const empty: Group = { cases: [], host: () => undefined as never, input: () => undefined as never };
const group = (name: string): Group => (hasShared ? loadGroup(name) : empty);
const cases = (g: Group): (readonly [string, Case])[] => g.cases.map((c) => [c.id, c] as const);

function check(g: Group, c: Case, run: Run): void {
  const dtypes: readonly FloatDType[] = c.outputs[0]!.tol.f32 === null ? ['f64'] : ['f64', 'f32'];
  for (const dtype of dtypes) {
    const inputs = new Map(c.inputs.map((e) => [e.name, g.input(c, e.name, dtype)]));
    const x = (name: string): Tensor => inputs.get(name)!;
    const out = [run(c, x)].flat();
    c.outputs.forEach((o, i) => {
      expect(out[i]!.shape).toEqual(o.shape);
      expectOutput(c, out[i]!, numbersOf(g.host(o.tensor)), o.tol[dtype]!, `${dtype} ${o.name}`);
    });
    checkGradients(g, c, run, inputs, dtype);
  }
}

/** A mean over nothing is 0 here and NaN in PyTorch. */
function expectOutput(
  c: Case,
  got: Tensor,
  want: readonly number[],
  tol: readonly [number, number],
  what: string,
): void {
  const values = Array.from(got.dataSync());
  if (String(c['note']).startsWith('nothing to average'))
    expect(values.every((v) => v === 0)).toBe(true);
  else expectClose(values, want, tol, what);
}

function checkGradients(
  g: Group,
  c: Case,
  run: Run,
  inputs: ReadonlyMap<string, Tensor>,
  dtype: FloatDType,
): void {
  const golden = (c['grads'] ?? []) as Case['outputs'];
  if (golden.length === 0) return;
  const upstream = (c['upstream'] as Case['outputs'])[0]!;
  const leaves = golden.map((e) => inputs.get(e.name)!);
  const { grads } = valueAndGrad(leaves, () => {
    const y = [run(c, (name) => inputs.get(name)!)].flat()[0]!;
    const w = tensor(numbersOf(g.host(upstream.tensor)), { shape: upstream.shape, dtype });
    return sum(mul(y, w));
  });
  golden.forEach((e, i) => {
    const want = numbersOf(g.host(e.tensor));
    expectOutput(c, grads.get(leaves[i]!), want, e.tol[dtype]!, `${dtype} gradient of ${e.name}`);
  });
}

describe.runIf(hasShared)('golden values', () => {
  beforeAll(() => setBackend(referenceBackend()));

  describe.each([
    ['losses', losses],
    ['norms', norms],
    ['sampling', sampling],
  ] as const)('%s', (name, runs) => {
    const g = group(name);
    it.each(cases(g).filter(([, c]) => c.op in runs))('%s', (_, c) => check(g, c, runs[c.op]!));
    it('leaves out only what is core', () => {
      const left = new Set(g.cases.filter((c) => !(c.op in runs)).map((c) => c.op));
      expect([...left].sort()).toEqual(name === 'norms' ? ['layer_norm', 'rms_norm'] : []);
    });
  });

  const optim = group('optim');
  const states: Record<string, readonly string[]> = {
    sgd: ['momentum_buffer'],
    adam: ['exp_avg', 'exp_avg_sq'],
    adamw: ['exp_avg', 'exp_avg_sq'],
    rmsprop: ['square_avg'],
  };

  it.each(cases(optim).filter(([, c]) => c.op in states))('%s', (_, c) => {
    for (const dtype of ['f64', 'f32'] as const) {
      const tol = c.outputs[0]!.tol[dtype];
      if (tol === null) continue;
      const param = new nn.Param(optim.input(c, 'p0', dtype));
      const opt = optimizer(c, param);
      const grads = optim.input(c, 'grads', dtype);
      const golden = numbersOf(optim.host(c.outputs[0]!.tensor));
      const steps = grads.shape[0]!;
      for (let t = 0; t < steps; t++) {
        opt.step({ get: () => grads.select(0, t) });
        const n = param.value.size;
        expectClose(
          param.value.dataSync(),
          golden.slice(t * n, (t + 1) * n),
          tol,
          `${dtype} step ${t}`,
        );
      }
      for (const o of c.outputs.slice(1)) {
        const state = opt.stateDict().get(`${o.name}/p`)!;
        expectClose(
          state.dataSync(),
          numbersOf(optim.host(o.tensor)),
          o.tol[dtype]!,
          `${dtype} ${o.name}`,
        );
      }
    }
  });

  it.each(cases(optim).filter(([, c]) => c.op === 'clip_grad_norm'))('%s', async (_, c) => {
    const grads = c.inputs.map((e) => [e.name, optim.input(c, e.name)] as const);
    const { norm, scale } = await nn.clipGradNorm({ entries: () => grads }, num(c, 'max_norm'));
    const [total, ...clipped] = c.outputs;
    expectClose([norm], numbersOf(optim.host(total!.tensor)), total!.tol.f64, 'norm');
    clipped.forEach((o, i) => {
      expectClose(
        grads[i]![1].mul(scale).dataSync(),
        numbersOf(optim.host(o.tensor)),
        o.tol.f64,
        o.name,
      );
    });
    const device = nn.clipScale(nn.gradNorm({ entries: () => grads }), num(c, 'max_norm'));
    expectClose([device.itemSync()], [scale], [1e-14, 0], 'scale on the device');
  });

  it('a gradient norm that is not finite stops the step', async () => {
    const c = optim.cases.find((k) => k.op === 'clip_grad_norm_nonfinite')!;
    const grads = c.inputs.map((e) => [e.name, optim.input(c, e.name)] as const);
    await expect(nn.clipGradNorm({ entries: () => grads }, 1)).rejects.toThrow(NonFiniteError);
  });

  it('clip_grad_value', () => {
    const c = optim.cases.find((k) => k.op === 'clip_grad_value')!;
    const clipped = nn.clipGradValue(optim.input(c, 'g'), num(c, 'clip_value'));
    expectClose(clipped.dataSync(), numbersOf(optim.host(c.outputs[0]!.tensor)), [0, 0], 'clipped');
  });

  const schedules = group('schedule');
  it.each(cases(schedules))('%s', (_, c) => {
    const [lr, warmup, total] = ['lr', 'warmup', 'total'].map((k) => num(c, k)) as [
      number,
      number,
      number,
    ];
    const made: Record<string, () => nn.Schedule> = {
      cosine_warmup: () => nn.cosineWarmup(lr, warmup, total),
      cosine_warmup_min: () => nn.cosineWarmupMin(lr, warmup, total, num(c, 'min_lr')),
      linear_warmup: () => nn.linearWarmup(lr, warmup, total),
      constant_warmup: () => nn.constantWarmup(lr, warmup),
      step_lr: () => nn.stepDecay(lr, num(c, 'step_size'), num(c, 'gamma')),
    };
    const schedule = made[c.op]!();
    const rates = Array.from({ length: num(c, 'steps') }, (_, i) => schedule(i));
    const [o] = c.outputs;
    expectClose(rates, numbersOf(schedules.host(o!.tensor)), o!.tol.f64, 'rates');
  });

  it('layerNorm of core takes the module weights', () => {
    const norm = new nn.LayerNorm(3, { dtype: 'f64' });
    const x = tensor([[1, 2, 4]], { dtype: 'f64' });
    expectClose(norm.forward(x).dataSync(), layerNorm(x).dataSync(), [0, 0], 'the same op');
  });
});

function optimizer(c: Case, param: nn.Param): nn.Optimizer {
  const a = c.attrs;
  const weightDecay = (a['weight_decay'] ?? 0) as number;
  const params = [['p', param]] as const;
  const common = { lr: num(c, 'lr'), weightDecay };
  switch (c.op) {
    case 'sgd':
      return new nn.SGD(params, {
        ...common,
        momentum: (a['momentum'] ?? 0) as number,
        dampening: (a['dampening'] ?? 0) as number,
        nesterov: (a['nesterov'] ?? false) as boolean,
      });
    case 'rmsprop':
      return new nn.RMSprop(params, {
        lr: num(c, 'lr'),
        alpha: num(c, 'alpha'),
        eps: num(c, 'eps'),
      });
    default: {
      const adam = { ...common, betas: a['betas'] as [number, number], eps: num(c, 'eps') };
      if (c.op === 'adamw') return new nn.AdamW(params, { ...adam, decay: () => true });
      return new nn.Adam(params, { ...adam, amsgrad: (a['amsgrad'] ?? false) as boolean });
    }
  }
}
