/** The laws of every op on the plain reference. */
import { referenceBackend } from '@loretta-ts/backend-cpu';
import { describe, it } from 'vitest';
import { describeBackend } from '../../src/testing';

describeBackend('reference', referenceBackend, {
  runner: { describe, it },
  reference: referenceBackend,
});
