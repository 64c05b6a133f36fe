/** Kernel sources: strings (bundlers and coverage tools break functions) over flat arrays and scalar arguments. */

/**
 * A gpu.js kernel for all sizes. Arguments come in this order: arrays, integers, floats. One run gives
 * element `this.thread.x` of a flat output.
 */
export interface KernelSource {
  /** Unique: the compiled kernel is cached under it. */
  readonly name: string;
  readonly arrays: readonly string[];
  readonly ints: readonly string[];
  readonly floats: readonly string[];
  readonly body: string;
  /** Those of its arrays that hold four numbers in an element and are indexed by row and column (GL modes). */
  readonly packed?: readonly string[];
  /** Its arrays are the host's: an upload. All others take what is on the device. */
  readonly fromHost?: boolean;
}

/** Every size that indexes is below this: index arithmetic runs in f32, which is exact up to here. */
export const maxElements: number = 2 ** 24;

/** i32 values lie in [-maxInteger, maxInteger]: they are held in f32. */
export const maxInteger: number = 2 ** 24 - 1;

/** Put in the place of an integer that f32 does not hold; too large to be one. */
export const notExact = '3e38';

/** Source text of the function that gpu.js compiles. */
export function functionText({ arrays, ints, floats, body }: KernelSource): string {
  return `function(${[...arrays, ...ints, ...floats].join(', ')}) {\n${body}\n}`;
}

/**
 * `const q = floor(x / d)` and `const r = x - q d`, right even where the device's division is off by a unit. Without
 * branches: lanes of a shader wait for each other in them.
 */
export function divide(q: string, r: string, x: string, d: string): string {
  return `const g_${q} = Math.floor((${x} + 0.5) / ${d});
const h_${q} = ${x} - g_${q} * ${d};
const ${q} = g_${q} + (h_${q} >= ${d} ? 1 : 0) - (h_${q} < 0 ? 1 : 0);
const ${r} = ${x} - ${q} * ${d};
`;
}

/** `[f(0), …, f(count - 1)]`. */
export function times<T>(count: number, f: (i: number) => T): T[] {
  return Array.from({ length: count }, (_, i) => f(i));
}

/** Sizes `n1 … n(rank-1)`: the first axis of a row-major index needs none. */
export function sizeNames(rank: number): string[] {
  return times(rank - 1, (d) => `n${d + 1}`);
}

/** Coordinates `c0 … c(rank-1)` of a row-major index. */
export function coordinates(index: string, rank: number): string {
  if (rank === 1) return `const c0 = ${index};\n`;
  let text = '';
  let rest = index;
  for (let d = rank - 1; d >= 1; d--) {
    const quotient = d === 1 ? 'c0' : `q${d}`;
    text += divide(quotient, `c${d}`, rest, `n${d}`);
    rest = quotient;
  }
  return text;
}

/** Strides `s<operand>_0 …` of one operand. */
export function strideNames(operand: string, rank: number): string[] {
  return times(rank, (d) => `s${operand}_${d}`);
}

/** `c0 * s<operand>_0 + …`. */
export function dotStrides(operand: string, rank: number): string {
  return times(rank, (d) => `c${d} * s${operand}_${d}`).join(' + ');
}

/**
 * `const <out>`: the sum of `term(i)` for i < count, four at a time: shorter chains of roundings, fewer turns of the loop.
 * `count` is the name of an integer argument. The loop names it: gpu.js takes a bound that was calculated
 * from it for a constant, and WebGL 1 has no such loops.
 */
export function sumOver(out: string, count: string, term: (i: string) => string): string {
  const [i, j] = [`i_${out}`, `j_${out}`];
  const parts = [0, 1, 2, 3].map((n) => `${out}${n}`);
  const fours = `fours_${out}`;
  return `${parts.map((p) => `let ${p} = 0.0;\n`).join('')}const ${fours} = Math.floor(${count} / 4);
for (let ${i} = 0; 4 * ${i} + 3 < ${count}; ${i}++) {
${parts.map((p, n) => `  ${p} += ${term(`(4 * ${i} + ${n})`)};\n`).join('')}}
for (let ${j} = 0; ${j} < 3; ${j}++) {
  const r_${out} = 4 * ${fours} + ${j};
  if (r_${out} < ${count}) { ${parts[0]} += ${term(`r_${out}`)}; }
}
const ${out} = (${parts[0]} + ${parts[1]}) + (${parts[2]} + ${parts[3]});
`;
}
