/** A case as an op sees it: inputs by name, attributes as PyTorch names them. */
import type { FloatDType, Tensor } from '@loretta-ts/core';
import { type Attrs, parseNumber } from './format';

export type Outputs = Readonly<Record<string, Tensor>>;

/** Runs one op of a case; a single tensor stands for the only output, whatever its name. */
export type OpCall = (c: Call) => Tensor | Outputs;

export class Call {
  /** Inputs in the order of the case. */
  readonly list: readonly Tensor[];
  readonly dtype: FloatDType;
  private readonly inputs: ReadonlyMap<string, Tensor>;
  private readonly attrs: Attrs;

  constructor(inputs: ReadonlyMap<string, Tensor>, attrs: Attrs, dtype: FloatDType) {
    this.inputs = inputs;
    this.list = [...inputs.values()];
    this.attrs = attrs;
    this.dtype = dtype;
  }

  /** An input that the case must have. */
  t(name: string): Tensor {
    const found = this.inputs.get(name);
    if (found === undefined) throw new Error(`the case has no input ${name}`);
    return found;
  }

  /** An input, or null. */
  maybe(name: string): Tensor | null {
    return this.inputs.get(name) ?? null;
  }

  /** The input of an op with one, whatever its name. */
  get x(): Tensor {
    return this.pick(0);
  }

  get pair(): readonly [Tensor, Tensor] {
    return [this.pick(0), this.pick(1)];
  }

  private pick(i: number): Tensor {
    const found = this.list[i];
    if (found === undefined) throw new Error(`the case has no input ${i}`);
    return found;
  }

  has(name: string): boolean {
    return this.attrs[name] !== undefined && this.attrs[name] !== null;
  }

  num(name: string, otherwise?: number): number {
    return this.has(name) || otherwise === undefined ? parseNumber(this.attrs[name]) : otherwise;
  }

  bool(name: string, otherwise = false): boolean {
    return this.has(name) ? this.attrs[name] === true : otherwise;
  }

  text(name: string, otherwise = ''): string {
    return this.has(name) ? String(this.attrs[name]) : otherwise;
  }

  /** A list of numbers; a single number counts as a list. */
  nums(name: string): number[] {
    return [this.attrs[name]].flat().map(parseNumber);
  }

  /** A number, or one for each of two axes. */
  pairOr(name: string, otherwise: number): number | readonly [number, number] {
    if (!this.has(name)) return otherwise;
    const list = this.nums(name);
    return list.length === 1 ? list[0]! : [list[0]!, list[1]!];
  }

  raw(name: string): unknown {
    return this.attrs[name];
  }

  /** `dim`: null is all. */
  get dims(): number | number[] | null {
    const dim = this.attrs['dim'];
    if (dim === null || dim === undefined) return null;
    return Array.isArray(dim) ? dim.map(parseNumber) : parseNumber(dim);
  }

  get keep(): { readonly keepDims: boolean } {
    return { keepDims: this.bool('keepdim') };
  }
}
