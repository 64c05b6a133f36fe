/**
 * Tensor: an immutable handle on contiguous row-major memory. Methods that compute are thin and live in
 * `methods.ts`; this file holds identity, memory and read-back.
 */
import type { Backend, View } from './backend';
import { type DType, type Shape, showAval, sizeOf, type TypedArray } from './dtype';
import { BackendError, CaptureError, DisposedError } from './errors';
import type { TensorMethods } from './methods';
import { frame } from './runtime';
import { nest, type NestedNumbers, printTensor } from './print';
import type { Scope } from './scope';
import type { Storage } from './storage';
import type { Tape } from './tape';

/** The identity of a value: shared by a handle and the aliases that a tape keeps of it. */
export class ValueRef {
  /** Open tapes that watch this value or something it was made from. */
  tapes: readonly Tape[];
  constructor(tapes: readonly Tape[]) {
    this.tapes = tapes;
  }
}

const NO_TAPES = Object.freeze([]) as readonly never[];

// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: the methods are installed by methods.ts
export class Tensor {
  /** Row-major sizes; `[]` is a scalar. */
  readonly shape: Shape;
  /** Element type. */
  readonly dtype: DType;
  /** Number of elements. */
  readonly size: number;
  /** @internal */
  readonly storage: Storage;
  /** @internal Elements into the storage. */
  readonly offset: number;
  /** @internal */
  readonly ref: ValueRef;
  /** @internal */
  scope: Scope | null = null;
  private live = true;

  /** @internal Takes over one reference of `storage`. */
  constructor(
    shape: Shape,
    storage: Storage,
    offset: number,
    ref: ValueRef = new ValueRef(NO_TAPES),
  ) {
    this.shape = shape;
    this.dtype = storage.dtype;
    this.size = sizeOf(shape);
    this.storage = storage;
    this.offset = offset;
    this.ref = ref;
  }

  /** Number of axes. */
  get rank(): number {
    return this.shape.length;
  }

  /** Where the values live. */
  get backend(): Backend {
    return this.storage.backend;
  }

  /** Whether the memory was given back. */
  get disposed(): boolean {
    return !this.live;
  }

  /** Gives the memory back once nothing else shares it. Calling it twice does nothing. */
  dispose(): void {
    if (!this.live) return;
    this.live = false;
    this.scope?.forget(this);
    this.scope = null;
    this.storage.release();
  }

  /** As `dispose`, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  /** Takes the tensor out of its scope: it lives until `dispose`. */
  keep(): this {
    this.scope?.forget(this);
    this.scope = null;
    frame().kept?.add(this);
    return this;
  }

  /** @internal @throws DisposedError */
  assertLive(op: string): void {
    if (!this.live) {
      throw new DisposedError(
        op,
        `the tensor ${showAval(this)} was disposed: keep() it, or return it from its scope`,
      );
    }
  }

  /** @internal A second handle on the same value: same identity, own lifetime. */
  alias(): Tensor {
    this.storage.retain();
    return new Tensor(this.shape, this.storage, this.offset, this.ref);
  }

  /** @internal The same memory under an identity of its own, in the running scope. */
  again(shape: Shape = this.shape, offset: number = this.offset): Tensor {
    this.storage.retain();
    const own = new Tensor(shape, this.storage, offset);
    frame().scope?.adopt(own);
    return own;
  }

  /** @internal What kernels see. @throws CaptureError for a tensor of a capture in progress */
  view(): View {
    const { buffer } = this.storage;
    if (buffer === null) throw new CaptureError(`${showAval(this)} has no value while capturing`);
    return { buffer, offset: this.offset, shape: this.shape, dtype: this.dtype, size: this.size };
  }

  /**
   * A copy of the values on the host.
   * @throws DisposedError after `dispose`; CaptureError inside `capture`
   */
  async data(): Promise<TypedArray> {
    this.assertReadable('data');
    const { buffer, offset, dtype, size } = this.view();
    return await this.backend.read(buffer, dtype, offset, size);
  }

  /** As `data`, at once. @throws BackendError where the backend reads asynchronously only */
  dataSync(): TypedArray {
    this.assertReadable('dataSync');
    const { backend } = this;
    if (backend.readSync === undefined) {
      throw new BackendError(
        backend.name,
        'dataSync: this backend reads asynchronously: await data()',
      );
    }
    const { buffer, offset, dtype, size } = this.view();
    return backend.readSync(buffer, dtype, offset, size);
  }

  /** The value of a tensor with one element. @throws DisposedError, TypeError for another size */
  async item(): Promise<number> {
    this.assertOne('item');
    return (await this.data())[0]!;
  }

  /** As `item`, at once. */
  itemSync(): number {
    this.assertOne('itemSync');
    return this.dataSync()[0]!;
  }

  /**
   * Values as nested arrays, a number for a scalar; bools as 0 and 1.
   * @throws DisposedError after `dispose`; CaptureError inside `capture`
   */
  async toArray(): Promise<NestedNumbers> {
    this.assertReadable('toArray');
    return nest(await this.data(), this.shape);
  }

  /** As `toArray`, at once. @throws BackendError where the backend reads asynchronously only */
  toArraySync(): NestedNumbers {
    this.assertReadable('toArraySync');
    return nest(this.dataSync(), this.shape);
  }

  /**
   * The values as NumPy prints them, `tensor([[1., 2.],\n        [3., 4.]], f32)`; dtype, shape and the reason where they
   * cannot be read at once: `f32[2,2] (disposed)`. A device that is lost is such a
   * reason too.
   */
  toString(): string {
    const { shape, dtype, backend, offset } = this;
    const without = (reason: string): string => `${showAval(this)} (${reason})`;
    if (!this.live) return without('disposed');
    const { buffer } = this.storage;
    if (buffer === null) return without('no value while capturing');
    if (backend.readSync === undefined) {
      return without(`${backend.name} reads asynchronously: await toArray()`);
    }
    try {
      return printTensor(dtype, shape, (start, size) =>
        backend.readSync!(buffer, dtype, offset + start, size),
      );
    } catch (error) {
      // a lost device must not break a log line
      if (error instanceof BackendError) return without(error.message);
      throw error;
    }
  }

  private assertReadable(op: string): void {
    this.assertLive(op);
    if (this.storage.trace !== null) {
      throw new CaptureError(
        `${op}: ${showAval(this)} has no value while capturing: return it and read it after the call`,
      );
    }
  }

  private assertOne(op: string): void {
    if (this.size !== 1) {
      throw new TypeError(`${op}: ${showAval(this)} has ${this.size} elements: use data()`);
    }
  }
}

export interface Tensor extends TensorMethods {}

/** What Node's `console.log` and `util.inspect` call; below their depth the shape is enough. */
function inspect(this: Tensor, depth: number): string {
  return depth < 0 ? `[Tensor ${showAval(this)}]` : this.toString();
}

Object.defineProperty(Tensor.prototype, Symbol.for('nodejs.util.inspect.custom'), {
  value: inspect,
});
