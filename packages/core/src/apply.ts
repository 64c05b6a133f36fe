/** The one dispatch: check, run or trace, record. */
import type { CoreName, FusedName, OpAttrs, OpName } from './attrs';
import type { Backend, Buffer, Kernel } from './backend';
import { type Aval, bytesPerElement, showAval, sizeOf } from './dtype';
import { BackendError, CaptureError, DTypeError, ShapeError } from './errors';
import type { Op } from './op';
import { frame, getBackend, withFrame } from './runtime';
import { tidy } from './scope';
import { Storage } from './storage';
import { openTapes, ruleOf } from './tape';
import { Tensor } from './tensor';

/** Most elements of a tensor. */
const MAX_ELEMENTS = 2 ** 31 - 1;

/** Memory for an array. @throws BackendError that names the op and the array when there is none */
export function room(backend: Backend, aval: Aval, op: string): Buffer {
  const size = sizeOf(aval.shape);
  try {
    return backend.alloc(size, aval.dtype);
  } catch (error) {
    if (!(error instanceof BackendError)) throw error;
    const detail = error.message.replace(`${error.backend}: alloc: `, '');
    throw new BackendError(error.backend, `${op}: ${showAval(aval)}: ${detail}`, {
      op,
      shape: aval.shape,
      bytes: size * bytesPerElement[aval.dtype],
    });
  }
}

/** A tensor on fresh memory, registered with the running scope. @throws BackendError, see `room` */
export function allocate(backend: Backend, aval: Aval, op = 'tensor'): Tensor {
  if (!backend.dtypes.includes(aval.dtype)) {
    throw new DTypeError(
      'alloc',
      `${backend.name} has no ${aval.dtype}: cast, or use another backend`,
      [aval.dtype],
    );
  }
  const size = sizeOf(aval.shape);
  const storage = new Storage(backend, aval.dtype, size, room(backend, aval, op), null);
  return register(new Tensor(aval.shape, storage, 0));
}

/** Registers a handle with the running scope. */
export function register(t: Tensor): Tensor {
  frame().scope?.adopt(t);
  return t;
}

/**
 * Runs an op and records it on every open tape that watches an input.
 *
 * `donate` gives the inputs that the op lists in `donates` away: their memory may become the output's, and the
 * handles are dead afterwards.
 * @throws ShapeError, DTypeError, ValueError from the op's `infer`; DisposedError; BackendError
 */
export function apply<N extends OpName>(
  op: Op<N>,
  ins: readonly Tensor[],
  attrs: OpAttrs[N],
  donate = false,
): readonly Tensor[] {
  for (const t of ins) t.assertLive(op.name);
  const avals = op.infer(ins, attrs);
  for (const aval of avals) checkSize(op.name, aval);
  const { trace, recording, reads, watch } = frame();
  const tapes = openTapes(ins);
  if (donate && tapes.length > 0) {
    throw new CaptureError(
      `${op.name}: a donated tensor is needed for a gradient: do not donate it`,
    );
  }
  const watched = trace === null ? watch : null;
  const sources = watched?.before(ins) ?? [];
  // a watch tells values apart by their memory: none is used twice
  const outs =
    trace === null
      ? run(op, ins, avals, attrs, donate && watched === null)
      : trace.apply(op, ins, avals, attrs, donate);
  watched?.ran(op.name, sources, outs);
  if (tapes.length > 0 && op.vjp !== null) {
    if (recording) {
      for (const out of outs) out.ref.tapes = tapes;
      const rule = ruleOf(op, op.vjp);
      for (const tape of tapes) tape.record(rule, ins, outs, attrs);
    } else if (reads !== null) {
      for (const t of ins)
        if (openTapes([t]).length > 0 && !reads.has(t.ref)) reads.set(t.ref, t.alias());
    }
  }
  if (donate) for (const i of op.donates ?? []) ins[i]!.dispose();
  return outs;
}

/** @throws ShapeError before anything is allocated: indices are 32-bit integers */
function checkSize(op: string, aval: Aval): void {
  const size = sizeOf(aval.shape);
  if (size <= MAX_ELEMENTS) return;
  throw new ShapeError(
    op,
    `${showAval(aval)} has ${size} elements, more than ${MAX_ELEMENTS}: split it`,
    [aval.shape],
  );
}

/** `apply` for ops with one output. */
export function apply1<N extends OpName>(
  op: Op<N>,
  ins: readonly Tensor[],
  attrs: OpAttrs[N],
): Tensor {
  return apply(op, ins, attrs)[0]!;
}

/** The kernel that runs this op, or null when it has to be decomposed. */
export function kernelFor<N extends OpName>(
  backend: Backend,
  op: Op<N>,
  ins: readonly Aval[],
): Kernel<N> | null {
  const kernels = backend.kernels as Partial<Record<CoreName | FusedName, unknown>>;
  const kernel = kernels[op.name] as Kernel<N> | undefined;
  if (op.decompose !== undefined) {
    const fits = kernel !== undefined && backend.fusedDTypes.includes(ins[0]!.dtype);
    return fits ? kernel : null;
  }
  if (kernel === undefined) {
    throw new BackendError(
      backend.name,
      `${op.name}: this backend has no kernel for it: use another backend`,
    );
  }
  return kernel;
}

function run<N extends OpName>(
  op: Op<N>,
  ins: readonly Tensor[],
  avals: readonly Aval[],
  attrs: OpAttrs[N],
  donate: boolean,
): readonly Tensor[] {
  const backend = commonBackend(op.name, ins);
  const viewOffset = op.viewOffset?.(ins, attrs) ?? null;
  if (viewOffset !== null) {
    const source = ins[0]!;
    return [source.again(avals[0]!.shape, source.offset + viewOffset)];
  }
  const kernel = kernelFor(backend, op, ins);
  if (kernel === null) {
    return tidy(() =>
      withFrame({ recording: false, reads: null, watch: null }, () => decompose(op, ins, attrs)),
    );
  }
  const outs: Tensor[] = [];
  try {
    avals.forEach((aval, o) => {
      const donor = donate ? ins[op.donates?.[o] ?? -1] : undefined;
      outs.push(
        donor !== undefined && ownsAll(donor)
          ? donor.again(aval.shape)
          : allocate(backend, aval, op.name),
      );
    });
    kernel(
      ins.map((t) => t.view()),
      outs.map((t) => t.view()),
      attrs,
    );
  } catch (error) {
    for (const t of outs) t.dispose();
    throw error;
  }
  return outs;
}

/** Runs a fused op as core ops; only its results survive. */
export function decompose<N extends OpName>(
  op: Op<N>,
  ins: readonly Tensor[],
  attrs: OpAttrs[N],
): readonly Tensor[] {
  const outs = op.decompose!(ins, attrs);
  // an output may be an input or a view of one: give it an identity of its own
  return outs.map((t) => t.again());
}

function ownsAll(t: Tensor): boolean {
  return t.storage.refs === 1 && t.offset === 0 && t.size === t.storage.size;
}

function commonBackend(op: string, ins: readonly Tensor[]): Backend {
  const first = ins[0];
  if (first === undefined) return getBackend();
  for (const t of ins) {
    if (t.storage.trace !== null) {
      throw new CaptureError(
        `${op}: ${showAval(t)} belongs to a capture that is over: return it from the captured function`,
      );
    }
    if (t.backend !== first.backend) {
      throw new BackendError(
        first.backend.name,
        `${op}: the inputs live on ${first.backend.name} and ${t.backend.name}: move one with tensor(await t.data())`,
      );
    }
  }
  return first.backend;
}
