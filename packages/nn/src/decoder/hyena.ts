/** The Hyena operator of order 2 (Poli et al. 2023, §3): a gate, a long convolution, a gate. */
import {
  cos,
  embedding,
  exp,
  full,
  iota,
  type Key,
  longConv,
  maximum,
  normal,
  ones,
  sin,
  split,
  sum,
  type Tensor,
  tensor,
  concat,
  ValueError,
  zeros,
} from '@loretta-ts/core';
import { Linear } from '../layers/linear';
import { Module, Param } from '../module';
import type { ResolvedDecoderConfig } from './config';
import { asNumbers, type Mixer, type MixerContext, stateOf } from './mixer';
import { ShortConv } from './short-conv';
import { StateCache } from './state-cache';

/** Layers of the filter's network between its first and last. */
const INNER_LAYERS = 2;
/** Filters fall to 1e-2 at these shares of the longest sequence, the first channel last (§3.3, the window). */
const SLOW_DECAY = 1.5;
const FAST_DECAY = 0.3;
const DECAY_TARGET = 1e-2;
/** What is left of a filter behind its window. */
const DECAY_SHIFT = 0.05;
/** Frequency of the second and third feature of a position. */
const FREQUENCY = 1e-4;

/**
 * The implicit filter: h_t = MLP(t, Re e^−iωt, Im e^−iωt) · (e^−αt + shift) with sine activations, for t from 0 to 1 over
 * the longest sequence (§3.3). Its parameters do not depend on the length.
 */
export class HyenaFilter extends Module {
  /** From three features of a position, then inside: `[filterDim, 3 or filterDim]`. */
  readonly layers: readonly Linear[];
  /** Frequencies of the sines, shared by the layers: `[filterDim]`. */
  readonly frequency: Param;
  /** To the channels: `[dim, filterDim]`. */
  readonly out: Linear;
  /** Past the convolution: `[dim]`. */
  readonly bias: Param;
  private readonly config: ResolvedDecoderConfig;

  /** @param key null makes zeros */
  constructor(config: ResolvedDecoderConfig, key: Key | null) {
    super();
    const { dim, filterDim, dtype } = config;
    const linearOf = (inSize: number, outSize: number, bias: boolean, stream: number): Linear =>
      new Linear(inSize, outSize, {
        ...{ bias, dtype, key: key?.fold(stream) ?? null },
        std: 1 / Math.sqrt(3 * inSize), // that of PyTorch's default
      });
    this.layers = Array.from({ length: 1 + INNER_LAYERS }, (_, i) =>
      linearOf(i === 0 ? 3 : filterDim, filterDim, true, i),
    );
    this.frequency = new Param(ones([filterDim], { dtype }));
    this.out = linearOf(filterDim, dim, false, 1 + INNER_LAYERS);
    this.bias = new Param(
      key === null ? zeros([dim], { dtype }) : normal(key.fold(2 + INNER_LAYERS), [dim], { dtype }),
    );
    this.config = config;
  }

  /** `[n, d]`: the first n values of the filters. */
  values(n: number): Tensor {
    const { maxLength, dim, dtype } = this.config;
    const t = iota(n)
      .cast(dtype)
      .div(Math.max(1, maxLength - 1))
      .reshape(n, 1);
    const angle = t.mul(2 * Math.PI * FREQUENCY);
    let x = concat([t, cos(angle), sin(angle).neg()], 1); // [n, 3]
    for (const layer of this.layers) x = sin(layer.forward(x).mul(this.frequency.value)); // [n, f]
    return this.out
      .forward(x)
      .mul(exp(t.mul(tensor(decays(dim), { shape: [1, dim], dtype }))).add(DECAY_SHIFT));
  }
}

/** Exponents of the channels' windows, evenly between the slow and the fast one. */
function decays(dim: number): Float64Array {
  const [slow, fast] = [Math.log(DECAY_TARGET) / SLOW_DECAY, Math.log(DECAY_TARGET) / FAST_DECAY];
  return Float64Array.from(
    { length: dim },
    (_, i) => slow + ((fast - slow) * i) / Math.max(1, dim - 1),
  );
}

/**
 * `out(x0 ⊙ (h * (x1 ⊙ v) + bias ⊙ x1 ⊙ v))`, with x0, x1 and v from one projection and a short convolution. One pass
 * costs O(t log t) by FFT. Generation keeps the gated inputs x1 ⊙ v, and a token costs O(n) with n before it.
 */
