/** Learning rates by step, from 0. */
import { ValueError } from '@loretta-ts/core';
import { checkSize } from './optimizer';

/** The rate of optimiser step 0, 1, 2, …. */
export type Schedule = (step: number) => number;

/**
 * Linear warm-up lr · (i + 1) / (warmup + 1), then a cosine from lr to `minLr` at `total`, then `minLr` (nanoGPT).
 * @param warmup steps @param total steps
 */
export function cosineWarmupMin(lr: number, warmup: number, total: number, minLr = 0): Schedule {
  check('cosineWarmupMin', lr, warmup, total);
  return (i) => {
    if (i < warmup) return (lr * (i + 1)) / (warmup + 1);
    if (i >= total) return minLr;
    return minLr + ((lr - minLr) * (1 + Math.cos((Math.PI * (i - warmup)) / (total - warmup)))) / 2;
  };
}

/** Linear warm-up lr · i / warmup, then a cosine from lr to 0 at `total` (Hugging Face). */
export function cosineWarmup(lr: number, warmup: number, total: number): Schedule {
  check('cosineWarmup', lr, warmup, total);
  return (i) => {
    if (i < warmup) return (lr * i) / Math.max(1, warmup);
    const t = (i - warmup) / Math.max(1, total - warmup);
    return t <= 1 ? lr * Math.max(0, (1 + Math.cos(Math.PI * t)) / 2) : 0;
  };
}

/** Linear warm-up lr · i / warmup, then linearly to 0 at `total` (Hugging Face). */
export function linearWarmup(lr: number, warmup: number, total: number): Schedule {
  check('linearWarmup', lr, warmup, total);
  return (i) =>
    i < warmup
      ? (lr * i) / Math.max(1, warmup)
      : lr * Math.max(0, (total - i) / Math.max(1, total - warmup));
}

/** Linear warm-up lr · i / warmup, then lr. */
export function constantWarmup(lr: number, warmup: number): Schedule {
  check('constantWarmup', lr, warmup, warmup);
  return (i) => (i < warmup ? (lr * i) / warmup : lr);
}

/** lr · gamma^⌊i / stepSize⌋. */
export function stepDecay(lr: number, stepSize: number, gamma: number): Schedule {
  check('stepDecay', lr, stepSize, stepSize);
  return (i) => lr * gamma ** Math.floor(i / stepSize);
}

function check(op: string, lr: number, first: number, last: number): void {
  checkSize(op, 'lr', lr);
  if (!(first >= 0 && last >= first && Number.isFinite(last))) {
    throw new ValueError(op, `needs 0 <= ${first} <= ${last}: total must reach beyond the warm-up`);
  }
}
