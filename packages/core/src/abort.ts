/** Stopping long work. */

/** Options of what takes long. */
export interface Abortable {
  /**
   * Stops the work at its next step with what the signal was aborted with. Nothing is left behind: tensors are freed, and
   * what was being trained stands where its last whole step left it.
   */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Throws what the signal was aborted with. Before it looks, the event loop has its turn: timers, input and interrupts are
 * heard between two steps of work that awaits nothing else. Without a signal nothing happens, at once.
 */
export async function throwIfAborted(signal: AbortSignal | undefined): Promise<void> {
  if (signal === undefined) return;
  signal.throwIfAborted();
  await turn();
  signal.throwIfAborted();
}

/** A task behind those that wait: a timer would take a millisecond and more. */
function turn(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}
