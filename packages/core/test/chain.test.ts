/** Steps joined into chains: which may be, and what each kernel sees. */
import { describe, expect, it } from 'vitest';
import type { Buffer, View } from '../src/backend';
import { chained, type MovingView, type Step } from '../src/chain';

const block = 4;
const view = (memory: string, size: number, offset = 0): MovingView => ({
  ...{ buffer: { bytes: 4 * size } as Buffer, offset, shape: [size], dtype: 'f32', size, memory },
});

/** A step that writes down what it was run on. */
function step(log: string[], ins: MovingView[], out: MovingView, elementwise = true): Step {
  const show = (v: View): string => `${(v as MovingView).memory}@${v.offset}[${v.shape.join()}]`;
  return {
    kernel: ([...from], [to]) => {
      expect([...from, to!].map((v) => v.size)).toEqual([...from, to!].map((v) => v.shape[0]));
      log.push(`${from.map(show).join(' ')} > ${show(to!)}`);
    },
    ...{ ins, outs: [out], attrs: {}, elementwise },
  };
}
function run(steps: readonly Step[]): void {
  for (const { kernel, ins, outs, attrs } of steps) kernel(ins, outs, attrs as never);
}
/** How many steps there are after joining `first` and `second`. */
const after = (first: [MovingView[], MovingView], second: [MovingView[], MovingView]): number => {
  const log: string[] = [];
  return chained([step(log, ...first), step(log, ...second)], block).length;
};
const [x, a, b] = [view('x', 8), view('a', 8), view('b', 8)];

describe('a chain', () => {
  it('runs its steps on a block each, the last as short as it must be', () => {
    for (const [size, rest] of [
      [8, []],
      [9, ['x@9[1] one@3[1] > a@8[1]', 'a@8[1] > b@18[1]']],
    ] as const) {
      const log: string[] = [];
      const [from, mid, to] = [view('x', size, 1), view('a', size), view('b', size, 10)];
      const steps = [step(log, [from, view('one', 1, 3)], mid), step(log, [mid], to)];
      const joined = chained(steps, block);
      expect(joined).toHaveLength(1);
      expect(joined[0]).toMatchObject({ ins: [], outs: [], attrs: {}, elementwise: false });
      run(joined);
      const once = [
        ...['x@1[4] one@3[1] > a@0[4]', 'a@0[4] > b@10[4]'],
        ...['x@5[4] one@3[1] > a@4[4]', 'a@4[4] > b@14[4]'],
        ...rest,
      ];
      expect(log).toEqual(once);
      // rebound, as from run to run
      from.offset = 21;
      run(joined);
      expect(log.slice(once.length)).toEqual(
        once.map((line) => line.replace(/x@(\d+)/, (_, n) => `x@${Number(n) + 20}`)),
      );
    }
  });

  it('leaves the views of its steps as they were, whatever its kernels throw', () => {
    const views = [view('x', 9, 1), view('a', 9), view('b', 9, 10), view('one', 1, 3)];
    const before = structuredClone(views);
    const [from, mid, to, one] = views as [MovingView, MovingView, MovingView, MovingView];
    const failing = { ...step([], [mid], to) };
    let left = 2;
    const kernel: Step['kernel'] = () => {
      if (left-- === 0) throw new RangeError('no');
    };
    const joined = chained([step([], [from, one], mid), { ...failing, kernel }], block);
    expect(() => run(joined)).toThrow(RangeError);
    expect(views).toEqual(before);
    left = 100;
    run(joined);
    expect(views).toEqual(before);
  });

  it('is made of elementwise steps on more than a block, and of two at least', () => {
    const steps = (size: number, elementwise: boolean): Step[] => {
      const [s, t] = [view('s', size), view('t', size)];
      return [step([], [view('x', size)], s), step([], [s], t, elementwise)];
    };
    expect(chained(steps(5, true), block)).toHaveLength(1);
    for (const apart of [steps(4, true), steps(5, false)])
      expect(chained(apart, block)).toEqual(apart);
    const [lone] = steps(5, true);
    expect(chained([lone!], block)).toEqual([lone]);
  });

  it('takes inputs of its size or of one element, each of them', () => {
    const [short, one] = [view('s', 2), view('one', 1)];
    expect(after([[x], a], [[a, one], b])).toBe(1);
    expect(after([[x], a], [[a, short], b])).toBe(2);
    expect(after([[x], a], [[short, a], b])).toBe(2);
    expect(after([[short], a], [[a], b])).toBe(2);
    expect(after([[], a], [[a], b])).toBe(1);
  });

  it('is of one size, and the next begins where another size does', () => {
    const [long, longer] = [view('l', 9), view('m', 9)];
    expect(after([[x], a], [[view('one', 1)], long])).toBe(2);
    const log: string[] = [];
    const steps = [
      ...[step(log, [x], a), step(log, [a], b)],
      ...[step(log, [view('y', 9)], long), step(log, [long], longer)],
    ];
    const joined = chained(steps, block);
    expect(joined).toHaveLength(2);
    run(joined);
    const starts = log.map((line) => line.slice(0, 3));
    expect(starts).toEqual(
      [...'xaxaylylyl'].map((name, i) => `${name}@${i < 4 ? (i >> 1) * 4 : ((i - 4) >> 1) * 4}`),
    );
  });

  it('writes over what it has read only where every block was read before', () => {
    // the memory of x again: where it was, before it, after it
    expect(after([[view('x', 8, 2)], a], [[a], view('x', 8, 2)])).toBe(1);
    expect(after([[view('x', 8, 2)], a], [[a], view('x', 8, 1)])).toBe(1);
    expect(after([[view('x', 8, 2)], a], [[a], view('x', 8, 3)])).toBe(2);
    // a single element is read by every block
    expect(after([[x, view('y', 1, 9)], a], [[a], view('y', 8, 1)])).toBe(2);
    // whichever operand it is
    expect(after([[view('y', 8), x], a], [[a], view('y', 8, 1)])).toBe(2);
  });
});
