/** One build of the kernels from another and their difference, which is a twentieth of its size. */

/** Bytes of `base` and literal ones in turn: count, literals, count, signed distance from the end of the last copy. */
export function applyDelta(base: Uint8Array, delta: Uint8Array): Uint8Array<ArrayBuffer> {
  const out: number[] = [];
  let at = 0;
  let last = 0;
  const leb = (): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = delta[at++]!;
      value |= (byte & 127) << shift;
      if (byte < 128) return value;
    }
  };
  while (at < delta.length) {
    for (let n = leb(); n > 0; n--) out.push(delta[at++]!);
    if (at === delta.length) break;
    const n = leb();
    const step = leb();
    last += step & 1 ? -(step + 1) / 2 : step / 2;
    for (let i = 0; i < n; i++) out.push(base[last++]!);
  }
  return Uint8Array.from(out);
}
