/**
 * Mamba's scan h_t = exp(Δ_t A) h_{t-1} + Δ_t B_t u_t, y_t = C_t · h_t and its gradient, four states at a time. States of
 * a channel are taken in blocks of 64, so that what is kept in working memory does not depend on their number.
 */
import { workspace } from './scratch';
import { exp, inside, madd, put, splat, sumLanes } from './vector';

const BLOCK: i32 = 64;
const BLOCK_BYTES: usize = <usize>BLOCK << 2;

// Working memory of a channel and block: A, h (or the gradient that comes from later steps), sums of dA; then h and
// decays of a piece of time, and h before each piece.
// @ts-ignore: decorator
@inline
function rowA(): usize {
  return workspace;
}

// @ts-ignore: decorator
@inline
function carried(): usize {
  return workspace + BLOCK_BYTES;
}

// @ts-ignore: decorator
@inline
function sumsA(): usize {
  return workspace + 2 * BLOCK_BYTES;
}

// @ts-ignore: decorator
@inline
function kept(): usize {
  return workspace + 3 * BLOCK_BYTES;
}

/** Copies a row into whole vectors, zeros behind it. */
function copyRow(from: usize, to: usize, bytes: usize): void {
  for (let i: usize = 0; i < bytes; i += 16) v128.store(to + i, inside(v128.load(from + i), bytes, i));
}

function clear(p: usize, bytes: usize): void {
  for (let i: usize = 0; i < bytes; i += 16) v128.store(p + i, splat(0));
}

/** Channels [first, first + count) of b · d; `state` and `starts` may be 0. `last` is h after the last step. */
export function scanRows(first: i32, count: i32, d: i32, l: i32, n: i32, u: usize, delta: usize, A: usize, B: usize, C: usize, state: usize, starts: usize, y: usize, last: usize): void {
  const line = <usize>l << 2;
  const step = <usize>n << 2;
  const a = rowA();
  const h = carried();
  for (let r = first; r < first + count; ++r) {
    const b = <usize>(r / d);
    const pu = u + <usize>r * line;
    const pd = delta + <usize>r * line;
    const py = y + <usize>r * line;
    const begins = starts + b * <usize>l;
    for (let n0 = 0; n0 < n; n0 += BLOCK) {
      const bytes = <usize>min(BLOCK, n - n0) << 2;
      const at = <usize>n0 << 2;
      copyRow(A + <usize>(r % d) * step + at, a, bytes);
      if (state != 0) copyRow(state + <usize>r * step + at, h, bytes);
      else clear(h, bytes);
      let pB = B + b * <usize>l * step + at;
      let pC = C + b * <usize>l * step + at;
      for (let t: usize = 0; t < line; t += 4) {
        if (starts != 0 && load<u8>(begins + (t >> 2)) != 0) clear(h, bytes);
        const dt = v128.load32_splat(pd + t);
        const input = f32x4.mul(dt, v128.load32_splat(pu + t));
        let sum = splat(0);
        for (let i: usize = 0; i < bytes; i += 16) {
          const decay = exp(f32x4.mul(dt, v128.load(a + i)));
          const next = madd(decay, v128.load(h + i), f32x4.mul(input, inside(v128.load(pB + i), bytes, i)));
          v128.store(h + i, next);
          sum = madd(next, inside(v128.load(pC + i), bytes, i), sum);
        }
        const said = sumLanes(sum);
        store<f32>(py + t, n0 == 0 ? said : load<f32>(py + t) + said);
        pB += step;
        pC += step;
      }
      for (let i: usize = 0; i < bytes; i += 16) put(last + <usize>r * step + at, v128.load(h + i), bytes, i);
    }
  }
}

/**
 * Gradients of rows [first, first + count) of b: with g_t = C_t dy_t + exp(Δ_{t+1} A) g_{t+1} they are sums of g_t times
 * what it meets. h is computed anew, piece by piece of about √l steps, from what it was before each. dA is of every row.
 */
export function scanGradRows(first: i32, count: i32, d: i32, l: i32, n: i32, u: usize, delta: usize, A: usize, B: usize, C: usize, state: usize, starts: usize, dy: usize, du: usize, ddelta: usize, dA: usize, dB: usize, dC: usize): void {
  const line = <usize>l << 2;
  const step = <usize>n << 2;
  for (let b = first; b < first + count; ++b) {
    const shared = <usize>b * <usize>l * step;
    for (let p: usize = 0; p < <usize>l * step; p += 4) {
      store<f32>(dB + shared + p, 0);
      store<f32>(dC + shared + p, 0);
    }
    const begins = starts == 0 ? 0 : starts + <usize>b * <usize>l;
    for (let c = 0; c < d; ++c) {
      const r = <usize>(b * d + c);
      for (let n0 = 0; n0 < n; n0 += BLOCK) {
        const at = <usize>n0 << 2;
        const bytes = <usize>min(BLOCK, n - n0) << 2;
        copyRow(A + <usize>c * step + at, rowA(), bytes);
        const state0 = state == 0 ? 0 : state + r * step + at;
        channelGrad(l, step, bytes, n0 != 0, state0, u + r * line, delta + r * line, B + shared + at, C + shared + at, begins, dy + r * line, du + r * line, ddelta + r * line, dB + shared + at, dC + shared + at);
        for (let i: usize = 0; i < bytes; i += 16) put(dA + r * step + at, v128.load(sumsA() + i), bytes, i);
      }
    }
  }
}

