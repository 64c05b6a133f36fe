/** A worker as the page sees it: calls that are answered, and events. */
import type { Calls, Reply, TrainEvent } from './protocol';

interface Waiting {
  readonly done: (answer: never) => void;
  readonly failed: (error: Error) => void;
}

/** One worker with a backend and models of its own. */
export class ModelWorker {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  #next = 0;

  /** @param onEvent called with what a training tells */
  constructor(onEvent: (event: TrainEvent) => void = () => undefined) {
    this.#worker = new Worker(new URL('./worker/main.ts', import.meta.url), { type: 'module' });
    this.#worker.addEventListener('message', ({ data }: MessageEvent<Reply>) => {
      if ('event' in data) {
        onEvent(data.event);
        return;
      }
      const waiting = this.#waiting.get(data.id);
      this.#waiting.delete(data.id);
      if ('error' in data) waiting?.failed(new Error(data.error));
      else waiting?.done(data.answer as never);
    });
    this.#worker.addEventListener('error', ({ message }) => {
      for (const { failed } of this.#waiting.values()) failed(new Error(message));
      this.#waiting.clear();
    });
  }

  /** @throws Error with the message of what the worker threw */
  call<N extends keyof Calls>(name: N, asked: Calls[N]['asked']): Promise<Calls[N]['answer']> {
    const id = this.#next++;
    return new Promise((done, failed) => {
      this.#waiting.set(id, { done, failed });
      this.#worker.postMessage({ id, name, asked });
    });
  }

  /** Ends it; calls under way fail. */
  end(): void {
    this.#worker.terminate();
    for (const { failed } of this.#waiting.values()) failed(new Error('the worker was ended'));
    this.#waiting.clear();
  }
}