export class HyenaMixer extends Module implements Mixer {
  /** x0, x1 and v: `[3 dim, dim]`. */
  readonly in_proj: Linear;
  /** Channel by channel over all three: `[3 dim, 1, k]`. */
  readonly short_conv: ShortConv;
  /** The long convolution. */
  readonly filter: HyenaFilter;
  /** Back to the residual stream: `[dim, dim]`. */
  readonly out_proj: Linear;
  private readonly config: ResolvedDecoderConfig;

  /** @param config a resolved configuration @param key null makes zeros */
  constructor(config: ResolvedDecoderConfig, key: Key | null) {
    super();
    const { dim, convKernel, bias, initStd: std, dtype, layers } = config;
    const sub = (i: number): Key | null => key?.fold(i) ?? null;
    this.in_proj = new Linear(dim, 3 * dim, { bias, std, dtype, key: sub(0) });
    this.short_conv = new ShortConv(3 * dim, convKernel, { dtype, key: sub(1) });
    this.filter = new HyenaFilter(config, sub(2));
    const residualStd = std / Math.sqrt(2 * layers);
    this.out_proj = new Linear(dim, dim, { bias, std: residualStd, dtype, key: sub(3) });
    this.config = config;
  }

  /** `[b, t, d] -> [b, t, d]`. */
  forward(x: Tensor, layer: number, context: MixerContext): Tensor {
    const { real, cache } = context;
    const state = stateOf(cache, 'hyena') as HyenaCache | null;
    const numbers = real === null ? null : asNumbers(real, this.config.dtype); // [b, t, 1]
    const masked = (y: Tensor): Tensor => (numbers === null ? y : y.mul(numbers));
    const inputs = masked(this.in_proj.forward(x)); // [b, t, 3 d]
    const window = state?.read(layer, 'window') ?? null; // [b, k - 1, 3 d]
    const short = this.short_conv.forward(inputs, window);
    const [x0, x1, v] = split(short, this.config.dim, 2) as [Tensor, Tensor, Tensor]; // [b, t, d]
    const gated = masked(x1.mul(v));
    const long = state === null ? this.convolve(gated) : this.goOn(state, layer, gated);
    state?.replace(layer, 'window', this.short_conv.window(inputs, window));
    return this.out_proj.forward(long.add(gated.mul(this.filter.bias.value)).mul(x0));
  }

  /** `[b, t, d]`: y_t = Σ_{s ≤ t} h_{t - s} x_s. */
  private convolve(x: Tensor, filter: Tensor = this.filter.values(x.shape[1]!)): Tensor {
    return longConv(x.transpose(), filter.transpose()).transpose();
  }

  /** The same for the next tokens of a generation, which are added to its history. */
  private goOn(state: HyenaCache, layer: number, gated: Tensor): Tensor {
    const start = state.place?.start ?? state.length;
    const t = gated.shape[1]!;
    if (!state.past) state.replace(layer, 'filter', this.filter.values(state.maxLength));
    const filter = state.read(layer, 'filter'); // [n, d]
    const history = state.write(layer, 'history', gated, start, 1); // [b, n, d]
    if (t === 1 || typeof start !== 'number') return this.dot(history, filter, start);
    const all = this.convolve(history.narrow(1, 0, start + t), filter.narrow(0, 0, start + t));
    return all.narrow(1, start, t);
  }

  /** `[b, 1, d]`: the last value of the convolution; later places of the history are 0. */
  private dot(history: Tensor, filter: Tensor, at: number | Tensor): Tensor {
    const now = typeof at === 'number' ? full([], at, { dtype: 'i32' }) : at;
    const lag = maximum(now.sub(iota(filter.shape[0]!)), 0); // [n]
    return sum(history.mul(embedding(filter, lag)), 1, { keepDims: true });
  }
}

type HyenaCache = StateCache<'window' | 'history' | 'filter'>;

/**
 * Memory of a generation: the short convolution's last inputs, gated inputs, and the filters, which are computed once.
 * @throws ValueError beyond `config.maxLength`, where the filters end
 */
export function makeHyenaCache(
  config: ResolvedDecoderConfig,
  batch: number,
  maxLength: number,
): HyenaCache {
  const { dim, convKernel } = config;
  checkHyenaLength(config, maxLength);
  return new StateCache(config, batch, maxLength, {
    window: [batch, convKernel - 1, 3 * dim],
    history: [batch, maxLength, dim],
    filter: [maxLength, dim],
  });
}

/** @throws ValueError for more tokens than the filters have values */
export function checkHyenaLength({ maxLength }: ResolvedDecoderConfig, tokens: number): void {
  if (tokens <= maxLength) return;
  throw new ValueError(
    'Decoder',
    `${tokens} tokens, but Hyena's filters have ${maxLength} values (maxLength)`,
  );
}
