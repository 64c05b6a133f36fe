/** Damage to files: bytes, and values of JSON. */
import type { HostRandom } from '@loretta-ts/core';
import { pick } from './row';

const BYTES = [0, 1, 0x7f, 0x80, 0xff];
const SIZES = [0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];

/** A copy with bits and bytes changed, cut, doubled, moved, or with a 32-bit number that is extreme. */
export function damageBytes(random: HostRandom, bytes: Uint8Array): Uint8Array {
  let copy = Uint8Array.from(bytes);
  const at = (): number => random.int(copy.length);
  for (let n = 1 + random.int(3); n > 0 && copy.length > 0; n--) {
    // headers are where sizes stand: half of the damage is there
    const place = random.int(2) === 0 ? at() : random.int(Math.min(64, copy.length));
    switch (random.int(6)) {
      case 0:
        copy[place]! ^= 1 << random.int(8);
        break;
      case 1:
        copy[place] = pick(random, BYTES);
        break;
      case 2:
        copy = copy.slice(0, place);
        break;
      case 3:
        if (place + 4 <= copy.length) {
          new DataView(copy.buffer).setUint32(place, pick(random, SIZES), random.int(2) === 0);
        }
        break;
      case 4:
        copy = Uint8Array.of(...copy.subarray(0, place), ...copy.subarray(Math.min(place, at())));
        break;
      default:
        copy.copyWithin(place, at(), at());
    }
  }
  return copy;
}

/** Where a number stands in a file: its bytes, 1, 2 or 4, and whether the first is the upper one. */
export interface NumberField {
  readonly at: number;
  readonly bytes: 1 | 2 | 4;
  readonly big?: boolean;
}

/** A copy with one or two numbers of its structure changed: extreme, or off by little. */
export function damageFields(
  random: HostRandom,
  file: Uint8Array,
  fields: readonly NumberField[],
): Uint8Array {
  const copy = Uint8Array.from(file);
  const view = new DataView(copy.buffer);
  for (let n = 1 + random.int(2); n > 0; n--) {
    const { at, bytes, big = false } = pick(random, fields);
    const end = 2 ** (8 * bytes);
    const old = bytes === 4 ? view.getUint32(at, !big) : copy[at]!;
    const value = pick(random, [
      ...[0, 1, end - 1, end / 2, end / 2 - 1],
      ...[old + 1, old - 1, 2 * old, random.int(end), 2 ** random.int(8 * bytes)],
    ]);
    if (bytes === 4) view.setUint32(at, value, !big);
    else if (bytes === 2) view.setUint16(at, value, !big);
    else copy[at] = value;
  }
  return copy;
}

type Json = unknown;

const RUBBISH: readonly Json[] = [
  ...[null, true, -1, 0.5, 2 ** 31, 2 ** 53, 1e300, '', '\n', '\ud800', 'x'.repeat(1000)],
  ...[[], {}, [[]], '__proto__', 'constructor', { length: 1e9 }, [null, -1], '(a+)+$'],
];

/** Every path to a value of a document. */
function pathsOf(value: Json, path: readonly string[] = []): (readonly string[])[] {
  if (typeof value !== 'object' || value === null) return [path];
  return [path, ...Object.entries(value).flatMap(([key, v]) => pathsOf(v, [...path, key]))];
}

/** The text of a document with a value replaced, removed, renamed or nested; the first places more often. */
export function damageJson(random: HostRandom, document: Json): string {
  const copy = structuredClone(document);
  const paths = pathsOf(copy);
  for (let n = 1 + random.int(2); n > 0; n--) {
    const path =
      paths[random.int(random.int(2) === 0 ? Math.min(20, paths.length) : paths.length)]!;
    let owner = copy as object;
    for (const key of path.slice(0, -1)) {
      const next: unknown = Reflect.get(owner, key);
      if (typeof next !== 'object' || next === null) break;
      owner = next;
    }
    const key = path.at(-1) ?? 'x';
    if (typeof owner !== 'object' || owner === null) continue;
    const value: unknown = Reflect.get(owner, key);
    const change = random.int(6);
    if (change === 0) Reflect.deleteProperty(owner, key);
    else if (change === 1) Reflect.set(owner, pick(random, ['constructor', 'y', '0']), value);
    else if (change === 2) Reflect.set(owner, key, [value, value]);
    else Reflect.set(owner, key, structuredClone(pick(random, RUBBISH)));
  }
  let text = JSON.stringify(copy);
  // keys that only a parser of text can give an object of its own
  if (random.int(8) === 0) text = text.replace('{', '{"__proto__":{"polluted":1},');
  if (random.int(16) === 0) text = text.slice(0, random.int(text.length));
  return text;
}
