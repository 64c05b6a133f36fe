/** Time, batches and padding: what comes later, beside or as padding has no effect. */
import {
  attention,
  concat,
  cumsum,
  type HostRandom,
  key,
  linearRecurrence,
  longConv,
  narrow,
  selectiveScan,
  softplus,
  type Tensor,
  tensor,
  tidy,
} from '@loretta-ts/core';
import { Decoder, type MixerKind, ShortConv } from '@loretta-ts/nn';
import { randomConfig, VOCAB, WITHIN } from '../../decoders';
import { ids, values } from '../../draw';
import { type Law, law, near } from './law';

const time = { t: [2, 6], cut: [1, 5], d: [1, 3] } as const;
const MAX_LENGTH = 12;
const MIXERS: readonly MixerKind[] = ['attention', 'mamba', 'hyena'];

/** `f` along axis 1 of inputs `[b, t, …]`: what it gives before `cut` does not change with what is behind. */
function causal(
  random: HostRandom,
  cut: number,
  inputs: readonly Tensor[],
  f: (...xs: Tensor[]) => Tensor,
): void {
  const t = inputs[0]!.shape[1]!;
  const at = Math.min(cut, t - 1);
  const others = inputs.map((x) => {
    const shape = x.shape.map((n, i) => (i === 1 ? t - at : n));
    return concat([narrow(x, 1, 0, at), values(random, shape)], 1);
  });
  near(narrow(f(...others), 1, 0, at), narrow(f(...inputs), 1, 0, at));
}

/** Rows together give what each gives alone. */
function rowwise(inputs: readonly Tensor[], f: (...xs: Tensor[]) => Tensor): void {
  const together = f(...inputs);
  for (let row = 0; row < together.shape[0]!; row++) {
    near(f(...inputs.map((x) => narrow(x, 0, row, 1))), narrow(together, 0, row, 1));
  }
}

const mixed = (random: HostRandom, t: number, d: number): Tensor[] => [
  values(random, [2, t, 2, d]),
  ...[values(random, [2, t, 1, d]), values(random, [2, t, 1, d])],
];

/** u, delta, B and C by time: `[b, l, …]`. */
function scanned(
  random: HostRandom,
  t: number,
  d: number,
): [Tensor[], (...xs: Tensor[]) => Tensor] {
  const A = values(random, [d, 2]).abs().neg();
  const inputs = [d, d, 2, 2].map((n) => values(random, [2, t, n]));
  return [
    inputs,
    (u, delta, B, C) =>
      selectiveScan(u!.transpose(1, 2), softplus(delta!).transpose(1, 2), A, B!, C!).transpose(
        1,
        2,
      ),
  ];
}

const ops: readonly Law[] = [
  law('attention is causal', { ...time, window: [0, 3] }, ({ t, cut, d, window }, random) => {
    causal(random, cut, mixed(random, t, d), (q, k, v) =>
      attention(q!, k!, v!, { causal: true, window }),
    );
  }),
  law('attention is row by row', time, ({ t, d }, random) => {
    rowwise(mixed(random, t, d), (q, k, v) => attention(q!, k!, v!, { causal: true }));
  }),
  law('keys behind the lengths are not seen', time, ({ t, cut, d }, random) => {
    const n = Math.min(cut, t);
    const [q, k, v] = mixed(random, t, d) as [Tensor, Tensor, Tensor];
    const lengths = tensor(Int32Array.of(n, n));
    const some = attention(q.narrow(1, 0, 1), k, v, { lengths });
    near(some, attention(q.narrow(1, 0, 1), k.narrow(1, 0, n), v.narrow(1, 0, n)));
  }),
  law('packed segments are as if alone', time, ({ t, cut, d }, random) => {
    const n = Math.min(cut, t - 1);
    const [q, k, v] = mixed(random, t, d) as [Tensor, Tensor, Tensor];
    const segments = tensor(
      Int32Array.from({ length: 2 * t }, (_, i) => Number(i % t >= n)),
      { shape: [2, t] },
    );
    const parts = (
      [
        [0, n],
        [n, t - n],
      ] as const
    ).map(([start, size]) =>
      attention(...([q, k, v].map((x) => x.narrow(1, start, size)) as [Tensor, Tensor, Tensor]), {
        causal: true,
      }),
    );
    near(attention(q, k, v, { causal: true, segments }), concat(parts, 1));
  }),
  law('a window of all is no window', time, ({ t, d }, random) => {
    const [q, k, v] = mixed(random, t, d) as [Tensor, Tensor, Tensor];
    near(attention(q, k, v, { causal: true, window: t }), attention(q, k, v, { causal: true }));
  }),
  law('repeated key heads are grouped queries', time, ({ t, d }, random) => {
    const [q, k, v] = mixed(random, t, d) as [Tensor, Tensor, Tensor];
    const twice = (x: Tensor): Tensor => concat([x, x], 2);
    near(attention(q, twice(k), twice(v)), attention(q, k, v));
  }),
  law('a scan is causal', time, ({ t, cut, d }, random) => {
    causal(random, cut, ...scanned(random, t, d));
  }),
  law('a scan is row by row', time, ({ t, d }, random) => {
    rowwise(...scanned(random, t, d));
  }),
  law('a recurrence, a cumsum and a long convolution are causal', time, ({ t, cut, d }, random) => {
    const [a, b] = [values(random, [2, t, d]), values(random, [2, t, d])];
    causal(random, cut, [a, b], (x, y) => linearRecurrence(x!, y!));
    causal(random, cut, [a], (x) => cumsum(x!, 1));
    causal(random, cut, [a, b], (x, y) =>
      longConv(x!.transpose(1, 2), y!.transpose(1, 2)).transpose(1, 2),
    );
  }),
  law('the short convolution is causal', time, ({ t, cut, d }, random) => {
    const at = random.int(2 ** 30);
    const conv = (x: Tensor): Tensor => {
      using module = new ShortConv(d, 3, { key: key(at), dtype: 'f64' });
      return module.forward(x);
    };
    causal(random, cut, [values(random, [2, t, d])], (x) => conv(x!));
    rowwise([values(random, [2, t, d])], (x) => conv(x!));
  }),
];

