/** The rows of the reliability table. */
import type { Row } from './row';
import { accumulation } from './rows/accumulation';
import { algebra } from './rows/algebra';
import { backendsAgree } from './rows/backends-agree';
import { cachedDecoding } from './rows/cached-decoding';
import { checkpoints } from './rows/checkpoints';
import { gradients } from './rows/gradients';
import { hostileFiles } from './rows/hostile-files';
import { refusedWrites } from './rows/refused-writes';
import { tape } from './rows/tape';
import { tokenizers } from './rows/tokenizers';
import { wrongCalls } from './rows/wrong-calls';

export const rows: readonly Row[] = [
  tape,
  wrongCalls,
  accumulation,
  gradients,
  algebra,
  backendsAgree,
  cachedDecoding,
  hostileFiles,
  checkpoints,
  refusedWrites,
  tokenizers,
];