/** One channel, one block of states; `more` adds to du and ddelta. */
function channelGrad(l: i32, step: usize, bytes: usize, more: bool, state: usize, u: usize, delta: usize, B: usize, C: usize, begins: usize, dy: usize, du: usize, ddelta: usize, dB: usize, dC: usize): void {
  const wide = (bytes + 15) & ~15;
  const piece = <usize>max(16, <i32>Math.ceil(Math.sqrt(l)));
  const a = rowA();
  const g = carried();
  const sums = sumsA();
  // h before each step of a piece and behind it, decays, h before each piece
  const states = kept();
  const decays = states + (piece + 1) * wide;
  const before = decays + piece * wide;
  const length = <usize>l;

  if (state != 0) copyRow(state, states, bytes);
  else clear(states, wide);
  let index: usize = 0;
  for (let from: usize = 0; from < length; from += piece) {
    for (let i: usize = 0; i < wide; i += 16) v128.store(before + index * wide + i, v128.load(states + i));
    index += 1;
    const to = min(from + piece, length);
    advance(from, to, step, bytes, 0, u, delta, B, begins, states, decays);
  }
  clear(g, wide);
  clear(sums, wide);
  while (index > 0) {
    index -= 1;
    const from = index * piece;
    const to = min(from + piece, length);
    for (let i: usize = 0; i < wide; i += 16) v128.store(states + i, v128.load(before + index * wide + i));
    advance(from, to, step, bytes, wide, u, delta, B, begins, states, decays);
    for (let t = to; t > from; ) {
      t -= 1;
      const h = states + (t - from) * wide;
      const decay = decays + (t - from) * wide;
      const x = load<f32>(u + (t << 2));
      const dt = load<f32>(delta + (t << 2));
      const out = v128.load32_splat(dy + (t << 2));
      const input = splat(x * dt);
      let met = splat(0);
      let turned = splat(0);
      for (let i: usize = 0; i < bytes; i += 16) {
        const pB = B + t * step + i;
        const gt = madd(inside(v128.load(C + t * step + i), bytes, i), out, v128.load(g + i));
        met = madd(gt, inside(v128.load(pB), bytes, i), met);
        const back = f32x4.mul(gt, v128.load(decay + i));
        v128.store(g + i, back);
        const slope = f32x4.mul(back, v128.load(h + i));
        turned = madd(slope, v128.load(a + i), turned);
        v128.store(sums + i, madd(slope, splat(dt), v128.load(sums + i)));
        const qB = dB + t * step;
        const qC = dC + t * step;
        put(qB, madd(input, gt, v128.load(qB + i)), bytes, i);
        put(qC, madd(out, v128.load(h + wide + i), v128.load(qC + i)), bytes, i);
      }
      const q = sumLanes(met);
      const dq = x * q + sumLanes(turned);
      const pu = du + (t << 2);
      const pd = ddelta + (t << 2);
      store<f32>(pu, more ? load<f32>(pu) + dt * q : dt * q);
      store<f32>(pd, more ? load<f32>(pd) + dq : dq);
    }
  }
}

/**
 * Steps [from, to) from h at `states`. With `stride` every h follows the one before, and every decay: h_t is at
 * `states` + (t + 1 - from) stride; with 0 only the last stays.
 */
function advance(from: usize, to: usize, step: usize, bytes: usize, stride: usize, u: usize, delta: usize, B: usize, begins: usize, states: usize, decays: usize): void {
  const a = rowA();
  let h = states;
  let keep = decays;
  for (let t = from; t < to; ++t) {
    const dt = v128.load32_splat(delta + (t << 2));
    const input = f32x4.mul(dt, v128.load32_splat(u + (t << 2)));
    const fresh = begins != 0 && load<u8>(begins + t) != 0;
    for (let i: usize = 0; i < bytes; i += 16) {
      const decay = fresh ? splat(0) : exp(f32x4.mul(dt, v128.load(a + i)));
      const said = f32x4.mul(input, inside(v128.load(B + t * step + i), bytes, i));
      v128.store(h + stride + i, madd(decay, v128.load(h + i), said));
      if (stride != 0) v128.store(keep + i, decay);
    }
    h += stride;
    keep += stride;
  }
}
