/** LayerNorm (Ba et al. 2016) and RMSNorm (Zhang and Sennrich 2019) along rows, forward and backward. */
import { madd, maskTail, splat, storeTail, sumLanes } from './vector';

// @ts-ignore: decorator
@inline
function put(p: usize, v: v128, bytes: usize, i: usize): void {
  if (i + 16 <= bytes) v128.store(p + i, v);
  else storeTail(p + i, v, <i32>((bytes - i) >> 2));
}

// Lanes beyond the row become 0.
// @ts-ignore: decorator
@inline
function inside(v: v128, bytes: usize, i: usize): v128 {
  return i + 16 <= bytes ? v : maskTail(v, <i32>((bytes - i) >> 2), splat(0));
}

/** Rows [begin, end) of n: y = (x - mean) rstd w + b. */
export function layerNormRows(begin: i32, end: i32, n: i32, eps: f32, x: usize, w: usize, b: usize, y: usize, mean: usize, rstd: usize): void {
  const bytes = <usize>n << 2;
  const inverse: f32 = <f32>1 / <f32>n;
  for (let r = begin; r < end; ++r) {
    const px = x + <usize>r * bytes;
    const py = y + <usize>r * bytes;
    let s = splat(0);
    let i: usize = 0;
    for (; i + 16 <= bytes; i += 16) s = f32x4.add(s, v128.load(px + i));
    if (i < bytes) s = f32x4.add(s, inside(v128.load(px + i), bytes, i));
    const mu = sumLanes(s) * inverse;
    const vmu = splat(mu);
    s = splat(0);
    for (i = 0; i + 16 <= bytes; i += 16) {
      const d = f32x4.sub(v128.load(px + i), vmu);
      s = madd(d, d, s);
    }
    if (i < bytes) {
      const d = inside(f32x4.sub(v128.load(px + i), vmu), bytes, i);
      s = madd(d, d, s);
    }
    const q = <f32>1 / sqrt<f32>(sumLanes(s) * inverse + eps);
    store<f32>(mean + (<usize>r << 2), mu);
    store<f32>(rstd + (<usize>r << 2), q);
    const vq = splat(q);
    for (i = 0; i < bytes; i += 16) {
      const h = f32x4.mul(f32x4.sub(v128.load(px + i), vmu), vq);
      put(py, madd(h, v128.load(w + i), v128.load(b + i)), bytes, i);
    }
  }
}

/**
 * dx = rstd (g - mean(g) - h mean(g h)) with g = dy w and h = (x - mean) rstd; dw += sum dy h and db += sum dy,
 * which the caller has zeroed.
 */
export function layerNormGradRows(
  begin: i32,
  end: i32,
  n: i32,
  x: usize,
  w: usize,
  mean: usize,
  rstd: usize,
  dy: usize,
  dx: usize,
  dw: usize,
  db: usize,
): void {
  const bytes = <usize>n << 2;
  const inverse: f32 = <f32>1 / <f32>n;
  for (let r = begin; r < end; ++r) {
    const px = x + <usize>r * bytes;
    const pd = dy + <usize>r * bytes;
    const po = dx + <usize>r * bytes;
    const mu = v128.load32_splat(mean + (<usize>r << 2));
    const q = v128.load32_splat(rstd + (<usize>r << 2));
    let s = splat(0);
    let t = splat(0);
    for (let i: usize = 0; i < bytes; i += 16) {
      const h = f32x4.mul(f32x4.sub(v128.load(px + i), mu), q);
      const d = v128.load(pd + i);
      const g = inside(f32x4.mul(d, v128.load(w + i)), bytes, i);
      s = f32x4.add(s, g);
      // A tail lane of g is 0, of h it may be anything.
      t = f32x4.add(t, inside(f32x4.mul(g, h), bytes, i));
      put(dw, madd(d, h, v128.load(dw + i)), bytes, i);
      put(db, f32x4.add(d, v128.load(db + i)), bytes, i);
    }
    const a = splat(sumLanes(s) * inverse);
    const c = splat(sumLanes(t) * inverse);
    for (let i: usize = 0; i < bytes; i += 16) {
      const h = f32x4.mul(f32x4.sub(v128.load(px + i), mu), q);
      const g = f32x4.mul(v128.load(pd + i), v128.load(w + i));
      put(po, f32x4.mul(q, f32x4.sub(f32x4.sub(g, a), f32x4.mul(h, c))), bytes, i);
    }
  }
}

/** Rows [begin, end) of n: y = x rstd w. */
export function rmsNormRows(begin: i32, end: i32, n: i32, eps: f32, x: usize, w: usize, y: usize, rstd: usize): void {
  const bytes = <usize>n << 2;
  const inverse: f32 = <f32>1 / <f32>n;
  for (let r = begin; r < end; ++r) {
    const px = x + <usize>r * bytes;
    const py = y + <usize>r * bytes;
    let s = splat(0);
    for (let i: usize = 0; i < bytes; i += 16) {
      const v = inside(v128.load(px + i), bytes, i);
      s = madd(v, v, s);
    }
    const q = <f32>1 / sqrt<f32>(sumLanes(s) * inverse + eps);
    store<f32>(rstd + (<usize>r << 2), q);
    const vq = splat(q);
    for (let i: usize = 0; i < bytes; i += 16) {
      put(py, f32x4.mul(f32x4.mul(v128.load(px + i), vq), v128.load(w + i)), bytes, i);
    }
  }
}

/** dx = rstd (g - h mean(g h)) with g = dy w and h = x rstd; dw += sum dy h, which the caller has zeroed. */
export function rmsNormGradRows(
  begin: i32,
  end: i32,
  n: i32,
  x: usize,
  w: usize,
  rstd: usize,
  dy: usize,
  dx: usize,
  dw: usize,
): void {
  const bytes = <usize>n << 2;
  const inverse: f32 = <f32>1 / <f32>n;
  for (let r = begin; r < end; ++r) {
    const px = x + <usize>r * bytes;
    const pd = dy + <usize>r * bytes;
    const po = dx + <usize>r * bytes;
    const q = v128.load32_splat(rstd + (<usize>r << 2));
    let t = splat(0);
    for (let i: usize = 0; i < bytes; i += 16) {
      const h = f32x4.mul(v128.load(px + i), q);
      const d = v128.load(pd + i);
      const dh = f32x4.mul(d, h);
      t = f32x4.add(t, inside(f32x4.mul(dh, v128.load(w + i)), bytes, i));
      put(dw, f32x4.add(dh, v128.load(dw + i)), bytes, i);
    }
    const c = splat(sumLanes(t) * inverse);
    for (let i: usize = 0; i < bytes; i += 16) {
      const h = f32x4.mul(v128.load(px + i), q);
      const g = f32x4.mul(v128.load(pd + i), v128.load(w + i));
      put(po, f32x4.mul(q, f32x4.sub(g, f32x4.mul(h, c))), bytes, i);
    }
  }
}
