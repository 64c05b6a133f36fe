/** Chains of elementwise steps, run block by block: what one step writes is in the cache when the next reads it. */
import type { Buffer, Kernel, View } from './backend';

/** A view of a program's variable, rebound from run to run. */
export interface MovingView extends View {
  buffer: Buffer;
  offset: number;
  shape: View['shape'];
  size: number;
  /** Views of different memory never overlap. */
  readonly memory: string;
}

/** A kernel with its operands. */
export interface Step {
  readonly kernel: Kernel<'add'>;
  readonly ins: readonly MovingView[];
  readonly outs: readonly MovingView[];
  readonly attrs: object;
  /** The op works element by element. */
  readonly elementwise: boolean;
}

/** The steps, with runs of two or more elementwise ones of a size above `block` elements made one step each. */
export function chained(steps: readonly Step[], block: number): readonly Step[] {
  const out: Step[] = [];
  let chain: Step[] = [];
  const close = (): void => {
    if (chain.length > 1) out.push(asOne(chain, block));
    else out.push(...chain);
    chain = [];
  };
  for (const step of steps) {
    if (!divides(step, block)) {
      close();
      out.push(step);
      continue;
    }
    if (!follows(step, chain)) close();
    chain.push(step);
  }
  close();
  return out;
}

/** Whether a block of the result needs the same block of each input, or its only element. */
function divides({ elementwise, ins, outs }: Step, block: number): boolean {
  const { size } = outs[0]!;
  return elementwise && size > block && ins.every((v) => v.size === size || v.size === 1);
}

/**
 * Whether a step may run between the blocks of the chain. Its result may lie where inputs of the chain were that nobody
 * reads any more: those of its size were read up to the same block, a single element would be read again.
 */
function follows({ outs }: Step, chain: readonly Step[]): boolean {
  const { size, memory, offset } = outs[0]!;
  return chain.every(
    ({ ins, outs: [before] }) =>
      before!.size === size &&
      ins.every((v) => v.memory !== memory || (v.size === size && v.offset >= offset)),
  );
}

function asOne(chain: readonly Step[], block: number): Step {
  const { size } = chain[0]!.outs[0]!;
  const views = chain.flatMap(({ ins, outs }) => [...ins, ...outs]);
  const moving = views.filter((v) => v.size === size);
  const shapes = moving.map((v) => v.shape);
  const offsets = moving.map(() => 0);
  const [whole, rest] = [[block], [size % block]];
  const kernel = (): void => {
    for (const [i, v] of moving.entries()) offsets[i] = v.offset;
    try {
      for (let start = 0; start < size; start += block) {
        const shape = start + block <= size ? whole : rest;
        for (const [i, v] of moving.entries()) {
          v.offset = offsets[i]! + start;
          v.shape = shape;
          v.size = shape[0]!;
        }
        for (const { kernel: run, ins, outs, attrs } of chain) run(ins, outs, attrs);
      }
    } finally {
      for (const [i, v] of moving.entries()) {
        v.offset = offsets[i]!;
        v.shape = shapes[i]!;
        v.size = size;
      }
    }
  };
  return { kernel, ins: [], outs: [], attrs: {}, elementwise: false };
}
