import { afterEach, expect, it, vi } from 'vitest';
import { useBackend } from '../src/cli/backend';

const kept = globalThis.SharedArrayBuffer;
afterEach(() => {
  globalThis.SharedArrayBuffer = kept;
  vi.restoreAllMocks();
});

it('a backend that the machine makes slow is told on stderr, one that was asked for is not', () => {
  const said: string[] = [];
  vi.spyOn(console, 'error').mockImplementation((line: string) => void said.push(line));
  expect(useBackend('cpu:none').info().executor).toBe('reference');
  expect(useBackend('cpu').info().executor).toBe('wasm-simd');
  expect(said).toEqual([]);
  Reflect.deleteProperty(globalThis, 'SharedArrayBuffer');
  expect(useBackend('cpu').info().threads).toBe(1);
  expect(said.join()).toContain('the backend is slow here');
  expect(said.join()).toContain('one thread: there is no SharedArrayBuffer');
});
