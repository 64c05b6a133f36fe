/** Ctrl-C: the first stops after the step in progress, a second at once. */

/** The user stopped the work. Its message says how to go on; the exit code is 130. */
export class Stopped extends Error {
  override readonly name = 'Stopped';
}

/** A terminal and a parent may both pass one Ctrl-C on. */
const SAME_MS = 500;

/** A signal that Ctrl-C (or SIGTERM) aborts; disposing of it gives the keys back. @param how what to do to go on */
export function stopSignal(how: string): Disposable & { readonly signal: AbortSignal } {
  const controller = new AbortController();
  let first = 0;
  const stop = (): void => {
    if (!controller.signal.aborted) {
      first = performance.now();
      console.error('stopping after this step; Ctrl-C again ends at once');
      controller.abort(new Stopped(`stopped; ${how}`));
    } else if (performance.now() - first > SAME_MS) process.exit(130);
  };
  const signals = ['SIGINT', 'SIGTERM'] as const;
  for (const name of signals) process.on(name, stop);
  return {
    signal: controller.signal,
    [Symbol.dispose]() {
      for (const name of signals) process.off(name, stop);
    },
  };
}
