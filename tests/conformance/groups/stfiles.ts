/** safetensors files to load exactly, or to reject. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseSafetensors, SafetensorsError } from '@loretta-ts/nn';
import type { Case, Group } from '../format';
import type { Verdict } from '../verdict';

interface Listed {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly values: readonly unknown[];
}

export function fileCase(group: Group, c: Case, verdict: Verdict): void {
  const bytes = new Uint8Array(readFileSync(join(group.dir, String(c.raw['file']))));
  const before = Object.getOwnPropertyNames(Object.prototype).join();
  try {
    const { tensors, metadata } = parseSafetensors(bytes);
    if (c.raw['expect'] === 'load') compare(tensors, metadata, c, verdict);
    else verdict.that(false, `was loaded: ${String(c.raw['why'])}`);
  } catch (error) {
    const typed = error instanceof SafetensorsError;
    verdict.that(typed && c.raw['expect'] === 'reject', `threw ${String(error)}`);
  }
  const clean = Object.getOwnPropertyNames(Object.prototype).join() === before;
  verdict.that(clean, 'Object.prototype was changed');
}

function compare(
  tensors: ReturnType<typeof parseSafetensors>['tensors'],
  metadata: ReturnType<typeof parseSafetensors>['metadata'],
  c: Case,
  verdict: Verdict,
): void {
  const listed = c.raw['tensors'] as Readonly<Record<string, Listed>> | undefined;
  for (const [name, want] of Object.entries(listed ?? {})) {
    const got = tensors.get(name);
    if (got === undefined) {
      verdict.that(false, `${name} is missing`);
      continue;
    }
    verdict.that(got.dtype === want.dtype, `${name} is ${got.dtype}, want ${want.dtype}`);
    verdict.that(got.shape.join() === want.shape.join(), `${name} has shape [${got.shape.join()}]`);
    // as text, so that integers beyond 2^53 are compared exactly
    const shown = [...got.data].map((x) => String(x).toLowerCase().replace('infinity', 'inf'));
    const wanted = want.values.map((x) => plain(x, want.dtype));
    verdict.that(
      shown.join() === wanted.join(),
      `${name} is [${shown.join()}], want [${wanted.join()}]`,
    );
  }
  if (listed !== undefined) {
    const [got, want] = [tensors.size, Object.keys(listed).length];
    verdict.that(got === want, `${got} tensors, want ${want}`);
  }
  const meta = c.raw['metadata'] as Readonly<Record<string, string>> | null | undefined;
  for (const [key, want] of Object.entries(meta ?? {})) {
    verdict.that(metadata.get(key) === want, `metadata ${key} is ${metadata.get(key)}`);
  }
}

function plain(value: unknown, dtype: string): string {
  if (typeof value === 'boolean') return value ? '1' : '0';
  if (typeof value === 'string') return value;
  return dtype === 'F32' ? String(Math.fround(Number(value))) : String(value);
}
