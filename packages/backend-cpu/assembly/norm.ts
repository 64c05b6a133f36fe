/** LayerNorm (Ba et al. 2016) and RMSNorm (Zhang and Sennrich 2019) along rows, forward and backward. */
import { inside, madd, put, splat, sumLanes } from './vector';

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

/** dx = rstd (g - mean(g) - h mean(g h)) with g = dy w and h = (x - mean) rstd. */
export function layerNormGradRows(begin: i32, end: i32, n: i32, x: usize, w: usize, mean: usize, rstd: usize, dy: usize, dx: usize): void {
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
      const g = inside(f32x4.mul(v128.load(pd + i), v128.load(w + i)), bytes, i);
      s = f32x4.add(s, g);
      // A tail lane of g is 0, of h it may be anything.
      t = f32x4.add(t, inside(f32x4.mul(g, h), bytes, i));
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

/** dw = sum dy h and db = sum dy of `count` columns; rows are `ld` apart. Eight columns at a time stay in registers. */
export function layerNormGradColumns(rows: i32, count: i32, ld: i32, x: usize, mean: usize, rstd: usize, dy: usize, dw: usize, db: usize): void {
  const step = <usize>ld << 2;
  const bytes = <usize>count << 2;
  for (let j: usize = 0; j < bytes; j += 32) {
    let w0 = splat(0);
    let w1 = splat(0);
    let b0 = splat(0);
    let b1 = splat(0);
    let px = x + j;
    let pd = dy + j;
    for (let r: usize = 0, end = <usize>rows << 2; r < end; r += 4) {
      const mu = v128.load32_splat(mean + r);
      const q = v128.load32_splat(rstd + r);
      const d0 = v128.load(pd);
      const d1 = v128.load(pd, 16);
      w0 = madd(d0, f32x4.mul(f32x4.sub(v128.load(px), mu), q), w0);
      w1 = madd(d1, f32x4.mul(f32x4.sub(v128.load(px, 16), mu), q), w1);
      b0 = f32x4.add(b0, d0);
      b1 = f32x4.add(b1, d1);
      px += step;
      pd += step;
    }
    put(dw, w0, bytes, j);
    put(db, b0, bytes, j);
    if (j + 16 < bytes) {
      put(dw, w1, bytes, j + 16);
      put(db, b1, bytes, j + 16);
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

/** dx = rstd (g - h mean(g h)) with g = dy w and h = x rstd. */
export function rmsNormGradRows(begin: i32, end: i32, n: i32, x: usize, w: usize, rstd: usize, dy: usize, dx: usize): void {
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
      const dh = f32x4.mul(v128.load(pd + i), h);
      t = f32x4.add(t, inside(f32x4.mul(dh, v128.load(w + i)), bytes, i));
    }
    const c = splat(sumLanes(t) * inverse);
    for (let i: usize = 0; i < bytes; i += 16) {
      const h = f32x4.mul(v128.load(px + i), q);
      const g = f32x4.mul(v128.load(pd + i), v128.load(w + i));
      put(po, f32x4.mul(q, f32x4.sub(g, f32x4.mul(h, c))), bytes, i);
    }
  }
}

/** dw = sum dy h of `count` columns; rows are `ld` apart. */
export function rmsNormGradColumns(rows: i32, count: i32, ld: i32, x: usize, rstd: usize, dy: usize, dw: usize): void {
  const step = <usize>ld << 2;
  const bytes = <usize>count << 2;
  for (let j: usize = 0; j < bytes; j += 32) {
    let w0 = splat(0);
    let w1 = splat(0);
    let px = x + j;
    let pd = dy + j;
    for (let r: usize = 0, end = <usize>rows << 2; r < end; r += 4) {
      const q = v128.load32_splat(rstd + r);
      w0 = f32x4.add(w0, f32x4.mul(v128.load(pd), f32x4.mul(v128.load(px), q)));
      w1 = f32x4.add(w1, f32x4.mul(v128.load(pd, 16), f32x4.mul(v128.load(px, 16), q)));
      px += step;
      pd += step;
    }
    put(dw, w0, bytes, j);
    if (j + 16 < bytes) put(dw, w1, bytes, j + 16);
  }
}
