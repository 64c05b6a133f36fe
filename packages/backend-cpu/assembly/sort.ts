/** Stable argsort of f32 rows: least significant digit radix sort of (key, index) pairs. */

// Order of the keys as unsigned integers: -0 equals 0, NaN is largest.
// @ts-ignore: decorator
@inline
function keyOf(x: f32): u32 {
  if (x != x) return 0xffffffff;
  const bits = reinterpret<u32>(x + 0); // -0 + 0 = 0
  return bits & 0x80000000 ? ~bits : bits | 0x80000000;
}

/** Rows of n values x to indices o. `scratch`: 16 n + 1024 bytes. */
export function argsortRows(rows: i32, n: i32, descending: bool, x: usize, o: usize, scratch: usize): void {
  const counts = scratch;
  const flip: u32 = descending ? 0xffffffff : 0;
  for (let r = 0; r < rows; ++r) {
    const px = x + (<usize>(r * n) << 2);
    let from = scratch + 1024;
    let to = from + (<usize>n << 3);
    for (let i = 0; i < n; ++i) {
      const at = from + (<usize>i << 3);
      store<u32>(at, keyOf(load<f32>(px + (<usize>i << 2))) ^ flip);
      store<i32>(at, i, 4);
    }
    for (let shift = 0; shift < 32; shift += 8) {
      memory.fill(counts, 0, 1024);
      for (let i = 0; i < n; ++i) {
        const c = counts + (<usize>((load<u32>(from + (<usize>i << 3)) >> shift) & 255) << 2);
        store<i32>(c, load<i32>(c) + 1);
      }
      let total = 0;
      for (let d: usize = 0; d < 1024; d += 4) {
        const c = load<i32>(counts + d);
        store<i32>(counts + d, total);
        total += c;
      }
      for (let i = 0; i < n; ++i) {
        const pair = load<u64>(from + (<usize>i << 3));
        const c = counts + (<usize>((<u32>pair >> shift) & 255) << 2);
        const place = load<i32>(c);
        store<i32>(c, place + 1);
        store<u64>(to + (<usize>place << 3), pair);
      }
      const other = from;
      from = to;
      to = other;
    }
    const po = o + (<usize>(r * n) << 2);
    for (let i = 0; i < n; ++i) store<i32>(po + (<usize>i << 2), load<i32>(from + (<usize>i << 3), 4));
  }
}
