/** softmax, attention and its layers, Fourier transforms, recurrences. */

import type { Tensor } from '@loretta-ts/core';
import * as core from '@loretta-ts/core';
import type { Call, OpCall, Outputs } from '../call';

/** `[b, h, t, d]` to `[b, t, h, d]` and back. */
const swapHeads = (x: Tensor): Tensor => core.permute(x, [0, 2, 1, 3]);

function rotary(c: Call, interleaved: boolean): Tensor {
  const x = c.t('x'); // [..., t, d]
  const [t, d] = x.shape.slice(-2) as [number, number];
  const heads = core.permute(core.reshape(x, [1, -1, t, d]), [0, 2, 1, 3]); // [1, t, h, d]
  const turned = core.rope(heads, c.t('positions'), {
    theta: c.num('theta', 10000),
    interleaved,
    ...(c.has('rotary_dim') ? { rotaryDim: c.num('rotary_dim') } : {}),
  });
  return core.reshape(core.permute(turned, [0, 2, 1, 3]), x.shape);
}

function selectiveScan(c: Call): Outputs {
  const [u, A] = [c.t('u'), c.t('A')];
  const [B, C] = [core.transpose(c.t('B')), core.transpose(c.t('C'))]; // [b, l, n]
  const [d, D, z] = [c.maybe('delta_bias'), c.maybe('D'), c.maybe('z')];
  const raw = d === null ? c.t('delta') : core.add(c.t('delta'), core.unsqueeze(d, 1));
  const delta = c.bool('delta_softplus') ? core.softplus(raw) : raw; // [b, d, l]
  const [scanned, last] = core.selectiveScanWithState(u, delta, A, B, C);
  let y = scanned;
  if (D !== null) y = core.add(y, core.mul(core.unsqueeze(D, 1), u));
  if (z !== null) y = core.mul(y, core.silu(z));
  return { y, last_state: last };
}

/** Poli et al. 2023, alg. 1 to 3, with the filters given. */
function hyena(c: Call): Tensor {
  const order = c.num('order');
  const u = core.linear(c.t('u'), c.t('w_in'), c.t('b_in')); // [b, l, (order + 1) d]
  const [kernel, filters, bias] = [c.t('w_short'), c.t('k'), c.t('bias')];
  const [channels, width] = kernel.shape as [number, number];
  const short = core.conv1d(
    core.pad(core.transpose(u), [
      [0, 0],
      [0, 0],
      [width - 1, 0],
    ]),
    core.unsqueeze(kernel, 1),
    c.t('b_short'),
    { groups: channels },
  ); // [b, (order + 1) d, l]
  const parts = core.split(short, channels / (order + 1), 1);
  let v = parts[order]!;
  for (let i = 0; i < order - 1; i++) {
    const gated = core.mul(v, parts[order - 1 - i]!);
    const long = core.longConv(gated, core.select(filters, 0, i));
    v = core.add(long, core.mul(core.unsqueeze(core.select(bias, 0, i), 1), gated));
  }
  return core.linear(core.transpose(core.mul(v, parts[0]!)), c.t('w_out'), c.t('b_out'));
}

export const sequence: Readonly<Record<string, OpCall>> = {
  softmax: (c) => core.softmax(c.x, c.num('dim')),
  log_softmax: (c) => core.logSoftmax(c.x, c.num('dim')),
  softmax_temperature: (c) => core.softmax(core.div(c.x, c.num('temperature')), c.num('dim')),
  sdpa: (c) => {
    const [mask, bias] = [c.maybe('mask'), c.maybe('bias')];
    const o = core.attention(swapHeads(c.t('q')), swapHeads(c.t('k')), swapHeads(c.t('v')), {
      causal: c.bool('causal'),
      window: c.num('window', 0),
      qOffset: c.num('q_offset', 0),
      ...(c.has('scale') ? { scale: c.num('scale') } : {}),
      ...(mask === null ? {} : { mask }),
      ...(bias === null ? {} : { bias }),
    });
    return swapHeads(o);
  },
  rope_half: (c) => rotary(c, false),
  rope_pair: (c) => rotary(c, true),
  swiglu: (c) => {
    const [x, gate, up] = [c.t('x'), c.t('gate'), c.t('up')];
    return core.linear(core.swiglu(core.linear(x, gate), core.linear(x, up)), c.t('down'));
  },
  gelu_mlp: (c) => {
    const inner = core.linear(c.t('x'), c.t('w1'), c.t('b1'));
    const hidden = core.gelu(inner, { approximate: c.text('approximate') === 'tanh' });
    return core.linear(hidden, c.t('w2'), c.t('b2'));
  },
  mha: (c) => {
    const [x, heads, kvHeads] = [c.t('x'), c.num('heads'), c.num('kv_heads')];
    const [b, t, d] = x.shape as [number, number, number];
    const project = (name: string, n: number): Tensor =>
      core.reshape(core.linear(x, c.t(name)), [b, t, n, -1]);
    const o = core.attention(project('wq', heads), project('wk', kvHeads), project('wv', kvHeads), {
      causal: c.bool('causal'),
    });
    return core.linear(core.reshape(o, [b, t, d]), c.t('wo'));
  },
  causal_mask: (c) => {
    const visible = core.tril(core.full(c.x.shape, 1, { dtype: c.dtype }));
    return core.where(core.gt(visible, 0), c.x, -Infinity);
  },
  rfft: (c) => {
    const [re, im] = core.rfft(c.x);
    return { re, im };
  },
  irfft: (c) => core.irfft(c.t('re'), c.t('im'), c.num('n')),
  fft: (c) => {
    const [re, im] = core.fft(c.t('re'), c.t('im'));
    return { re, im };
  },
  ifft: (c) => {
    const [re, im] = core.fft(c.t('re'), c.t('im'), { inverse: true });
    return { re, im };
  },
  fft_causal_conv: (c) => {
    const [u, k, D] = [c.t('u'), c.t('k'), c.maybe('D')];
    const missing = u.shape.at(-1)! - k.shape.at(-1)!;
    const whole = core.pad(
      k,
      k.shape.map((_, i) => [0, i === k.rank - 1 ? missing : 0] as const),
    );
    const y = core.longConv(u, whole);
    return D === null ? y : core.add(y, core.mul(core.unsqueeze(D, 1), u));
  },
  linear_recurrence: (c) => {
    const [a, b, h0] = [c.t('a'), c.t('b'), c.t('h0')];
    const first = core.add(
      core.narrow(b, 1, 0, 1),
      core.mul(core.narrow(a, 1, 0, 1), core.unsqueeze(h0, 1)),
    );
    const rest = core.narrow(b, 1, 1, b.shape[1]! - 1);
    return core.linearRecurrence(a, core.concat([first, rest], 1));
  },
  selective_scan: selectiveScan,
  hyena_operator: hyena,
};
