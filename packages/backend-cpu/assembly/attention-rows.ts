/** Online softmax over the rows of a block of scores, and what else attention does with rows. */
import { expNegative, log, maxLanes, splat, sumLanes } from './vector';

/** n values times x. */
export function scaleValues(p: usize, n: i32, x: f32): void {
  const by = splat(x);
  const end = p + (<usize>n << 2);
  let q = p;
  for (; q + 16 <= end; q += 16) v128.store(q, f32x4.mul(v128.load(q), by));
  for (; q < end; q += 4) store<f32>(q, load<f32>(q) * x);
}

function rowPeak(row: usize, bytes: usize): f32 {
  let m = v128.load(row);
  for (let p: usize = 16; p < bytes; p += 16) m = f32x4.pmax(m, v128.load(row + p));
  return maxLanes(m);
}

// Scores become e^(score - m); their sum.
function rowExp(row: usize, bytes: usize, m: f32): f32 {
  const top = splat(m);
  let sum = splat(0);
  for (let p: usize = 0; p < bytes; p += 16) {
    const e = expNegative(f32x4.sub(v128.load(row + p), top));
    v128.store(row + p, e);
    sum = f32x4.add(sum, e);
  }
  return sumLanes(sum);
}

/**
 * Scores of a row become e^(score - peak), and peak and sum take them in. Returns the factor by which what was added up
 * before has to shrink; 0 where there is nothing (`fresh`).
 */
export function foldRow(row: usize, bytes: usize, peak: usize, sum: usize, fresh: bool): f32 {
  const before = load<f32>(peak);
  const now = max<f32>(before, rowPeak(row, bytes));
  // A row that has seen nothing yet: -inf scores must become 0.
  const m: f32 = now == -Infinity ? 0 : now;
  const shrink: f32 = fresh ? 0 : f32x4.extract_lane(expNegative(splat(before - m)), 0);
  const own = rowExp(row, bytes, m);
  store<f32>(peak, now);
  store<f32>(sum, load<f32>(sum) * shrink + own);
  return shrink;
}

/** Log-sum-exp from peak and sum; o divided by the sum. A row that saw nothing has sum 0, lse -inf and o 0. */
export function finishRow(lse: usize, o: usize, dv: i32, peak: f32, sum: f32): void {
  const blind = sum == 0;
  store<f32>(lse, blind ? -Infinity : peak + f32x4.extract_lane(log(splat(sum)), 0));
  if (blind) memory.fill(o, 0, <usize>dv << 2);
  else scaleValues(o, dv, <f32>1 / sum);
}
