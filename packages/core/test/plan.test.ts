/** Where the variables of a program live: slots, outputs, and what an op takes over. */
import { referenceBackend } from '@loretta-ts/backend-cpu';
import { beforeAll, describe, expect, it } from 'vitest';
import { setBackend, tensor } from '../src';
import { Sketch } from './program-sketch';

beforeAll(() => setBackend(referenceBackend()));
const sizes = (slots: readonly { size: number }[]): number[] => slots.map((s) => s.size);

describe('slots', () => {
  it('go from a value that nobody reads any more to the next', () => {
    const s = new Sketch();
    const x = s.input(4);
    const a = s.op([x], 4);
    const b = s.op([a], 4);
    const c = s.op([b], 4); // a is dead by now
    const { plan, at } = s.plan([s.op([c], 4)]);
    expect([a, b, c].map(at)).toEqual(['slot 0', 'slot 1', 'slot 0']);
    expect(sizes(plan.slots)).toEqual([4, 4]);
    expect(plan.outputs).toEqual([{ dtype: 'f32', size: 4 }]);
    expect(plan.unshared).toBe(16);
  });

  it('are free after the op that last reads them, and not before its result has a place', () => {
    const s = new Sketch();
    const a = s.op([s.input(4)], 4);
    const [b, c] = s.ops([a, a], [4, 4]);
    const d = s.op([b!], 4);
    const { at } = s.plan([s.op([c!, d], 4)]);
    expect([a, b!, c!, d].map(at)).toEqual(['slot 0', 'slot 1', 'slot 2', 'slot 0']);
  });

  it('are free at once when nobody reads one of several results', () => {
    const s = new Sketch();
    const [a, unread] = s.ops([s.input(4)], [4, 4]);
    const b = s.op([a!], 4);
    const { at } = s.plan([s.op([b], 4)]);
    expect([a!, unread!, b].map(at)).toEqual(['slot 0', 'slot 1', 'slot 1']);
  });

  it('are as long-lived as the last view of them, and views need none', () => {
    const s = new Sketch();
    const a = s.op([s.input(4)], 4);
    const half = s.view(s.view(a, 1, 3), 1, 2);
    const b = s.op([s.input(4)], 4);
    const c = s.op([half, b], 2);
    const d = s.op([c], 4);
    const { plan, at } = s.plan([s.op([d], 4)]);
    expect([a, half, b, c, d].map(at)).toEqual([
      'slot 0',
      'slot 0 +2',
      'slot 1',
      'slot 2',
      'slot 0',
    ]);
    expect(sizes(plan.slots)).toEqual([4, 4, 2]);
    // neither view
    expect(plan.unshared).toBe(4 + 4 + 2 + 4 + 4);
  });

  // values of these sizes die together; then one of the wanted size is made
  const cases: readonly (readonly [string, number[], number, string, number[]])[] = [
    ['the smallest that is large enough', [9, 5, 7, 6], 6, 'slot 3', [9, 5, 7, 6]],
    ['whatever their order', [6, 7, 5, 9], 6, 'slot 0', [6, 7, 5, 9]],
    ['a larger one before a smaller one', [5, 9], 6, 'slot 1', [5, 9]],
    ['though a smaller one comes later', [9, 5], 6, 'slot 0', [9, 5]],
    ['the closer of two larger ones', [9, 7, 8], 6, 'slot 1', [9, 7, 8]],
    ['the first of equals', [6, 6], 6, 'slot 0', [6, 6]],
    ['the first of equals that are larger', [8, 8], 6, 'slot 0', [8, 8]],
    ['the first of equals that grow', [3, 3], 6, 'slot 0', [6, 3]],
    ['the largest when none is, which grows', [2, 5, 3], 6, 'slot 1', [2, 6, 3]],
    ['the largest, wherever it is', [5, 2, 3], 6, 'slot 0', [6, 2, 3]],
    ['the largest, at the end too', [2, 3, 5], 6, 'slot 2', [2, 3, 6]],
  ];
  it.each(cases)('are chosen: %s', (_, before, size, place, after) => {
    const s = new Sketch();
    const dead = before.map((n) => s.op([s.input(n)], n));
    const last = s.op(dead, 1);
    const next = s.op([last], size);
    const { plan, at } = s.plan([s.op([next], 1)]);
    expect(at(next)).toBe(place);
    // `last` has one of its own
    expect(sizes(plan.slots)).toEqual([...after, 1]);
  });

  it('hold one dtype', () => {
    const s = new Sketch();
    const a = s.op([s.input(4)], 4);
    const b = s.op([a], 4, 'i32');
    const c = s.op([b], 4, 'i32');
    const d = s.op([c], 4);
    const { plan, at } = s.plan([s.op([d], 4)]);
    expect([a, b, c, d].map(at)).toEqual(['slot 0', 'slot 1', 'slot 2', 'slot 0']);
    expect(plan.slots.map((t) => t.dtype)).toEqual(['f32', 'i32', 'i32']);
  });

  it('hold one size where kernels write whole arrays', () => {
    const chain = (wholeArrays?: boolean): string[] => {
      const s = new Sketch();
      const made = [s.op([s.input(4)], 4)];
      for (const size of [6, 3, 6, 4, 3]) made.push(s.op([made.at(-1)!], size));
      const { at } = s.plan([s.op([made.at(-1)!], 1)], [], wholeArrays);
      return made.map(at);
    };
    expect(chain(true)).toEqual(['slot 0', 'slot 1', 'slot 2', 'slot 1', 'slot 0', 'slot 2']);
    const shared = ['slot 0', 'slot 1', 'slot 0', 'slot 1', 'slot 0', 'slot 1'];
    expect(chain(false)).toEqual(shared);
    expect(chain()).toEqual(shared);
  });
});