/** A decoder, its tokens, and its hidden states of them. */
function decoder(random: HostRandom, mixer: MixerKind, b: number, t: number) {
  const config = { ...randomConfig(random, mixer, 'f64', MAX_LENGTH), layers: 1 };
  const model = new Decoder(config, key(random.int(2 ** 30)));
  const places = (rows: number, n: number): Tensor =>
    tensor(
      Int32Array.from({ length: rows * n }, (_, i) => (i % n) % WITHIN),
      { shape: [rows, n] },
    );
  const forward = (x: Tensor, more: object = {}): Tensor => {
    const [rows, n] = x.shape as [number, number];
    const within = model.config.positions.includes('within-block')
      ? { within: places(rows, n) }
      : {};
    return tidy(() => model.forward(x, { ...within, ...more }));
  };
  return { model, tokens: ids(random, [b, t], VOCAB), forward };
}

const decoders: readonly Law[] = MIXERS.flatMap((mixer) => [
  law(`a decoder of ${mixer} is causal`, { t: [2, 5], cut: [1, 4] }, ({ t, cut }, random) => {
    const { model, tokens, forward } = decoder(random, mixer, 1, t);
    const at = Math.min(cut, t - 1);
    const others = concat([tokens.narrow(1, 0, at), ids(random, [1, t - at], VOCAB)], 1);
    near(forward(others).narrow(1, 0, at), forward(tokens).narrow(1, 0, at));
    // the same from the beginning alone
    near(forward(tokens.narrow(1, 0, at)), forward(tokens).narrow(1, 0, at));
    model.dispose();
  }),
  law(`a decoder of ${mixer} is row by row`, { b: [2, 3], t: [1, 4] }, ({ b, t }, random) => {
    const { model, tokens, forward } = decoder(random, mixer, b, t);
    rowwise([tokens], (x) => forward(x!));
    model.dispose();
  }),
  law(
    `a decoder of ${mixer} does not see padding on the left`,
    { t: [1, 4], pads: [1, 3] },
    ({ t, pads }, random) => {
      const { model, tokens, forward } = decoder(random, mixer, 1, t);
      const padded = concat([ids(random, [1, pads], VOCAB), tokens], 1);
      const attentionMask = tensor(
        Uint8Array.from({ length: pads + t }, (_, i) => Number(i >= pads)),
        { shape: [1, pads + t], dtype: 'bool' },
      );
      const within = model.config.positions.includes('within-block')
        ? {
            within: tensor(
              Int32Array.from({ length: pads + t }, (_, i) => Math.max(0, i - pads) % WITHIN),
              { shape: [1, pads + t] },
            ),
          }
        : {};
      near(forward(padded, { attentionMask, ...within }).narrow(1, pads, t), forward(tokens));
      model.dispose();
    },
  ),
]);

export const sequences: readonly Law[] = [...ops, ...decoders];
