/** The rows of the reliability table. */
import type { Row } from './row';
import { accumulation } from './rows/accumulation';
import { checkpoints } from './rows/checkpoints';
import { tape } from './rows/tape';
import { tokenizers } from './rows/tokenizers';

export const rows: readonly Row[] = [tape, accumulation, checkpoints, tokenizers];
