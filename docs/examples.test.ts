import { referenceBackend } from '@loretta-ts/backend-cpu';
import { describeBackend } from '@loretta-ts/core/testing';
import { describe, expect, it } from 'vitest';
import { plainBackend } from './examples/backend/backend';

describeBackend('backend: plain arrays', plainBackend, {
  runner: { describe, it },
  reference: referenceBackend,
  runs: 5,
});
