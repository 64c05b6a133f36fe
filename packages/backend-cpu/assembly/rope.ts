/** Rotary positions (Su et al. 2021): angles reduced in f64, then f32 polynomials, shared by all heads. */
import { workspace } from './scratch';

// sin on |r| <= pi / 4 and cos likewise, after reduction by multiples of pi / 2 (Cephes sinf, cosf).
let sine: f32 = 0;
let cosine: f32 = 0;

function sineAndCosine(angle: f64): void {
  const n = nearest<f64>(angle * 0.6366197723675814);
  const r = <f32>(angle - n * 1.5707963267948966 - n * 6.123233995736766e-17);
  const z = r * r;
  const s: f32 = ((-1.9515295891e-4 * z + 8.3321608736e-3) * z - 1.6666654611e-1) * z * r + r;
  const c: f32 = ((2.443315711809948e-5 * z - 1.388731625493765e-3) * z + 4.166664568298827e-2) * z * z - 0.5 * z + 1;
  const quarter = <i32>(<i64>n & 3);
  const swap = (quarter & 1) != 0;
  sine = swap ? c : s;
  cosine = swap ? s : c;
  if (quarter & 2) sine = -sine;
  if (quarter == 1 || quarter == 2) cosine = -cosine;
}

/** Rotates one head of `rotary` values by the table (cosines, then signed sines). */
// @ts-ignore: decorator
@inline
function turn(interleaved: bool, rotary: i32, x: usize, cos: usize, sin: usize, y: usize): void {
  const bytes = <usize>rotary << 2;
  if (interleaved) {
    let i: usize = 0;
    for (; i + 16 <= bytes; i += 16) {
      const v = v128.load(x + i);
      const swapped = i8x16.shuffle(v, v, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11);
      v128.store(y + i, f32x4.add(f32x4.mul(v, v128.load(cos + i)), f32x4.mul(swapped, v128.load(sin + i))));
    }
    for (; i < bytes; i += 8) {
      const a = load<f32>(x + i);
      const b = load<f32>(x + i, 4);
      store<f32>(y + i, a * load<f32>(cos + i) + b * load<f32>(sin + i));
      store<f32>(y + i, b * load<f32>(cos + i, 4) + a * load<f32>(sin + i, 4), 4);
    }
    return;
  }
  const half = bytes >> 1;
  let i: usize = 0;
  for (; i + 16 <= half; i += 16) {
    const a = v128.load(x + i);
    const b = v128.load(x + half + i);
    const c = v128.load(cos + i);
    const s = v128.load(sin + i);
    v128.store(y + i, f32x4.sub(f32x4.mul(a, c), f32x4.mul(b, s)));
    v128.store(y + half + i, f32x4.add(f32x4.mul(b, c), f32x4.mul(a, s)));
  }
  for (; i < half; i += 4) {
    const a = load<f32>(x + i);
    const b = load<f32>(x + half + i);
    const c = load<f32>(cos + i);
    const s = load<f32>(sin + i);
    store<f32>(y + i, a * c - b * s);
    store<f32>(y + half + i, b * c + a * s);
  }
}

/**
 * x: [b, t, h, d] turned by positions i32 [b, t], or [t] where `shared`. `frequencies`: rotary / 2 values of f64.
 */
export function rope(
  b: i32,
  t: i32,
  h: i32,
  d: i32,
  rotary: i32,
  interleaved: bool,
  inverse: bool,
  shared: bool,
  frequencies: usize,
  positions: usize,
  x: usize,
  y: usize,
): void {
  const pairs = rotary >> 1;
  const cos = workspace;
  const sin = cos + (<usize>rotary << 2);
  const head = <usize>d << 2;
  const token = head * <usize>h;
  const turned = <usize>rotary << 2;
  const batches = shared ? b : 1;
  const rows = shared ? t : b * t;
  for (let row = 0; row < rows; ++row) {
    const position = <f64>load<i32>(positions + (<usize>row << 2));
    for (let k = 0; k < pairs; ++k) {
      sineAndCosine(position * load<f64>(frequencies + (<usize>k << 3)));
      const s = inverse ? -sine : sine;
      if (interleaved) {
        const at = <usize>k << 3;
        store<f32>(cos + at, cosine);
        store<f32>(cos + at, cosine, 4);
        store<f32>(sin + at, -s);
        store<f32>(sin + at, s, 4);
      } else {
        store<f32>(cos + (<usize>k << 2), cosine);
        store<f32>(sin + (<usize>k << 2), s);
      }
    }
    for (let i = 0; i < batches; ++i) {
      let p = (<usize>i * <usize>t + <usize>row) * token;
      for (let j = 0; j < h; ++j) {
        if (interleaved) turn(true, rotary, x + p, cos, sin, y + p);
        else turn(false, rotary, x + p, cos, sin, y + p);
        for (let e = turned; e < head; e += 4) store<f32>(y + p + e, load<f32>(x + p + e));
        p += head;
      }
    }
  }
}
