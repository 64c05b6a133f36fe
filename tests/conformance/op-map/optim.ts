/** Optimisers, clipping, learning rates, and the deterministic parts of sampling. */

import type { Tensor } from '@loretta-ts/core';
import * as core from '@loretta-ts/core';
import * as nn from '@loretta-ts/nn';
import type { Call, OpCall, Outputs } from '../call';

/** Our optimiser state, by the name that it has in PyTorch. */
const STATES = ['momentum_buffer', 'exp_avg', 'exp_avg_sq', 'square_avg'] as const;

/** The parameter after every step, and the state after the last. */
function optimise(c: Call, make: (params: nn.NamedParams) => nn.Optimizer): Outputs {
  const param = new nn.Param(core.add(c.t('p0'), 0));
  const optimizer = make([['p', param]]);
  try {
    const trace = core.split(c.t('grads'), 1, 0).map((grads) => {
      const grad = core.squeeze(grads, 0);
      optimizer.step({ get: () => grad });
      return core.add(param.value, 0);
    });
    const state = optimizer.stateDict();
    const found = STATES.flatMap((name) => {
      const t = state.get(`${name}/p`);
      return t === undefined ? [] : [[name, core.add(t, 0)] as const];
    });
    return { p: core.stack(trace), ...Object.fromEntries(found) };
  } finally {
    param.dispose();
    optimizer.dispose();
  }
}

const betas = (c: Call): readonly [number, number] =>
  c.has('betas') ? (c.nums('betas') as [number, number]) : [0.9, 0.999];

function clipped(c: Call): Outputs {
  const named = c.list.map((g, i) => [`g${i}`, g] as const);
  const norm = nn.gradNorm({ entries: () => named });
  const scale = nn.clipScale(norm, c.num('max_norm'));
  const scaled = named.map(([name, g]) => [name, core.mul(g, scale)] as const);
  return { total_norm: norm, ...Object.fromEntries(scaled) };
}

function rates(c: Call, schedule: nn.Schedule): Tensor {
  const values = Float64Array.from({ length: c.num('steps') }, (_, i) => schedule(i));
  return core.tensor(values, { dtype: c.dtype });
}

const FILTERS: Readonly<Record<string, (logits: Tensor, c: Call) => Tensor>> = {
  temperature: (logits, c) => nn.applyTemperature(logits, c.num('temperature')),
  top_k: (logits, c) => nn.topKFilter(logits, c.num('k')),
  top_p: (logits, c) => nn.topPFilter(logits, c.num('p')),
  min_p: (logits, c) => nn.minPFilter(logits, c.num('min_p')),
};

function pipeline(c: Call, order: readonly string[]): Tensor {
  return order.reduce((logits, name) => {
    const filter = FILTERS[name];
    if (filter === undefined) throw new Error(`no filter is called ${name}`);
    return filter(logits, c);
  }, c.t('logits'));
}

export const optim: Readonly<Record<string, OpCall>> = {
  sgd: (c) =>
    optimise(
      c,
      (params) =>
        new nn.SGD(params, {
          lr: c.num('lr'),
          momentum: c.num('momentum', 0),
          dampening: c.num('dampening', 0),
          nesterov: c.bool('nesterov'),
          weightDecay: c.num('weight_decay', 0),
        }),
    ),
  adam: (c) =>
    optimise(
      c,
      (params) =>
        new nn.Adam(params, {
          lr: c.num('lr'),
          betas: betas(c),
          eps: c.num('eps', 1e-8),
          weightDecay: c.num('weight_decay', 0),
          amsgrad: c.bool('amsgrad'),
        }),
    ),
  adamw: (c) =>
    optimise(
      c,
      (params) =>
        new nn.AdamW(params, {
          lr: c.num('lr'),
          betas: betas(c),
          eps: c.num('eps', 1e-8),
          weightDecay: c.num('weight_decay', 0.01),
          decay: () => true,
        }),
    ),
  rmsprop: (c) =>
    optimise(
      c,
      (params) =>
        new nn.RMSprop(params, {
          lr: c.num('lr'),
          alpha: c.num('alpha', 0.99),
          eps: c.num('eps', 1e-8),
        }),
    ),
  clip_grad_norm: clipped,
  clip_grad_norm_nonfinite: (c) => ({ total_norm: clipped(c)['total_norm']! }),
  clip_grad_value: (c) => nn.clipGradValue(c.x, c.num('clip_value')),

  cosine_warmup: (c) => rates(c, nn.cosineWarmup(c.num('lr'), c.num('warmup'), c.num('total'))),
  cosine_warmup_min: (c) =>
    rates(c, nn.cosineWarmupMin(c.num('lr'), c.num('warmup'), c.num('total'), c.num('min_lr'))),
  linear_warmup: (c) => rates(c, nn.linearWarmup(c.num('lr'), c.num('warmup'), c.num('total'))),
  constant_warmup: (c) => rates(c, nn.constantWarmup(c.num('lr'), c.num('warmup'))),
  step_lr: (c) => rates(c, nn.stepDecay(c.num('lr'), c.num('step_size'), c.num('gamma'))),

  greedy: (c) => nn.greedy(c.t('logits')),
  top_k: (c) => pipeline(c, ['top_k']),
  top_p: (c) => pipeline(c, ['top_p']),
  min_p: (c) => pipeline(c, ['min_p']),
  temperature: (c) => core.softmax(pipeline(c, ['temperature'])),
  repetition_penalty: (c) => nn.repetitionPenalty(c.t('logits'), c.t('prev'), c.num('penalty')),
  pipeline: (c) => pipeline(c, c.raw('order') as readonly string[]),
  sample_inverse_cdf: (c) =>
    nn.sampleInverseCdf(pipeline(c, ['temperature', 'top_k', 'top_p']), c.t('u')),
};
