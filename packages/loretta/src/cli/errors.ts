/** Exit codes: 0 done, 1 failed, 2 used wrongly, 130 stopped by the user. */
import pc from 'picocolors';
import { DataError } from '../data/errors';
import { Stopped } from './stop';

/** Wrong words on the command line. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** Errors with a message that says it all; anything else shows where it came from. */
const EXPLAINED = new Set([
  'UsageError',
  'DataError',
  'TokenizerError',
  'CheckpointError',
  'StateDictError',
  'SafetensorsError',
  'NonFiniteError',
  'ValueError',
  'BackendError',
]);

/** Prints an error in one line and gives the exit code. */
export function report(error: unknown): number {
  const e = error instanceof Error ? error : new Error(String(error));
  if (e instanceof Stopped) {
    console.error(`${pc.yellow('loretta:')} ${e.message}`);
    return 130;
  }
  // what the system refuses (a full disk, a folder that is not writable) says so itself
  const known = EXPLAINED.has(e.name) || 'syscall' in e;
  console.error(
    known
      ? `${pc.red('loretta:')} ${e.message.replaceAll('\n', ' ')}`
      : `${pc.red('loretta:')} ${e.stack ?? e.message}`,
  );
  return e instanceof UsageError || (e instanceof DataError && e.kind === 'config') ? 2 : 1;
}
