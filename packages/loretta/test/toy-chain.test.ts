/** A chain of four modalities A–B–C–D: the ends are two links apart. */
import { cpu } from '@loretta-ts/backend-cpu';
import { setBackend } from '@loretta-ts/core';
import { beforeAll, describe, expect, test } from 'vitest';
import { TOY_CHAIN } from '../src/data/toy';
import type { ToyEvaluation } from '../src/experiment/toy-run';
import { compareArms, describeDirection } from './toy-arms';

let commutative: ToyEvaluation;
let transitive: ToyEvaluation;
const settings = { seed: 0, dim: 32, lr: 1e-2, steps: 1300, switchAt: 450 };

beforeAll(async () => {
  setBackend(cpu());
  ({ commutative, transitive } = await compareArms(TOY_CHAIN, settings, 500));
}, 600_000);

describe('a chain of four modalities', () => {
  test.each(['backward', 'forward'] as const)(
    '%s: A and D, never seen together, are linked',
    (direction) => {
      const [before, after] = [commutative[direction], transitive[direction]];
      const seen = `seed ${settings.seed}; ${describeDirection('commutative', before)}; ${describeDirection('transitive', after)}`;
      expect([after.from, after.to].sort()).toEqual(['A', 'D']);
      expect(after.accuracy.value - before.accuracy.value, seen).toBeGreaterThan(0.12);
      expect(before.bits.value - after.bits.value, seen).toBeGreaterThan(0.3);
      expect(after.bits.value, seen).toBeLessThan(after.optimum.unconditional);
      for (const { excess } of [before, after]) expect(excess.high, seen).toBeGreaterThan(0);
    },
  );
});
