import { afterEach, expect, it, vi } from 'vitest';
import { useBackend } from '../src/cli/backend';

const kept = globalThis.WebAssembly;
afterEach(() => {
  globalThis.WebAssembly = kept;
  vi.restoreAllMocks();
});

it('a backend that the machine makes slow is told on stderr, one that was asked for is not', () => {
  const said: string[] = [];
  vi.spyOn(console, 'error').mockImplementation((line: string) => void said.push(line));
  expect(useBackend('cpu:none').info().executor).toBe('reference');
  expect(useBackend('cpu').info().executor).toBe('wasm-simd');
  expect(said).toEqual([]);
  Reflect.deleteProperty(globalThis, 'WebAssembly');
  expect(useBackend('cpu').info().executor).toBe('reference');
  expect(said.join()).toContain('the backend is slow here: the engine has no WebAssembly');
});
