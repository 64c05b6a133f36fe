/** The laws that hold for every op on every backend, each as a function that throws. */
import { apply, decompose } from '../apply';
import type { OpAttrs, OpName } from '../attrs';
import type { Backend } from '../backend';
import { capture } from '../capture';
import { type Aval, type FloatDType, isFloat, showAval, type TypedArray } from '../dtype';
import type { Op } from '../op';
import { setBackend } from '../runtime';
import { scope } from '../scope';
import type { Tensor } from '../tensor';
import { gradcheck } from './gradcheck';
import type { OpSample } from './samples';
import { toTensor } from './values';

/** `[rtol, atol]`. */
export type Tolerance = readonly [rtol: number, atol: number];

/** Ops that only move, choose or compare values, and so have no rounding. */
const EXACT: ReadonlySet<OpName> = new Set<OpName>([
  ...(['eq', 'ne', 'lt', 'le', 'gt', 'ge', 'and', 'or', 'xor', 'not', 'where'] as const),
  ...(['isNaN', 'isInf', 'isFinite', 'neg', 'abs', 'sign', 'relu'] as const),
  ...(['floor', 'ceil', 'round', 'maximum', 'minimum', 'max', 'min'] as const),
  ...(['argmax', 'argmin', 'argsort', 'cast', 'reshape', 'permute', 'slice', 'pad'] as const),
  ...(['concat', 'broadcastTo', 'flip', 'gather', 'embedding', 'updateSlice'] as const),
  ...(['fill', 'iota', 'randomBits', 'unfold'] as const),
]);

/** Rounding of a few operations on values around 1. */
const ROUNDING: Readonly<Record<FloatDType, Tolerance>> = {
  f32: [2e-5, 1e-5],
  f64: [1e-10, 1e-10],
};

/** How far a kernel of an op may be from the reference in f64: nothing where it only moves or chooses values. */
export function toleranceOf(op: OpName, float: FloatDType): Tolerance {
  return EXACT.has(op) ? [0, 0] : ROUNDING[float];
}

/** One op with one sample in one precision. */
export interface Subject<N extends OpName> {
  /** The op. */
  readonly op: Op<N>;
  /** Its inputs and attributes. */
  readonly sample: OpSample<OpAttrs[N]>;
  /** Dtype of its floating inputs. */
  readonly float: FloatDType;
}

/** What came out of an op. */
export interface Outcome {
  /** Shape and dtype. */
  readonly aval: Aval;
  /** Elements. */
  readonly data: TypedArray;
}

function inputs<N extends OpName>(subject: Subject<N>, backend: Backend): readonly Tensor[] {
  const { sample, float } = subject;
  const ins = sample.ins.map((v) => toTensor(v, backend, float));
  return sample.derive === undefined ? ins : sample.derive(ins);
}

async function read(outs: readonly Tensor[]): Promise<Outcome[]> {
  const results: Outcome[] = [];
  for (const t of outs) {
    results.push({ aval: { shape: t.shape, dtype: t.dtype }, data: await t.data() });
  }
  return results;
}

/** What the op gives, read back; everything is freed. */
export async function outcome<N extends OpName>(
  subject: Subject<N>,
  backend: Backend,
  run: (op: Op<N>, ins: readonly Tensor[], attrs: OpAttrs[N]) => readonly Tensor[] = apply,
): Promise<Outcome[]> {
  setBackend(backend);
  using s = scope();
  const attrs = subject.sample.attrs(subject.float);
  const outs = s.run(() => run(subject.op, inputs(subject, backend), attrs));
  return await read(outs);
}

/** Throws unless |got − want| <= atol + rtol · |want| everywhere; NaN equals NaN. */
export function close(got: Outcome, want: Outcome, [rtol, atol]: Tolerance, what: string): void {
  if (got.data.length !== want.data.length) {
    throw new Error(`${what}: ${got.data.length} values, want ${want.data.length}`);
  }
  for (let i = 0; i < want.data.length; i++) {
    const [g, w] = [got.data[i]!, want.data[i]!];
    if (g === w || (Number.isNaN(g) && Number.isNaN(w))) continue;
    if (Number.isFinite(w) && Math.abs(g - w) <= atol + rtol * Math.abs(w)) continue;
    throw new Error(`${what}: ${showAval(got.aval)}[${i}] is ${g}, want ${w}`);
  }
}

