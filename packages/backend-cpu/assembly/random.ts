/** Threefry-2x32 with 20 rounds (Salmon et al. 2011), four counters at a time. */

// @ts-ignore: decorator
@inline
function rotate(x: v128, by: i32): v128 {
  return v128.or(i32x4.shl(x, by), i32x4.shr_u(x, 32 - by));
}

/** n words: words 2i and 2i + 1 are the cipher of the counter [i, stream] under the key. */
export function threefry(n: i32, key: usize, stream: i32, o: usize): void {
  const k0 = load<i32>(key);
  const k1 = load<i32>(key, 4);
  const k2 = k0 ^ k1 ^ 0x1bd11bda;
  for (let i = 0; i < n; i += 8) {
    let a = i32x4.add(i32x4(0, 1, 2, 3), i32x4.splat((i >> 1) + k0));
    let b = i32x4.splat(stream + k1);
    let ka = k0;
    let kb = k1;
    let kc = k2;
    for (let group = 1; group <= 5; ++group) {
      if (group & 1) {
        a = i32x4.add(a, b);
        b = v128.xor(rotate(b, 13), a);
        a = i32x4.add(a, b);
        b = v128.xor(rotate(b, 15), a);
        a = i32x4.add(a, b);
        b = v128.xor(rotate(b, 26), a);
        a = i32x4.add(a, b);
        b = v128.xor(rotate(b, 6), a);
      } else {
        a = i32x4.add(a, b);
        b = v128.xor(rotate(b, 17), a);
        a = i32x4.add(a, b);
        b = v128.xor(rotate(b, 29), a);
        a = i32x4.add(a, b);
        b = v128.xor(rotate(b, 16), a);
        a = i32x4.add(a, b);
        b = v128.xor(rotate(b, 24), a);
      }
      // Every fourth round takes in the key, turned by one word, and counts.
      const first = ka;
      ka = kb;
      kb = kc;
      kc = first;
      a = i32x4.add(a, i32x4.splat(ka));
      b = i32x4.add(b, i32x4.splat(kb + group));
    }
    const low = i8x16.shuffle(a, b, 0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23);
    const high = i8x16.shuffle(a, b, 8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31);
    const to = o + (<usize>i << 2);
    if (i + 8 <= n) {
      v128.store(to, low);
      v128.store(to, high, 16);
    } else {
      storePart(to, low, n - i);
      storePart(to + 16, high, n - i - 4);
    }
  }
}

function storePart(p: usize, v: v128, count: i32): void {
  if (count >= 4) {
    v128.store(p, v);
    return;
  }
  if (count > 0) v128.store_lane<i32>(p, v, 0);
  if (count > 1) v128.store_lane<i32>(p, v, 1, 4);
  if (count > 2) v128.store_lane<i32>(p, v, 2, 8);
}
