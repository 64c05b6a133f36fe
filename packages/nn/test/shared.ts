/** Golden values from `../shared/conformance`, where that folder lies beside the repository. */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type FloatDType, type Tensor, tensor } from '@loretta-ts/core';
import { expect } from 'vitest';
import { type HostTensor, parseSafetensors } from '../src/index';

const root = fileURLToPath(new URL('../../../../shared/', import.meta.url));

export const hasShared: boolean = existsSync(`${root}conformance/README.md`);

export function sharedPath(path: string): string {
  return `${root}${path}`;
}

export interface Entry {
  readonly name: string;
  readonly tensor: string;
  readonly shape: readonly number[];
  readonly dtype: string;
  readonly requires_grad?: boolean;
  readonly tol: {
    readonly f64: readonly [number, number];
    readonly f32: readonly [number, number] | null;
  };
}

export interface Case {
  readonly id: string;
  readonly op: string;
  readonly attrs: Record<string, unknown>;
  readonly inputs: readonly Entry[];
  readonly outputs: readonly Entry[];
  readonly [field: string]: unknown;
}

export interface Group {
  readonly cases: readonly Case[];
  /** Host values of a tensor of the group. */
  host(name: string): HostTensor;
  /** An input as a tensor: floats of `dtype`, ints as i32, masks as bool. */
  input(c: Case, name: string, dtype?: FloatDType): Tensor;
}

export function loadGroup(name: string): Group {
  const manifest = JSON.parse(readFileSync(`${root}conformance/${name}.json`, 'utf8')) as {
    readonly cases: readonly Case[];
    readonly tensors?: string;
  };
  const file =
    manifest.tensors === undefined
      ? new Map<string, HostTensor>()
      : parseSafetensors(readFileSync(`${root}conformance/${manifest.tensors}`)).tensors;
  const host = (key: string): HostTensor => {
    const t = file.get(key);
    if (t === undefined) throw new Error(`no tensor ${key}`);
    return t;
  };
  return {
    cases: manifest.cases,
    host,
    input(c, key, dtype = 'f64') {
      const e = c.inputs.find((i) => i.name === key);
      if (e === undefined) throw new Error(`${c.id} has no input ${key}`);
      const kind = e.dtype === 'int32' ? 'i32' : e.dtype === 'bool' ? 'bool' : dtype;
      return tensor(numbersOf(host(e.tensor)), { shape: e.shape, dtype: kind });
    },
  };
}

export function numbersOf(h: HostTensor): number[] {
  return Array.from(h.data, Number);
}

/** Fails with the worst element unless |got − want| <= atol + rtol · |want| everywhere; NaN equals NaN. */
export function expectClose(
  got: ArrayLike<number>,
  want: ArrayLike<number>,
  [rtol, atol]: readonly [number, number],
  what: string,
): void {
  expect(got.length, `${what}: length`).toBe(want.length);
  let worst = 0;
  let message = '';
  for (let i = 0; i < want.length; i++) {
    const a = got[i]!;
    const b = want[i]!;
    if (Object.is(a, b) || a === b) continue;
    const miss = Math.abs(a - b) / (atol + rtol * Math.abs(b));
    if (!(miss <= 1) && !(miss <= worst)) {
      worst = Number.isNaN(miss) ? Number.POSITIVE_INFINITY : miss;
      message = `[${i}] is ${a}, not ${b}`;
    }
  }
  expect(message, what).toBe('');
}
