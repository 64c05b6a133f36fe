import fc from 'fast-check';
import { expect, it } from 'vitest';
import { makeDelta } from '../scripts/delta.mjs';
import { applyDelta } from '../src/wasm/delta';

it('puts any bytes together again from any base, and near copies from little', () => {
  const bytes = fc.uint8Array({ maxLength: 300 });
  const cut = fc.record({ at: fc.nat(299), drop: fc.nat(9), add: fc.uint8Array({ maxLength: 9 }) });
  fc.assert(
    fc.property(bytes, bytes, fc.array(cut, { maxLength: 4 }), (base, other, cuts) => {
      const near = [...base];
      for (const { at, drop, add } of cuts) near.splice(at, drop, ...add);
      for (const target of [other, Uint8Array.from(near)]) {
        const delta = makeDelta(Buffer.from(base), Buffer.from(target));
        expect([...applyDelta(base, delta)]).toEqual([...target]);
      }
      expect(makeDelta(Buffer.from(base), Buffer.from(base)).length).toBeLessThan(16);
    }),
    { numRuns: 300 },
  );
});