describe('what is handed out', () => {
  it('has memory of its own, that of an input, or that of a constant', () => {
    const s = new Sketch();
    const [x, k] = [s.input(4), s.constant(tensor([1, 2, 3]))];
    const a = s.op([x, k], 4);
    const b = s.op([a], 2);
    const outputs = [s.view(a, 1, 2), x, b, s.view(k, 2, 1), k];
    const { plan, at } = s.plan(outputs);
    expect(outputs.map(at)).toEqual([
      'output 0 +1',
      'input 0',
      'output 1',
      'constant 1 +2',
      'constant 1',
    ]);
    expect(sizes(plan.outputs)).toEqual([4, 2]);
    expect(plan.slots).toEqual([]);
  });
});

describe('what does not depend on inputs', () => {
  it('is computed once up to 1024 elements', () => {
    for (const [size, isOnce] of [
      [1024, true],
      [1025, false],
    ] as const) {
      const s = new Sketch();
      const made = s.op([], size);
      const read = s.op([s.input(1), made], 1);
      const { plan } = s.plan([read]);
      expect([...plan.once].map((i) => i.outs[0])).toEqual(isOnce ? [made] : []);
    }
  });

  it('is computed once only when all results of an op are small and stay', () => {
    const onceOf = (other: number, handedOut: boolean): number => {
      const s = new Sketch();
      const [a, b] = s.ops([s.constant(tensor([1]))], [2, other]);
      const read = s.op([s.input(1), a!, b!], 1);
      return s.plan(handedOut ? [read, b!] : [read]).plan.once.size;
    };
    expect(onceOf(3, false)).toBe(1);
    expect(onceOf(2000, false)).toBe(0);
    expect(onceOf(3, true)).toBe(0);
  });

  it('keeps its slot from the first instruction on', () => {
    const s = new Sketch();
    const x = s.input(4);
    const a = s.op([x], 4);
    const b = s.op([a], 4);
    const fixed = s.op([s.op([], 4)], 4); // the inner one stays too
    const c = s.op([b, fixed], 4);
    const { plan, at } = s.plan([s.op([c], 4)]);
    expect([fixed, a, b, c].map(at)).toEqual(['slot 1', 'slot 2', 'slot 3', 'slot 2']);
    expect(plan.once.size).toBe(2);
  });
});

