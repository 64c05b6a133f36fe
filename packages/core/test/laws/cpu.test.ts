/** The laws of every op on the CPU backend. */
import { cpu, referenceBackend } from '@loretta-ts/backend-cpu';
import { describe, it } from 'vitest';
import { describeBackend } from '../../src/testing';

describeBackend('cpu', cpu, {
  runner: { describe, it },
  reference: referenceBackend,
  // in f64 it runs the reference's loops, whose gradients reference.test.ts checks at length
  gradientRuns: 2,
});
