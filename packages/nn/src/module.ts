/**
 * Parameters and modules. A module's fields are `Param`s, `Module`s or arrays of them; the path of the fields is the
 * state-dict key, so fields of layers that Hugging Face's Llama has carry its names (`q_proj`, `embed_tokens`, …).
 */
import { type DType, type Shape, sameShape, type Tensor } from '@loretta-ts/core';
import { StateDictError } from './errors';
import { fromHost, type HostTensor } from './host';

/**
 * A tensor of a module that training changes. The tensor is immutable; training puts a new one in its place with
 * `assign`.
 */
export class Param {
  /** Shape, fixed for life. */
  readonly shape: Shape;
  /** Element type, fixed for life. */
  readonly dtype: DType;
  /** Whether weight decay applies to it: by rule to parameters of rank 2 or more. */
  readonly decay: boolean;
  /** Whether optimisers and gradients see it. One that is not is saved and loaded all the same: a running average. */
  readonly trainable: boolean;
  /** The current value. A leaf for `valueAndGrad` and state for `capture`. */
  value: Tensor;

  /** Takes `value` over: it leaves its scope and lives until `dispose` or `assign`. */
  constructor(value: Tensor, decay: boolean = value.rank >= 2, trainable = true) {
    this.value = value.keep();
    this.shape = value.shape;
    this.dtype = value.dtype;
    this.decay = decay;
    this.trainable = trainable;
  }

  /**
   * Puts `next` in the place of the value and disposes of the old one.
   * @throws StateDictError when the shape or dtype differs
   */
  assign(next: Tensor): void {
    if (!sameShape(next.shape, this.shape) || next.dtype !== this.dtype) {
      throw new StateDictError(
        `a parameter of ${this.dtype}[${this.shape.join(',')}] cannot become ${next.dtype}[${next.shape.join(',')}]`,
        [],
        [],
        [],
      );
    }
    const old = this.value;
    if (old === next) return;
    this.value = next.keep();
    old.dispose();
  }

  /** Frees the value. */
  dispose(): void {
    this.value.dispose();
  }

  /** As `dispose`, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** Base of everything with parameters. */
export abstract class Module {
  /** Trainable parameters with their paths, in the order of the fields; one that is shared comes once. */
  namedParameters(): [string, Param][] {
    return this.namedState().filter(([, param]) => param.trainable);
  }

  /** All that is saved: the trainable parameters and those that are not, in the order of the fields. */
  namedState(): [string, Param][] {
    const found: [string, Param][] = [];
    const seen = new Set<Param>();
    collect(this, '', (path, param) => {
      if (seen.has(param)) return;
      seen.add(param);
      found.push([path, param]);
    });
    return found;
  }

  /** Trainable parameters in the order of the fields; one that is shared comes once. */
  parameters(): Param[] {
    return this.namedParameters().map(([, param]) => param);
  }

  /** Number of trainable numbers. */
  get parameterCount(): number {
    return this.parameters().reduce((n, p) => n + p.value.size, 0);
  }

  /** The live values by path, not copies: they change places when training goes on. */
  stateDict(): Map<string, Tensor> {
    return new Map(this.namedState().map(([path, param]) => [path, param.value]));
  }

  /**
   * Copies values in, cast to each parameter's dtype. Everything is checked before anything changes.
   * @param options.strict names on one side only are errors; default true
   * @throws StateDictError that lists missing, unexpected and misshapen names
   */
  loadStateDict(
    state: ReadonlyMap<string, Tensor | HostTensor>,
    options: { readonly strict?: boolean } = {},
  ): void {
    const params = new Map(this.namedState());
    const missing = [...params.keys()].filter((name) => !state.has(name));
    const unexpected = [...state.keys()].filter((name) => !params.has(name));
    const misshapen = [...params].filter(([name, p]) => {
      const source = state.get(name);
      return source !== undefined && !sameShape(source.shape, p.shape);
    });
    const strict = options.strict ?? true;
    const problems = [
      ...(strict && missing.length > 0 ? [`missing ${list(missing)}`] : []),
      ...(strict && unexpected.length > 0 ? [`unexpected ${list(unexpected)}`] : []),
      ...misshapen.map(
        ([name, p]) =>
          `${name} is [${state.get(name)!.shape.join(',')}], not [${p.shape.join(',')}]`,
      ),
    ];
    if (problems.length > 0) {
      throw new StateDictError(
        `${problems.join('; ')}: was it saved from a model of another configuration?`,
        missing,
        unexpected,
        misshapen.map(([name]) => name),
      );
    }
    for (const [name, param] of params) {
      const source = state.get(name);
      if (source !== undefined) param.assign(valueFor(source, param.dtype));
    }
  }

  /** Frees every parameter. */
  dispose(): void {
    for (const [, p] of this.namedState()) p.dispose();
  }

  /** As `dispose`, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}

function valueFor(source: Tensor | HostTensor, dtype: DType): Tensor {
  if ('data' in source && typeof source.data !== 'function')
    return fromHost(source as HostTensor, { dtype });
  const t = source as Tensor;
  return t.dtype === dtype ? t.reshape(...t.shape) : t.cast(dtype);
}

function collect(value: unknown, path: string, visit: (path: string, param: Param) => void): void {
  if (value instanceof Param) visit(path, value);
  else if (value instanceof Module) {
    for (const [name, field] of Object.entries(value)) {
      collect(field, path === '' ? name : `${path}.${name}`, visit);
    }
  } else if (Array.isArray(value)) {
    for (const [i, v] of value.entries()) collect(v, `${path}.${i}`, visit);
  }
}

function list(names: readonly string[]): string {
  return names.length <= 5
    ? names.join(', ')
    : `${names.slice(0, 5).join(', ')} and ${names.length - 5} more`;
}