describe('an op takes over', () => {
  it('donated inputs, and slots, output for output', () => {
    const s = new Sketch();
    const [p, g, m] = [s.input(4), s.input(4), s.input(4)];
    const v = s.op([g], 4);
    const [p2, m2, v2] = s.donating([p, g, m, v], [0, 2, 3]);
    const read = s.op([v2!], 4);
    const { plan, at } = s.plan([p2!, m2!, read], [0, 2]);
    expect([p2!, m2!, v2!].map(at)).toEqual(['input 0', 'input 2', 'slot 0']);
    expect(at(read)).toBe('output 0');
    expect([sizes(plan.slots), plan.unshared]).toEqual([[4], 4 * 5]);
  });

  it('nothing that is not donated, or that the op does not take', () => {
    const at = (
      donate: boolean,
      donates: readonly number[] | undefined,
      donated: number[],
    ): string[] => {
      const s = new Sketch();
      const inputs = [s.input(4), s.input(4)];
      const outs = s.ops(inputs, [4, 4], { donate, ...(donates && { donates }) });
      return outs.map(s.plan(outs, donated).at);
    };
    expect(at(true, [0, 1], [0, 1])).toEqual(['input 0', 'input 1']);
    expect(at(true, [1, 0], [0, 1])).toEqual(['input 1', 'input 0']);
    expect(at(true, [0], [0, 1])).toEqual(['input 0', 'output 0']);
    expect(at(true, [0, 1], [1])).toEqual(['output 0', 'input 1']);
    expect(at(false, [0, 1], [0, 1])).toEqual(['output 0', 'output 1']);
    expect(at(true, undefined, [0, 1])).toEqual(['output 0', 'output 1']);
  });

  it('no constant, and nothing that is computed once', () => {
    const s = new Sketch();
    const fixed = s.op([], 1);
    const [a, b] = s.donating([s.constant(tensor([1])), fixed, s.input(1)], [0, 1]);
    const { at } = s.plan([s.op([a!, b!], 1)], [0]);
    expect([fixed, a!, b!].map(at)).toEqual(['slot 0', 'slot 1', 'slot 2']);
  });

  it('whole arrays only: all of it under another shape, but no part', () => {
    const place = (offset: number, size: number): string => {
      const s = new Sketch();
      const [out] = s.donating([s.view(s.input(4), offset, size), s.input(1)], [0]);
      return s.plan([out!], [0]).at(out!);
    };
    expect(place(0, 4)).toBe('input 0');
    expect(place(0, 3)).toBe('output 0');
    expect(place(1, 3)).toBe('output 0');
  });

  it('nothing that is read later, by itself or by a view', () => {
    for (const reads of ['itself', 'a view', 'a result'] as const) {
      const s = new Sketch();
      const x = s.input(4);
      const part = s.view(x, 0, 2);
      const [out] = s.donating([x, s.input(1)], [0]);
      const outputs = [out!];
      if (reads === 'itself') outputs.push(s.op([x], 1));
      else outputs.push(reads === 'a view' ? s.op([part], 1) : part);
      expect(s.plan(outputs, [0]).at(out!)).toBe('output 0');
    }
  });

  it('nothing that it reads by another name too', () => {
    const s = new Sketch();
    const x = s.op([s.input(4)], 4);
    const [out] = s.donating([x, s.view(x, 0, 2)], [0]);
    const [a, b] = s.donating([out!, out!], [0, 1]);
    const { at } = s.plan([s.op([a!, b!], 4)]);
    expect([x, out!, a!, b!].map(at)).toEqual(['slot 0', 'slot 1', 'slot 0', 'slot 2']);
  });

  it('no slot for a result: that would be written by the next run', () => {
    const s = new Sketch();
    const x = s.op([s.input(4)], 4);
    const [out] = s.donating([x], [0]);
    const { at } = s.plan([s.view(out!, 1, 2)]);
    expect([x, out!].map(at)).toEqual(['slot 0', 'output 0']);
  });

  it('a slot for as long as the new value is read, one after the other', () => {
    const s = new Sketch();
    const x = s.op([s.input(4)], 4);
    const [once] = s.donating([x], [0]);
    const [twice] = s.donating([once!], [0]);
    const other = s.op([s.input(4)], 4);
    const sum = s.op([twice!, other], 4);
    const next = s.op([sum], 4);
    const { at } = s.plan([s.op([next], 4)]);
    expect([x, once!, twice!, other, sum, next].map(at)).toEqual([
      ...['slot 0', 'slot 0', 'slot 0', 'slot 1', 'slot 2', 'slot 0'],
    ]);
  });

  it('and gives its slot on when nobody reads what it wrote', () => {
    const s = new Sketch();
    const [x, y] = [s.op([s.input(4)], 4), s.op([s.input(4)], 4)];
    const [a, unread] = s.donating([x, y], [0, 1]);
    const b = s.op([a!], 4);
    const { at } = s.plan([s.op([b], 4)]);
    expect([a!, unread!, b].map(at)).toEqual(['slot 0', 'slot 1', 'slot 1']);
  });
});
