/** Which memory is under watch for leaks. What a collection then reports is `leaks.test.ts`, in a process of its own. */
import { referenceBackend } from '@loretta-ts/backend-cpu';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { setBackend, tensor } from '../src';
import { reportLeaks } from '../src/debug';

/** A registry whose collections are decided here. */
class Registry {
  static made: Registry[] = [];
  readonly held = new Map<object, string>();
  readonly report: (what: string) => void;

  constructor(report: (what: string) => void) {
    this.report = report;
    Registry.made.push(this);
  }

  register(_target: object, what: string, token: object): void {
    this.held.set(token, what);
  }

  unregister(token: object): void {
    this.held.delete(token);
  }

  /** As when the engine has collected all that is registered. */
  collect(): void {
    for (const what of this.held.values()) this.report(what);
  }
}

beforeEach(() => {
  setBackend(referenceBackend());
  Registry.made = [];
  vi.stubGlobal('FinalizationRegistry', Registry);
});
afterEach(() => {
  reportLeaks(null);
  vi.unstubAllGlobals();
});

it('memory is watched from when it is made until its last handle is disposed', () => {
  const found: string[] = [];
  reportLeaks((what) => found.push(what));
  const [registry] = Registry.made;
  const x = tensor([1, 2, 3]);
  const view = x.reshape(3, 1);
  expect([...registry!.held.values()]).toEqual(['reference: f32[3] was never disposed']);
  x.dispose();
  registry!.collect();
  expect(found).toEqual(['reference: f32[3] was never disposed']);
  view.dispose();
  expect(registry!.held.size).toBe(0);
});

it('nothing is watched before it is asked for, or after null', () => {
  tensor([1]);
  expect(Registry.made).toHaveLength(0);
  reportLeaks(() => undefined);
  const x = tensor([1, 2]);
  reportLeaks(null);
  tensor([1, 2, 3]);
  expect(Registry.made.map((r) => r.held.size)).toEqual([1]);
  x.dispose();
});
