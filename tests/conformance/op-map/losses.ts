/** Losses, normalisation, dropout, vector quantisation. */

import type { Tensor } from '@loretta-ts/core';
import * as core from '@loretta-ts/core';
import * as nn from '@loretta-ts/nn';
import type { Call, OpCall, Outputs } from '../call';

const reductionOf = (c: Call): { readonly reduction: nn.Reduction } => ({
  reduction: c.text('reduction', 'mean') as nn.Reduction,
});

const classOptions = (c: Call): nn.ClassLossOptions => ({
  ...reductionOf(c),
  ignoreIndex: c.num('ignore_index', -100),
  weight: c.maybe('weight'),
});

const affine = (c: Call): nn.AffineOptions => ({
  weight: c.maybe('weight'),
  bias: c.maybe('bias'),
  eps: c.num('eps', 1e-5),
});

function layerNorm(c: Call): Tensor {
  const x = c.t('x');
  const [weight, bias] = [c.maybe('weight'), c.maybe('bias')];
  const options = { eps: c.num('eps', 1e-5) };
  const dims = c.num('normalized_dims', 1);
  if (dims === 1) return core.layerNorm(x, weight, bias, options);
  const flat = (t: Tensor | null): Tensor | null => (t === null ? null : core.flatten(t));
  const rows = core.flatten(x, -dims);
  return core.reshape(core.layerNorm(rows, flat(weight), flat(bias), options), x.shape);
}

/** A quantizer that holds the tensors of a case: gradients flow to them. */
function quantizerOf(c: Call, decay: number | null): nn.VectorQuantizer {
  const codebook = c.t('codebook');
  const [codes, dim] = codebook.shape as [number, number];
  const quantizer = new nn.VectorQuantizer({
    codes,
    dim,
    decay,
    commitment: c.num('beta', 0),
    eps: c.num('eps', 1e-5),
    key: null,
    dtype: c.dtype,
  });
  const averages = ['cluster_size', 'ema_w'].flatMap((name) => {
    const t = c.maybe(name);
    return t === null ? [] : [[name, t] as const];
  });
  quantizer.loadStateDict(new Map([['codebook', codebook], ...averages]));
  return quantizer;
}

/** van den Oord et al. 2017, eq. 3, with the straight-through gradient. */
function vq(c: Call): Outputs {
  const quantizer = quantizerOf(c, null);
  const q = quantizer.forward(c.t('z'));
  quantizer.dispose();
  return {
    indices: q.indices,
    quantized: q.quantized,
    codebook_loss: q.codebookLoss,
    commitment_loss: q.commitmentLoss,
    loss: q.loss,
    perplexity: q.perplexity,
  };
}

/** Exponential moving averages of the codes' counts and sums, step by step. */
function vqEma(c: Call): Outputs {
  const quantizer = quantizerOf(c, c.num('decay'));
  const trace = core.split(c.t('z'), 1, 0).map((slice) => {
    const z = core.squeeze(slice, 0); // [n, d]
    const indices = quantizer.indices(z);
    quantizer.update(z, indices, null);
    const state = quantizer.stateDict();
    // copies: the next step frees what the state holds
    const now = (name: string): Tensor => core.add(state.get(name)!, 0);
    return { indices, codebook: now('codebook'), size: now('cluster_size'), sums: now('ema_w') };
  });
  quantizer.dispose();
  return {
    indices: core.stack(trace.map((s) => s.indices)),
    codebook: core.stack(trace.map((s) => s.codebook)),
    cluster_size: core.stack(trace.map((s) => s.size)),
    ema_w: core.stack(trace.map((s) => s.sums)),
  };
}

export const losses: Readonly<Record<string, OpCall>> = {
  cross_entropy: (c) =>
    nn.crossEntropyLoss(c.t('logits'), c.t('target'), {
      ...classOptions(c),
      labelSmoothing: c.num('label_smoothing', 0),
    }),
  cross_entropy_3d: (c) => nn.crossEntropyLoss(c.t('logits'), c.t('target')),
  cross_entropy_accumulated: (c) => {
    const ignoreIndex = c.num('ignore_index', -100);
    const batches = c.list.length / 2;
    const parts = Array.from({ length: batches }, (_, i) => {
      const target = c.t(`target${i}`);
      const loss = nn.crossEntropyLoss(c.t(`logits${i}`), target, {
        ignoreIndex,
        reduction: 'sum',
      });
      return { loss, count: core.sum(core.cast(core.ne(target, ignoreIndex), c.dtype)) };
    });
    const total = parts.map((p) => p.loss).reduce((a, b) => core.add(a, b));
    return core.div(
      total,
      parts.map((p) => p.count).reduce((a, b) => core.add(a, b)),
    );
  },
  cross_entropy_prob: (c) =>
    nn.crossEntropyLoss(c.t('logits'), c.t('target'), {
      ...reductionOf(c),
      labelSmoothing: c.num('label_smoothing', 0),
    }),
  nll_loss: (c) => nn.nllLoss(c.t('logprobs'), c.t('target'), classOptions(c)),
  mse_loss: (c) => nn.mseLoss(c.t('pred'), c.t('target'), reductionOf(c)),
  l1_loss: (c) => nn.l1Loss(c.t('pred'), c.t('target'), reductionOf(c)),
  huber_loss: (c) =>
    nn.huberLoss(c.t('pred'), c.t('target'), { ...reductionOf(c), delta: c.num('delta', 1) }),
  bce_with_logits: (c) =>
    nn.bceWithLogitsLoss(c.t('logits'), c.t('target'), {
      ...reductionOf(c),
      posWeight: c.maybe('pos_weight'),
    }),
  kl_div: (c) =>
    nn.klDivLoss(c.t('logq'), c.t('p'), {
      reduction: c.text('reduction', 'mean') as nn.Reduction | 'batchmean',
    }),

  layer_norm: layerNorm,
  rms_norm: (c) => core.rmsNorm(c.t('x'), c.maybe('weight'), { eps: c.num('eps', 1e-5) }),
  group_norm: (c) => nn.groupNorm(c.t('x'), c.num('groups'), affine(c)),
  batch_norm_train: (c) => nn.batchNorm(c.t('x'), affine(c)),
  batch_norm_eval: (c) => nn.batchNormEval(c.t('x'), c.t('mean'), c.t('var'), affine(c)),
  batch_norm_running: (c) => {
    const momentum = c.num('momentum', 0.1);
    const next = nn.batchNormRunning(c.t('x'), c.t('mean'), c.t('var'), momentum);
    return { mean: next.mean, var: next.variance };
  },
  dropout_masked: (c) => nn.dropoutMasked(c.t('x'), c.t('mask'), c.num('p')),
  dropout: (c) => nn.dropout(c.t('x'), c.num('p'), core.key(0)),

  vq,
  vq_indices: (c) => nn.nearestCode(c.t('z'), c.t('codebook')),
  vq_ema: vqEma,
};
