/** The backend of a command. */
import { type Backend, setBackend } from '@loretta-ts/core';
import pc from 'picocolors';
import { chooseBackend } from '../node/choose-backend';

/** Sets the backend of this name. What it has to do without, and makes it slow, is said on stderr. */
export function useBackend(name: string): Backend {
  const backend = chooseBackend(name);
  setBackend(backend);
  const { executor, threads, fallbackReason } = backend.info();
  if (fallbackReason !== null && (executor === 'reference' || threads === 1)) {
    console.error(`${pc.yellow('loretta:')} the backend is slow here: ${fallbackReason}`);
  }
  return backend;
}
