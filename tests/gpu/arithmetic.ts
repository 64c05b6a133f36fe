/** What a mode's arithmetic does at the edges of f32: the table of the guide. */
import {
  type Backend,
  exp,
  isNaN as isNotANumber,
  log,
  maximum,
  mul,
  reciprocal,
  setBackend,
  sign,
  sin,
  type Tensor,
  tanh,
  tensor,
} from '@loretta-ts/core';

/** One row of the table, by column. */
export type Row = Readonly<Record<(typeof COLUMNS)[number], string>>;

export const COLUMNS = [
  'below 2^-126',
  '-0',
  'NaN, ∞ through max',
  'NaN is found',
  'sin(3e38)',
  'largest error of exp, log, tanh, sin',
] as const;

async function values(result: Tensor): Promise<number[]> {
  const numbers = [...(await result.data())].map(Number);
  result.dispose();
  return numbers;
}

/** The largest error relative to the larger of 1e-3 and the true value, in units of 2^-24. */
async function worst(
  op: (x: Tensor) => Tensor,
  truth: (x: number) => number,
  from: number,
  to: number,
): Promise<number> {
  const xs = Float32Array.from({ length: 2000 }, (_, i) => from + ((to - from) * i) / 1999);
  const got = await values(op(tensor(xs)));
  const errors = got.map((y, i) => {
    const want = truth(xs[i]!);
    return Math.abs(y - want) / Math.max(Math.abs(want), 1e-3);
  });
  return Math.max(...errors) * 2 ** 24;
}

/** Measures the row of a backend. */
export async function arithmetic(backend: Backend): Promise<Row> {
  setBackend(backend);
  const f = (...xs: number[]) => tensor(Float32Array.from(xs));
  const small = 2 ** -130;
  const [tiny] = await values(sign(f(small)));
  const [zero] = await values(reciprocal(mul(f(-0), f(1))));
  const [nan, infinity] = await values(maximum(f(Number.NaN, Infinity), f(0, 0)));
  const found = await values(isNotANumber(f(Number.NaN, 1, Infinity)));
  const [angle] = await values(sin(f(3e38)));
  const errors = [
    await worst(exp, Math.exp, -20, 20),
    await worst(log, Math.log, 0.01, 100),
    await worst(tanh, Math.tanh, -10, 10),
    await worst(sin, Math.sin, -100, 100),
  ];
  return {
    'below 2^-126': tiny === 1 ? 'kept' : 'count as 0',
    '-0': zero === -Infinity ? 'kept' : 'becomes 0',
    'NaN, ∞ through max': Number.isNaN(nan) && infinity === Infinity ? 'kept' : 'lost',
    'NaN is found': found.join() === '1,0,0' ? 'yes' : 'no',
    'sin(3e38)': Math.abs(angle! - Math.sin(Math.fround(3e38))) < 1e-3 ? 'right' : 'wrong',
    'largest error of exp, log, tanh, sin': `${errors.map((e) => e.toFixed(0)).join(', ')} × 2^-24`,
  };
}

/** The row of a Markdown table. */
export function tableRow(mode: string, row: Row): string {
  return `| ${mode} | ${COLUMNS.map((c) => row[c]).join(' | ')} |`;
}

/** What the guide's table says of a mode, without the errors, which drivers vary. */
export function guideRow(guide: string, mode: string): string[] | null {
  const line = guide.split('\n').find((text) => text.startsWith(`| ${mode} |`));
  return line === undefined ? null : line.split(' | ').slice(1, COLUMNS.length);
}
