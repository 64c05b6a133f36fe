/** 16-bit floats, which are file formats only: widened on load, rounded to nearest even on save. */

/** IEEE 754 binary16 to f32, exact. */
export function widenF16(bits: Uint16Array): Float32Array {
  return Float32Array.from(bits, (x) => {
    const sign = x >> 15 === 0 ? 1 : -1;
    const exponent = (x >> 10) & 31;
    const fraction = x & 1023;
    if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
    return sign * (exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25));
  });
}

/** bfloat16 (the upper half of an f32) to f32, exact. */
export function widenBF16(bits: Uint16Array): Float32Array {
  const out = new Float32Array(bits.length);
  const words = new Uint32Array(out.buffer);
  for (let i = 0; i < bits.length; i++) words[i] = bits[i]! << 16;
  return out;
}

/** f32 to binary16, nearest even; too large becomes infinity. */
export function narrowF16(values: Float32Array): Uint16Array {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  return Uint16Array.from(words, (w) => {
    const sign = (w >>> 16) & 0x8000;
    const magnitude = w & 0x7fffffff;
    if (magnitude > 0x7f800000) return sign | 0x7e00;
    if (magnitude >= 0x477ff000) return sign | 0x7c00;
    if (magnitude < 0x38800000) {
      // subnormal: adding and taking away 0.5 rounds to a multiple of 2^-24
      const value = Math.fround(f32OfBits(magnitude) + 0.5);
      return sign | Math.round((value - 0.5) * 2 ** 24);
    }
    const rounded = magnitude + 0xfff + ((magnitude >>> 13) & 1);
    return sign | ((rounded - 0x38000000) >>> 13);
  });
}

/** f32 to bfloat16, nearest even. */
export function narrowBF16(values: Float32Array): Uint16Array {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  return Uint16Array.from(words, (w) =>
    (w & 0x7fffffff) > 0x7f800000 ? (w >>> 16) | 0x40 : (w + 0x7fff + ((w >>> 16) & 1)) >>> 16,
  );
}

function f32OfBits(bits: number): number {
  return new Float32Array(Uint32Array.of(bits).buffer)[0]!;
}
