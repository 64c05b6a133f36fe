/** Refcounted device memory behind tensors. */
import type { Backend, Buffer } from './backend';
import type { DType } from './dtype';
import { leakRegistry } from './runtime';
import type { Trace } from './trace';

/** Memory shared by the handles and views that point at it; freed when the last one lets go. */
export class Storage {
  readonly backend: Backend;
  readonly dtype: DType;
  /** Elements. */
  readonly size: number;
  /** Null inside a capture, where nothing has a value. */
  readonly buffer: Buffer | null;
  readonly trace: Trace | null;
  private count = 1;

  constructor(
    backend: Backend,
    dtype: DType,
    size: number,
    buffer: Buffer | null,
    trace: Trace | null,
  ) {
    this.backend = backend;
    this.dtype = dtype;
    this.size = size;
    this.buffer = buffer;
    this.trace = trace;
    if (buffer !== null) {
      leakRegistry()?.register(this, `${backend.name}: ${dtype}[${size}] was never disposed`, this);
    }
  }

  get refs(): number {
    return this.count;
  }

  retain(): void {
    this.count++;
  }

  release(): void {
    this.count--;
    if (this.count !== 0 || this.buffer === null) return;
    leakRegistry()?.unregister(this);
    this.backend.free(this.buffer);
  }
}
