/** The rows of the reliability table. */
import type { Row } from './row';
import { accumulation } from './rows/accumulation';
import { algebra } from './rows/algebra';
import { backendsAgree } from './rows/backends-agree';
import { cachedDecoding } from './rows/cached-decoding';
import { checkpoints } from './rows/checkpoints';
import { determinism } from './rows/determinism';
import { gradients } from './rows/gradients';
import { hostileFiles } from './rows/hostile-files';
import { leaks } from './rows/leaks';
import { memoryLimit } from './rows/memory-limit';
import { nonFinite } from './rows/non-finite';
import { refusedWrites } from './rows/refused-writes';
import { replay } from './rows/replay';
import { resume } from './rows/resume';
import { soak } from './rows/soak';
import { tape } from './rows/tape';
import { threadsRow } from './rows/threads';
import { tokenizers } from './rows/tokenizers';
import { wrongCalls } from './rows/wrong-calls';

/** Rows that are tested side by side: each group in a file of its own, GROUP.test.ts. */
export const groups = {
  numbers: [tape, wrongCalls, accumulation, gradients, algebra, backendsAgree, cachedDecoding],
  faults: [
    ...[nonFinite, leaks, memoryLimit, threadsRow],
    ...[hostileFiles, checkpoints, refusedWrites, tokenizers],
  ],
  processes: [determinism, replay, resume, soak],
} satisfies Record<string, readonly Row[]>;

export const rows: readonly Row[] = Object.values(groups).flat();
