/** Softmax, log-softmax and cross-entropy along rows, forward and backward. */
import { exp, expNegative, log, maskTail, maxLanes, splat, storeTail, sumLanes } from './vector';

// Largest value of a row; a NaN may be passed over: it comes back in the sum.
function peak(x: usize, n: i32): f32 {
  const end = x + (<usize>n << 2);
  const worst = splat(-Infinity);
  let a = worst;
  let b = worst;
  let p = x;
  for (; p + 32 <= end; p += 32) {
    a = f32x4.pmax(a, v128.load(p));
    b = f32x4.pmax(b, v128.load(p, 16));
  }
  for (; p + 16 <= end; p += 16) a = f32x4.pmax(a, v128.load(p));
  if (p < end) b = f32x4.pmax(b, maskTail(v128.load(p), <i32>((end - p) >> 2), worst));
  return maxLanes(f32x4.pmax(a, b));
}

// Sum of e^(x - m); the terms are stored at y unless y is 0.
// @ts-ignore: decorator
@inline
function sumExp(x: usize, n: i32, m: f32, y: usize, keep: bool): f32 {
  const end = <usize>n << 2;
  const top = splat(m);
  let a = splat(0);
  let b = splat(0);
  let i: usize = 0;
  for (; i + 32 <= end; i += 32) {
    const e = expNegative(f32x4.sub(v128.load(x + i), top));
    if (keep) v128.store(y + i, e);
    a = f32x4.add(a, e);
    const f = expNegative(f32x4.sub(v128.load(x + i, 16), top));
    if (keep) v128.store(y + i, f, 16);
    b = f32x4.add(b, f);
  }
  for (; i < end; i += 16) {
    const rest = <i32>((end - i) >> 2);
    const e = expNegative(f32x4.sub(v128.load(x + i), top));
    if (rest >= 4) {
      if (keep) v128.store(y + i, e);
      a = f32x4.add(a, e);
    } else {
      if (keep) storeTail(y + i, e, rest);
      b = f32x4.add(b, maskTail(e, rest, splat(0)));
    }
  }
  return sumLanes(f32x4.add(a, b));
}

/** y = x * scale, or x + shift. */
// @ts-ignore: decorator
@inline
function mapRow(multiply: bool, x: usize, n: i32, by: f32, y: usize): void {
  const end = <usize>n << 2;
  const v = splat(by);
  let i: usize = 0;
  for (; i + 16 <= end; i += 16) {
    const r = v128.load(x + i);
    v128.store(y + i, multiply ? f32x4.mul(r, v) : f32x4.add(r, v));
  }
  if (i < end) {
    const r = v128.load(x + i);
    storeTail(y + i, multiply ? f32x4.mul(r, v) : f32x4.add(r, v), <i32>((end - i) >> 2));
  }
}

function hasNaN(x: usize, n: i32): bool {
  for (let i = 0; i < n; ++i) {
    const v = load<f32>(x + (<usize>i << 2));
    if (v != v) return true;
  }
  return false;
}

// @ts-ignore: decorator
@inline
function logOf(x: f32): f32 {
  return f32x4.extract_lane(log(splat(x)), 0);
}

/** Rows [begin, end) of n. A row of -inf only becomes zeros. */
export function softmaxRows(begin: i32, end: i32, n: i32, x: usize, y: usize): void {
  const step = <usize>n << 2;
  for (let r = begin; r < end; ++r) {
    const px = x + <usize>r * step;
    const py = y + <usize>r * step;
    const m = peak(px, n);
    if (m == -Infinity) {
      const value: f32 = hasNaN(px, n) ? NaN : 0;
      for (let i = 0; i < n; ++i) store<f32>(py + (<usize>i << 2), value);
      continue;
    }
    const sum = sumExp(px, n, m, py, true);
    mapRow(true, py, n, <f32>1 / sum, py);
  }
}

/** dx = y (dy - sum(y dy)). */
export function softmaxGradRows(begin: i32, end: i32, n: i32, y: usize, dy: usize, dx: usize): void {
  const bytes = <usize>n << 2;
  for (let r = begin; r < end; ++r) {
    const py = y + <usize>r * bytes;
    const pd = dy + <usize>r * bytes;
    const po = dx + <usize>r * bytes;
    let a = splat(0);
    let i: usize = 0;
    for (; i + 16 <= bytes; i += 16) a = f32x4.add(a, f32x4.mul(v128.load(py + i), v128.load(pd + i)));
    if (i < bytes) {
      const v = f32x4.mul(v128.load(py + i), v128.load(pd + i));
      a = f32x4.add(a, maskTail(v, <i32>((bytes - i) >> 2), splat(0)));
    }
    const sum = splat(sumLanes(a));
    for (i = 0; i < bytes; i += 16) {
      const v = f32x4.mul(v128.load(py + i), f32x4.sub(v128.load(pd + i), sum));
      if (i + 16 <= bytes) v128.store(po + i, v);
      else storeTail(po + i, v, <i32>((bytes - i) >> 2));
    }
  }
}

