/** Run by a vitest of its own, with coverage: instrumented code must still give kernels that compile. */
import { expect, it } from 'vitest';
import { main } from '../app';

it.each(['cpu', 'webasm'] as const)('kernels of mode %s run under coverage', async (mode) => {
  const numbers = await main(mode);
  expect(numbers).toHaveLength(11);
  for (const x of numbers) expect(x).toSatisfy(Number.isFinite);
});
