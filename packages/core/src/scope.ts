/** Lifetimes as values: a scope owns the tensors made while it runs. */
import { frame, withFrame } from './runtime';
import { Tensor } from './tensor';

/**
 * Owns every tensor created inside `run` until it is disposed. A scope is a value: it may run again after an
 * `await`, and `using` disposes it at the end of the block.
 */
export class Scope {
  private readonly owned = new Set<Tensor>();
  private readonly parent: Scope | null;

  /** @internal */
  constructor(parent: Scope | null) {
    this.parent = parent;
  }

  /** Number of live tensors that the scope owns. */
  get size(): number {
    return this.owned.size;
  }

  /** Runs a synchronous function; what it creates belongs to this scope. @throws TypeError when fn is asynchronous */
  run<T>(fn: () => T): T {
    return withFrame({ scope: this }, fn);
  }

  /** @internal */
  adopt(t: Tensor): void {
    t.scope = this;
    this.owned.add(t);
  }

  /** @internal */
  forget(t: Tensor): void {
    this.owned.delete(t);
  }

  /** Hands the tensors found in `value` (arrays, plain objects, maps) to the scope around this one. */
  release<T>(value: T): T {
    for (const t of tensorsIn(value)) {
      if (t.scope !== this) continue;
      this.owned.delete(t);
      t.scope = null;
      this.parent?.adopt(t);
    }
    return value;
  }

  /** @internal Hands everything to the scope around this one. */
  releaseAll(): void {
    for (const t of this.owned) {
      t.scope = null;
      this.parent?.adopt(t);
    }
    this.owned.clear();
  }

  /** Frees what is still owned. The scope may be used again. */
  dispose(): void {
    for (const t of this.owned) {
      t.scope = null;
      t.dispose();
    }
    this.owned.clear();
  }

  /** As `dispose`, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** A new scope inside the one that is running, if any. */
export function scope(): Scope {
  return new Scope(frame().scope);
}

/** Runs `fn` and frees every tensor it created but those that it returns. @throws TypeError when fn is asynchronous */
export function tidy<T>(fn: () => T): T {
  const s = scope();
  try {
    return s.release(s.run(fn));
  } finally {
    s.dispose();
  }
}

/** Runs `fn`; what it leaves goes to the running scope, or is freed when it throws. */
export function allOrNothing<T>(fn: () => T): T {
  const s = scope();
  try {
    const result = s.run(fn);
    s.releaseAll();
    return result;
  } finally {
    s.dispose();
  }
}

/**
 * Runs `fn`, which makes something that keeps tensors, a model for example. When it throws, on the way to a model that is
 * too large, all of them are freed, kept or not. @throws TypeError when fn is asynchronous
 */
export function construct<T>(fn: () => T): T {
  const outer = frame().kept;
  const kept = new Set<Tensor>();
  try {
    const made = withFrame({ kept }, () => allOrNothing(fn));
    if (outer !== null) for (const t of kept) outer.add(t);
    return made;
  } catch (error) {
    for (const t of kept) t.dispose();
    throw error;
  }
}

/** Takes a tensor out of its scope: it lives until `dispose`. */
export function keep<T extends Tensor>(t: T): T {
  return t.keep();
}

/** Tensors anywhere in arrays, maps and plain objects. */
export function* tensorsIn(value: unknown): Generator<Tensor> {
  if (value instanceof Tensor) {
    yield value;
  } else if (Array.isArray(value)) {
    for (const v of value) yield* tensorsIn(v);
  } else if (value instanceof Map) {
    for (const v of value.values()) yield* tensorsIn(v);
  } else if (typeof value === 'object' && value !== null) {
    const proto: unknown = Object.getPrototypeOf(value);
    if (proto === Object.prototype || proto === null) {
      for (const v of Object.values(value)) yield* tensorsIn(v);
    }
  }
}
