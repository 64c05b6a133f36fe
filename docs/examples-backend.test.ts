/** The toy backend of the guide is a backend: the conformance kit passes on it, and a model trains as on any other. */
import { cpu, referenceBackend } from '@loretta-ts/backend-cpu';
import { BackendError } from '@loretta-ts/core';
import { describeBackend } from '@loretta-ts/core/testing';
import { describe, expect, it } from 'vitest';
import { plainBackend } from './examples/backend/backend';
import { counted } from './examples/backend/counted';
import { trainOn } from './examples/backend/train';

describeBackend('plain arrays', plainBackend, {
  runner: { describe, it },
  reference: referenceBackend,
  runs: 5,
});

describe('backend', () => {
  it('trains as cpu() does, and gives all memory back', async () => {
    const { backend, counts } = counted(plainBackend());
    const ours = await trainOn(backend, 6);
    const theirs = await trainOn(cpu(), 6);
    expect(ours).toHaveLength(6);
    for (const [i, loss] of ours.entries()) expect(loss).toBeCloseTo(theirs[i]!, 4);
    expect(ours[5]).toBeLessThan(ours[0]!);
    expect(backend.memory()).toMatchObject({ buffers: 0, bytes: 0 });
    expect(counts.get('matmul')!.calls).toBeGreaterThan(6);
    expect(counts.has('softmax')).toBe(false); // fused ops run decomposed
  });

  it('refuses a buffer that was freed, and one of another backend', () => {
    const backend = plainBackend();
    const buffer = backend.alloc(2, 'f32');
    backend.free(buffer);
    expect(() => backend.free(buffer)).toThrow(BackendError);
    const foreign = cpu().alloc(2, 'f32');
    expect(() => backend.write(foreign, 0, Float32Array.of(1))).toThrow(BackendError);
  });
});
