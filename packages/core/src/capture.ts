/** Record a function once, replay it without shape checks, allocation of intermediates or a tape. */
import { register } from './apply';
import { type Aval, showAval } from './dtype';
import { CaptureError } from './errors';
import { Executor } from './executor';
import { openTapes } from './tape';
import type { Program } from './program';
import { frame, getBackend, withFrame } from './runtime';
import { scope, tensorsIn } from './scope';
import { Tensor } from './tensor';
import { Trace } from './trace';

/** Something whose tensor a captured function may replace: a parameter, an optimiser moment, a cache. */
export interface State {
  /** The current tensor. */
  value: Tensor;
}

/** Options of `capture`. */
export interface CaptureOptions {
  /**
   * Holders that fn reads and may assign to. Each call reads their tensors, and writes what fn assigned; their old
   * tensors are given away, so updates happen in place.
   */
  readonly state?: readonly State[];
}

interface Compiled {
  /** Of the inputs, state first. */
  readonly avals: readonly Aval[];
  readonly program: Program;
  readonly executor: Executor;
  /** States that fn assigned to, with the output that is their new tensor. */
  readonly updated: readonly (readonly [state: number, output: number])[];
  /** Builds fn's own result around new tensors. */
  readonly build: Build;
}

/** Makes a result; `output` gives the tensor of an output index. */
type Build = (output: (index: number) => Tensor) => unknown;

function fits(tensors: readonly Tensor[], avals: readonly Aval[]): boolean {
  if (tensors.length !== avals.length) return false;
  for (let i = 0; i < avals.length; i++) {
    const { shape, dtype } = tensors[i]!;
    const aval = avals[i]!;
    if (dtype !== aval.dtype) return false;
    if (shape === aval.shape) continue;
    if (shape.length !== aval.shape.length) return false;
    for (let d = 0; d < shape.length; d++) if (shape[d] !== aval.shape[d]) return false;
  }
  return true;
}

/** How to build a result like `value`; `add` takes a tensor of it as an output. */
function buildOf(value: unknown, add: (t: Tensor) => number): Build {
  if (value instanceof Tensor) {
    const index = add(value);
    return (output) => output(index);
  }
  if (Array.isArray(value)) {
    const parts = value.map((v) => buildOf(v, add));
    return (output) => parts.map((part) => part(output));
  }
  if (
    typeof value === 'object' &&
    value !== null &&
    Object.getPrototypeOf(value) === Object.prototype
  ) {
    const parts = Object.entries(value).map(([name, v]) => [name, buildOf(v, add)] as const);
    return (output) => {
      const result: Record<string, unknown> = {};
      for (const [name, part] of parts) result[name] = part(output);
      return result;
    };
  }
  return () => value;
}

/** A captured function: one program for each combination of input shapes and dtypes. */
export class Captured<T> {
  private readonly fn: (...xs: Tensor[]) => T;
  private readonly state: readonly State[];
  private readonly programs = new Map<string, Compiled>();
  private latest: Compiled | null = null;

  /** @internal */
  constructor(fn: (...xs: Tensor[]) => T, options: CaptureOptions) {
    this.fn = fn;
    this.state = options.state ?? [];
  }

  /** The program of the latest call. @throws CaptureError before the first */
  get program(): Program {
    return this.current().program;
  }

  /** Elements of the planned buffers, and what they would be without sharing. @throws CaptureError before the first call */
  get buffers(): {
    /** Elements of the buffers that the program uses. */
    readonly planned: number;
    /** Elements of all intermediate values. */
    readonly unshared: number;
  } {
    const { slots, outputs, unshared } = this.current().executor.plan;
    return { planned: [...slots, ...outputs].reduce((n, s) => n + s.size, 0), unshared };
  }

  private current(): Compiled {
    if (this.latest === null) throw new CaptureError('there is no program before the first call');
    return this.latest;
  }

  /**
   * Replays the program for these inputs, recording it first when their shapes are new.
   * @throws CaptureError when an input needs a gradient (but in `noGrad`), or when fn reads a value
   */
  call(...inputs: readonly Tensor[]): T {
    const { state } = this;
    const { trace, watch } = frame();
    // op by op while an anomaly is looked for
    if (trace !== null || (watch !== null && state.length === 0)) return this.fn(...inputs);
    const all: Tensor[] = [];
    for (const s of state) all.push(s.value);
    for (const t of inputs) all.push(t);
    for (const t of all) t.assertLive('capture');
    const { recording, reads } = frame();
    if ((recording || reads !== null) && openTapes(all).length > 0) {
      throw new CaptureError(
        'an input needs a gradient: call valueAndGrad inside the captured function',
      );
    }
    const compiled = this.compiledFor(all);
    this.latest = compiled;
    const outputs = compiled.executor.run(all);
    const used = outputs.map(() => false);
    for (const [i, o] of compiled.updated) {
      used[o] = true;
      const s = state[i]!;
      const old = s.value;
      s.value = outputs[o]!;
      old.dispose();
    }
    return compiled.build((o) => {
      const t = used[o] ? outputs[o]!.alias() : outputs[o]!;
      used[o] = true;
      return register(t);
    }) as T;
  }

  private compiledFor(all: readonly Tensor[]): Compiled {
    // most calls are like the one before
    if (this.latest !== null && fits(all, this.latest.avals)) return this.latest;
    const signature = all.map(showAval).join();
    let compiled = this.programs.get(signature);
    if (compiled === undefined) {
      compiled = this.record(all);
      this.programs.set(signature, compiled);
    }
    return compiled;
  }

  private record(all: readonly Tensor[]): Compiled {
    const backend = all[0]?.backend ?? getBackend();
    const trace = new Trace(backend);
    const placeholders = all.map((t) => trace.input(t));
    const before = this.state.map((s) => s.value);
    const stand = placeholders.slice(0, this.state.length);
    const s = scope();
    try {
      this.state.forEach((holder, i) => {
        holder.value = stand[i]!;
      });
      const result = s.run(() =>
        withFrame({ trace }, () => this.fn(...placeholders.slice(this.state.length))),
      );
      const outputs: Tensor[] = [];
      const updated = this.state.flatMap((holder, i) =>
        holder.value === stand[i] ? [] : [[i, outputs.push(holder.value) - 1] as const],
      );
      for (const t of tensorsIn(result)) t.assertLive('capture');
      const build = buildOf(result, (t) => outputs.push(t) - 1);
      const program = trace.finish(outputs);
      const donated = new Set(updated.map(([i]) => i));
      const avals = all.map(({ shape, dtype }) => ({ shape, dtype }));
      const executor = new Executor(program, backend, donated);
      return { avals, program, executor, updated, build };
    } catch (error) {
      trace.abandon();
      throw error;
    } finally {
      this.state.forEach((holder, i) => {
        holder.value = before[i]!;
      });
      s.dispose();
    }
  }

  /** Frees planned buffers until the next call, which computes the same; the recordings stay. */
  rest(): void {
    for (const c of this.programs.values()) c.executor.rest();
  }

  /** Frees planned buffers and constants. */
  dispose(): void {
    for (const c of this.programs.values()) c.executor.dispose();
    this.programs.clear();
    this.latest = null;
  }

  /** As `dispose`, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}

/**
 * Captures a function of tensors: the first call with given shapes records it, later calls replay the recording with
 * planned buffers. fn must be pure but for `state`: it runs once, so values it reads from elsewhere are frozen in.
 */
export function capture<T>(fn: (...xs: Tensor[]) => T, options: CaptureOptions = {}): Captured<T> {
  return new Captured(fn, options);
}
