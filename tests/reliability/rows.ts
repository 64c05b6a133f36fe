/** The rows of the reliability table. */
import type { Row } from './row';
import { accumulation } from './rows/accumulation';
import { checkpoints } from './rows/checkpoints';
import { hostileFiles } from './rows/hostile-files';
import { refusedWrites } from './rows/refused-writes';
import { tape } from './rows/tape';
import { tokenizers } from './rows/tokenizers';

export const rows: readonly Row[] = [
  tape,
  accumulation,
  hostileFiles,
  checkpoints,
  refusedWrites,
  tokenizers,
];