export function logSoftmaxRows(begin: i32, end: i32, n: i32, x: usize, y: usize): void {
  const step = <usize>n << 2;
  for (let r = begin; r < end; ++r) {
    const px = x + <usize>r * step;
    const py = y + <usize>r * step;
    const m = peak(px, n);
    mapRow(false, px, n, -m, py);
    mapRow(false, py, n, -logOf(sumExp(px, n, m, 0, false)), py);
  }
}

/** dx = dy - e^y sum(dy). */
export function logSoftmaxGradRows(begin: i32, end: i32, n: i32, y: usize, dy: usize, dx: usize): void {
  const bytes = <usize>n << 2;
  for (let r = begin; r < end; ++r) {
    const py = y + <usize>r * bytes;
    const pd = dy + <usize>r * bytes;
    const po = dx + <usize>r * bytes;
    let a = splat(0);
    let i: usize = 0;
    for (; i + 16 <= bytes; i += 16) a = f32x4.add(a, v128.load(pd + i));
    if (i < bytes) a = f32x4.add(a, maskTail(v128.load(pd + i), <i32>((bytes - i) >> 2), splat(0)));
    const sum = splat(sumLanes(a));
    for (i = 0; i < bytes; i += 16) {
      const v = f32x4.sub(v128.load(pd + i), f32x4.mul(exp(v128.load(py + i)), sum));
      if (i + 16 <= bytes) v128.store(po + i, v);
      else storeTail(po + i, v, <i32>((bytes - i) >> 2));
    }
  }
}

/** loss = lse - x[target], 0 where the target is `ignore`. Targets were checked. */
export function crossEntropyRows(begin: i32, end: i32, n: i32, x: usize, targets: usize, ignore: i32, loss: usize, lse: usize): void {
  for (let r = begin; r < end; ++r) {
    const at = <usize>r << 2;
    const px = x + at * <usize>n;
    const m = peak(px, n);
    const rest = logOf(sumExp(px, n, m, 0, false));
    store<f32>(lse + at, m == -Infinity && !hasNaN(px, n) ? m : m + rest);
    const t = load<i32>(targets + at);
    store<f32>(loss + at, t == ignore ? 0 : m - load<f32>(px + (<usize>t << 2)) + rest);
  }
}

/** dx = (e^(x - lse) - onehot(target)) dloss, 0 where the target is `ignore`. */
export function crossEntropyGradRows(
  begin: i32,
  end: i32,
  n: i32,
  x: usize,
  targets: usize,
  ignore: i32,
  lse: usize,
  dloss: usize,
  dx: usize,
): void {
  const bytes = <usize>n << 2;
  for (let r = begin; r < end; ++r) {
    const at = <usize>r << 2;
    const px = x + <usize>r * bytes;
    const po = dx + <usize>r * bytes;
    const t = load<i32>(targets + at);
    if (t == ignore) {
      memory.fill(po, 0, bytes);
      continue;
    }
    const total = splat(load<f32>(lse + at));
    const scale = load<f32>(dloss + at);
    const by = splat(scale);
    for (let i: usize = 0; i < bytes; i += 16) {
      const v = f32x4.mul(expNegative(f32x4.sub(v128.load(px + i), total)), by);
      if (i + 16 <= bytes) v128.store(po + i, v);
      else storeTail(po + i, v, <i32>((bytes - i) >> 2));
    }
    const hit = po + (<usize>t << 2);
    store<f32>(hit, load<f32>(hit) - scale);
  }
}

/** The first position in ids (count of them) outside [0, limit) and not `ignore`, or -1. */
export function firstOutside(count: i32, ids: usize, limit: i32, ignore: i32): i32 {
  for (let i = 0; i < count; ++i) {
    const v = load<i32>(ids + (<usize>i << 2));
    if (<u32>v >= <u32>limit && v != ignore) return i;
  }
  return -1;
}
