/** Drawings become what MNIST has: wherever and however large they are drawn. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { centred, type Ink } from '../../docs/playground/src/digit';

/** An L of strokes of a width, its corner at (x, y). */
function drawn(side: number, x: number, y: number, size: number, width: number): Ink {
  const data = new Uint8Array(side * side);
  for (let i = 0; i < size; i++) {
    for (let j = 0; j < width; j++) {
      data[(y + i) * side + x + j] = 255;
      data[(y + size - 1 - j) * side + x + i] = 255;
    }
  }
  return { width: side, height: side, data };
}

/** Centre of mass, and the larger side of what has ink. */
function measure(pixels: Uint8Array, side: number): { x: number; y: number; size: number } {
  let [mass, x, y] = [0, 0, 0];
  const [columns, rows] = [new Set<number>(), new Set<number>()];
  pixels.forEach((v, i) => {
    if (v < 64) return;
    columns.add(i % side);
    rows.add(Math.floor(i / side));
  });
  pixels.forEach((v, i) => {
    mass += v;
    x += v * ((i % side) + 0.5);
    y += v * (Math.floor(i / side) + 0.5);
  });
  return { x: x / mass, y: y / mass, size: Math.max(columns.size, rows.size) };
}

it('has its centre of mass in the middle and fills 20 of 28, wherever it is drawn', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 60, max: 160 }),
      fc.integer({ min: 0, max: 100 }),
      fc.integer({ min: 0, max: 100 }),
      (size, x, y) => {
        const pixels = centred(drawn(280, x, y, size, Math.ceil(size / 6)), 28)!;
        const found = measure(pixels, 28);
        expect(Math.abs(found.x - 14)).toBeLessThan(0.6);
        expect(Math.abs(found.y - 14)).toBeLessThan(0.6);
        expect(Math.abs(found.size - 20)).toBeLessThanOrEqual(1);
      },
    ),
    { seed: 1, numRuns: 50 },
  );
});

it('is the same wherever it is drawn', () => {
  const one = centred(drawn(280, 10, 20, 100, 20), 28);
  expect(centred(drawn(280, 150, 90, 100, 20), 28)).toEqual(one);
});

it('is nothing where nothing is drawn', () => {
  expect(centred({ width: 280, height: 280, data: new Uint8Array(280 * 280) }, 28)).toBeNull();
});

it('stays inside where its mass is far from the middle of its box', () => {
  // a heavy bar on the left and one far dot: the dot may leave the picture, the bar must not
  const ink = drawn(280, 0, 0, 200, 60);
  ink.data[100 * 280 + 279] = 255;
  const pixels = centred(ink, 28)!;
  expect(pixels.length).toBe(784);
  expect(Math.max(...pixels)).toBeGreaterThan(200);
});
