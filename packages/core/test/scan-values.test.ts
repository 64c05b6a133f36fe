/** The selective scan gives what its recurrence gives step by step. */
import { referenceBackend } from '@loretta-ts/backend-cpu';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  selectiveScan,
  type SelectiveScanOptions,
  selectiveScanWithState,
  setBackend,
  type Tensor,
  vjp,
} from '../src';
import { bool, f64, near, range, total, wave } from './plain';

beforeEach(() => {
  setBackend(referenceBackend());
});

const [b, d, l, n] = [2, 3, 4, 2] as const;
const shapes = [
  [b, d, l],
  [b, d, l],
  [d, n],
  [b, l, n],
  [b, l, n],
  [b, d, n],
] as const;
const size = (shape: readonly number[]): number => shape.reduce((x, y) => x * y, 1);
/** u, delta, A, B, C and a state. */
const data = shapes.map((shape, i) =>
  wave(size(shape), i).map((x) => (i === 1 ? 0.6 + 0.5 * x : x)),
);
const starts = [0, 0, 1, 0, 1, 1, 0, 0];

interface Extras {
  readonly state: boolean;
  readonly starts: boolean;
}

function plain([u, delta, A, B, C, state]: readonly number[][], has: Extras) {
  const y = new Array<number>(b * d * l).fill(0);
  const last = has.state ? [...state!] : new Array<number>(b * d * n).fill(0);
  for (const r of range(b)) {
    for (const c of range(d)) {
      for (const t of range(l)) {
        const p = (r * d + c) * l + t;
        for (const k of range(n)) {
          const at = (r * d + c) * n + k;
          const kept = has.starts && starts[r * l + t] === 1 ? 0 : last[at]!;
          const step = delta![p]!;
          const into = step * u![p]! * B![(r * l + t) * n + k]!;
          last[at] = Math.exp(step * A![c * n + k]!) * kept + into;
          y[p]! += last[at]! * C![(r * l + t) * n + k]!;
        }
      }
    }
  }
  return { y, last };
}

const five = (): [Tensor, Tensor, Tensor, Tensor, Tensor] =>
  [0, 1, 2, 3, 4].map((i) => f64(shapes[i]!, data[i]!)) as never;
const extras = (has: Extras): SelectiveScanOptions => ({
  ...(has.state ? { state: f64(shapes[5], data[5]!) } : {}),
  ...(has.starts ? { starts: bool([b, l], starts) } : {}),
});

const cases: readonly (readonly [string, Extras])[] = [
  ['neither', { state: false, starts: false }],
  ['a state', { state: true, starts: false }],
  ['starts', { state: false, starts: true }],
  ['both', { state: true, starts: true }],
];

describe.each(cases)('with %s', (_, has) => {
  it('the scan gives every y, and h after the last step', () => {
    const want = plain(data, has);
    near(selectiveScan(...five(), extras(has)), [b, d, l], want.y);
    const [y, last] = selectiveScanWithState(...five(), extras(has));
    near(y, [b, d, l], want.y);
    near(last, [b, d, n], want.last);
  });

  it.each(['y', 'last'] as const)('the gradient of %s is its slope in every input', (of) => {
    const ct = wave(of === 'y' ? b * d * l : b * d * n, 9);
    const count = has.state ? 6 : 5;
    const ins = range(count).map((i) => f64(shapes[i]!, data[i]!));
    const { value, pullback } = vjp(
      (...xs) => {
        const [u, delta, A, B, C, state] = xs as [Tensor, Tensor, Tensor, Tensor, Tensor, Tensor];
        const o = { ...extras(has), ...(has.state ? { state } : {}) };
        return selectiveScanWithState(u, delta, A, B, C, o)[of === 'y' ? 0 : 1];
      },
      ...ins,
    );
    pullback(f64(value.shape, ct)).forEach((g, which) => {
      const at = (move: number): number => {
        const moved = data.map((xs, i) =>
          i === which ? xs.map((x, p) => x + move * Math.cos(p)) : xs,
        );
        return total(plain(moved, has)[of].map((x, i) => x * ct[i]!));
      };
      const along = total([...g.dataSync()].map((x, i) => x * Math.cos(i)));
      const slope = (at(1e-5) - at(-1e-5)) / 2e-5;
      expect(Math.abs(along - slope)).toBeLessThan(1e-8);
    });
  });

  it('a state that nobody learns changes no other gradient', () => {
    const ct = f64([b, d, l], wave(b * d * l, 9));
    const fixed = extras(has);
    const scan = (xs: readonly Tensor[], o: SelectiveScanOptions): Tensor =>
      selectiveScan(...(xs.slice(0, 5) as ReturnType<typeof five>), o);
    const want = vjp(
      (...xs) => scan(xs, { ...fixed, ...(has.state ? { state: xs[5]! } : {}) }),
      ...[...five(), ...(has.state ? [fixed.state!] : [])],
    ).pullback(ct);
    const got = vjp((...xs) => scan(xs, fixed), ...five()).pullback(ct);
    got.forEach((g, i) => {
      near(g, shapes[i]!, [...want[i]!.dataSync()]);
    });
  });
});

describe('the scan', () => {
  it('goes on from its last state as if it had not stopped', () => {
    const part = (from: number, to: number): ReturnType<typeof five> => {
      const [u, delta, A, B, C] = five();
      const [along, rows] = [
        (x: Tensor) => x.narrow(2, from, to - from),
        (x: Tensor) => x.narrow(1, from, to - from),
      ];
      return [along(u), along(delta), A, rows(B), rows(C)];
    };
    const whole = selectiveScanWithState(...five());
    const [, half] = selectiveScanWithState(...part(0, 3));
    const [y, last] = selectiveScanWithState(...part(3, 4), { state: half });
    near(last, [b, d, n], [...whole[1].dataSync()]);
    near(y, [b, d, 1], [...whole[0].narrow(2, 3, 1).dataSync()]);
  });

  it('of no steps gives nothing, and the state as it was: zeros without one', () => {
    const none = [f64([b, d, 0], []), f64([b, d, 0], []), f64([d, n], data[2]!)] as const;
    const rows = f64([b, 0, n], []);
    const [y, zeros] = selectiveScanWithState(...none, rows, rows);
    near(y, [b, d, 0], []);
    near(zeros, [b, d, n], new Array<number>(b * d * n).fill(0));
    const state = f64(shapes[5], data[5]!);
    near(selectiveScanWithState(...none, rows, rows, { state })[1], [b, d, n], data[5]!);
  });
});