/** The kernel gives what the reference gives in f64. */
export async function kernelIsReference<N extends OpName>(
  subject: Subject<N>,
  backend: Backend,
  reference: Backend,
  tolerance: Tolerance,
): Promise<void> {
  const got = await outcome(subject, backend);
  const want = await outcome({ ...subject, float: 'f64' }, reference);
  got.forEach((g, i) => {
    close(g, want[i]!, tolerance, `output ${i} against the reference`);
  });
}

/** A fused kernel gives what the decomposition gives. */
export async function fusedIsDecomposed<N extends OpName>(
  subject: Subject<N>,
  backend: Backend,
  tolerance: Tolerance,
): Promise<void> {
  if (subject.op.decompose === undefined) return;
  const got = await outcome(subject, backend);
  const want = await outcome(subject, backend, decompose);
  got.forEach((g, i) => {
    close(g, want[i]!, tolerance, `output ${i} against the decomposition`);
  });
}

/** `infer` says what the op makes. */
export async function inferIsActual<N extends OpName>(
  subject: Subject<N>,
  backend: Backend,
): Promise<void> {
  setBackend(backend);
  using s = scope();
  const attrs = subject.sample.attrs(subject.float);
  const ins = s.run(() => inputs(subject, backend));
  const promised = subject.op.infer(ins, attrs).map(showAval);
  const results = await read(s.run(() => apply(subject.op, ins, attrs)));
  const actual = results.map(({ aval, data }) => {
    const size = aval.shape.reduce((n, d) => n * d, 1);
    if (data.length !== size) throw new Error(`${showAval(aval)} reads ${data.length} values`);
    return showAval(aval);
  });
  if (promised.join() !== actual.join()) {
    throw new Error(`infer says ${promised.join()}, the op makes ${actual.join()}`);
  }
}

/** Running the op, and failing to, leaves no buffer behind. */
export async function nothingLeaks<N extends OpName>(
  subject: Subject<N>,
  backend: Backend,
): Promise<void> {
  const before = backend.memory().buffers;
  await outcome(subject, backend);
  const after = backend.memory().buffers;
  if (after !== before) throw new Error(`${before} buffers before, ${after} after`);
}

/** A captured call, recorded and replayed, gives the bits of the eager one. */
export async function replayIsEager<N extends OpName>(
  subject: Subject<N>,
  backend: Backend,
): Promise<void> {
  setBackend(backend);
  const before = backend.memory().buffers;
  {
    using s = scope();
    const attrs = subject.sample.attrs(subject.float);
    const ins = s.run(() => inputs(subject, backend));
    const eager = await read(s.run(() => apply(subject.op, ins, attrs)));
    using captured = capture((...xs: Tensor[]) => [...apply(subject.op, xs, attrs)]);
    for (const what of ['recorded', 'replayed']) {
      const outs = await read(s.run(() => captured.call(...ins)));
      outs.forEach((g, i) => {
        close(g, eager[i]!, [0, 0], `output ${i}, ${what}`);
      });
    }
  }
  const after = backend.memory().buffers;
  if (after !== before) throw new Error(`capture: ${before} buffers before, ${after} after`);
}

/** Gradients are slopes, to second order, in f64; false where the sample has nothing to differentiate. */
export async function gradientIsSlope<N extends OpName>(
  subject: Subject<N>,
  backend: Backend,
  seed: number,
): Promise<boolean> {
  const { op, sample } = subject;
  if (op.vjp === null || !sample.ins.some((v) => v.kind === 'float')) return false;
  setBackend(backend);
  using s = scope();
  const attrs = sample.attrs('f64');
  const ins = s.run(() => inputs({ ...subject, float: 'f64' }, backend));
  if (!op.infer(ins, attrs).some((aval) => isFloat(aval.dtype))) return false;
  await gradcheck((...xs) => apply(op, xs, attrs), ins, { order: 2, seed });
  // gradient rules have a shorter way where only the first output is used
  if (op.infer(ins, attrs).length > 1) {
    await gradcheck((...xs) => apply(op, xs, attrs)[0]!, ins, { order: 2, seed });
  }
  return true;
}
