/** The selective state space of Mamba (Gu and Dao 2023, §3.4 and algorithm 2), with the names of its public code. */
import {
  concat,
  exp,
  expm1,
  full,
  iota,
  type Key,
  log,
  ones,
  type Tensor,
  selectiveScanWithState,
  silu,
  softplus,
  split,
  tidy,
  uniform,
} from '@loretta-ts/core';
import { Linear } from '../layers/linear';
import { Module, Param } from '../module';
import type { ResolvedDecoderConfig } from './config';
import { asNumbers, type Mixer, type MixerContext, stateOf } from './mixer';
import { ShortConv } from './short-conv';
import { StateCache } from './state-cache';

/** Step sizes at the start lie between these, log-uniformly (§3.6). */
const DT_MIN = 1e-3;
const DT_MAX = 1e-1;

/**
 * `out(scan(silu(conv(x))) ⊙ silu(z))` with x, z from one projection, and step sizes, B and C from x. Its state is of one
 * size whatever the length: in each row k − 1 inputs of the convolution, and h `[e, n]`.
 */
export class MambaMixer extends Module implements Mixer {
  /** x and z: `[2 e, dim]`, e = expand · dim. */
  readonly in_proj: Linear;
  /** Channel by channel over x: `[e, 1, k]`. */
  readonly conv1d: ShortConv;
  /** Low-rank step sizes, B and C: `[dtRank + 2 n, e]`. */
  readonly x_proj: Linear;
  /** Step sizes: `[e, dtRank]`. */
  readonly dt_proj: Linear;
  /** A = −exp(A_log): `[e, n]`. It does not decay. */
  readonly A_log: Param;
  /** What goes past the scan: `[e]`. It does not decay. */
  readonly D: Param;
  /** Back to the residual stream: `[dim, e]`. */
  readonly out_proj: Linear;
  private readonly config: ResolvedDecoderConfig;

  /** @param config a resolved configuration @param key null makes zeros */
  constructor(config: ResolvedDecoderConfig, key: Key | null) {
    super();
    const { dim, expand, stateDim, dtRank, convKernel, bias, initStd: std, dtype } = config;
    const inner = expand * dim;
    const sub = (i: number): Key | null => key?.fold(i) ?? null;
    this.in_proj = new Linear(dim, 2 * inner, { bias, std, dtype, key: sub(0) });
    this.conv1d = new ShortConv(inner, convKernel, { dtype, key: sub(1) });
    this.x_proj = new Linear(inner, dtRank + 2 * stateDim, { std, dtype, key: sub(2) });
    this.dt_proj = new Linear(dtRank, inner, { bias: true, dtype, key: null });
    if (key !== null) tidy(() => this.drawSteps(key.fold(3)));
    this.A_log = new Param(
      tidy(() =>
        log(iota(stateDim, { start: 1 }).cast(dtype))
          .broadcastTo([inner, stateDim])
          .keep(),
      ),
      false,
    );
    this.D = new Param(ones([inner], { dtype }), false);
    const residualStd = std / Math.sqrt(config.layers);
    this.out_proj = new Linear(inner, dim, { bias, std: residualStd, dtype, key: sub(4) });
    this.config = config;
  }

  /** `[b, t, d] -> [b, t, d]`. */
  forward(x: Tensor, layer: number, { real, segments, cache }: MixerContext): Tensor {
    const { dtRank, stateDim, dtype } = this.config;
    const state = stateOf(cache, 'mamba');
    const numbers = real === null ? null : asNumbers(real, dtype); // [b, t, 1]
    const masked = (y: Tensor): Tensor => (numbers === null ? y : y.mul(numbers));
    const [projected, z] = split(this.in_proj.forward(x), this.D.value.size, 2) as [Tensor, Tensor]; // [b, t, e]
    const inputs = masked(projected);
    const window = state?.read(layer, 'window') ?? null; // [b, k - 1, e]
    const u = silu(this.conv1d.forward(inputs, window, segments)); // [b, t, e]
    const [low, B, C] = split(this.x_proj.forward(u), [dtRank, stateDim, stateDim], 2) as [
      Tensor,
      Tensor,
      Tensor,
    ];
    // a step of 0 leaves h as it is
    const delta = masked(softplus(this.dt_proj.forward(low))); // [b, t, e]
    const [y, h] = selectiveScanWithState(
      u.transpose(),
      delta.transpose(),
      exp(this.A_log.value).neg(),
      B,
      C,
      {
        ...(state === null ? {} : { state: state.read(layer, 'h') }),
        ...(segments === null ? {} : { starts: startsOf(segments) }),
      },
    ); // [b, e, t], [b, e, n]
    if (state !== null) {
      state.replace(layer, 'window', this.conv1d.window(inputs, window));
      state.replace(layer, 'h', h);
    }
    const scanned = y.transpose().add(u.mul(this.D.value)); // [b, t, e]
    return this.out_proj.forward(scanned.mul(silu(z)));
  }

  /** The weight U(±dtRank^−½); the bias so that softplus gives step sizes that are log-uniform. */
  private drawSteps(key: Key): void {
    const { weight, bias } = this.dt_proj;
    const { dtype } = weight.value;
    const bound = weight.shape[1]! ** -0.5;
    const floats = dtype === 'f64' ? 'f64' : 'f32';
    weight.assign(uniform(key.fold(0), weight.shape, { low: -bound, high: bound, dtype: floats }));
    const low = Math.log(DT_MIN);
    const dt = exp(
      uniform(key.fold(1), bias!.shape, { low, high: Math.log(DT_MAX), dtype: floats }),
    );
    bias!.assign(dt.add(log(expm1(dt.neg()).neg()))); // the inverse of softplus
  }
}

/** Memory of a generation: the convolution's last inputs and h. */
export function makeMambaCache(
  config: ResolvedDecoderConfig,
  batch: number,
  maxLength: number,
): StateCache<'window' | 'h'> {
  const { dim, expand, stateDim, convKernel } = config;
  return new StateCache(config, batch, maxLength, {
    window: [batch, convKernel - 1, expand * dim],
    h: [batch, expand * dim, stateDim],
  });
}

/** bool `[b, t]`: the segment is not that of the token before. */
function startsOf(segments: Tensor): Tensor {
  const [b, t] = segments.shape as [number, number];
  const first = full([b, 1], 1, { dtype: 'bool' });
  if (t < 2) return first.narrow(1, 0, t);
  return concat([first, segments.narrow(1, 1, t - 1).ne(segments.narrow(1, 0, t - 1))], 1);
}
