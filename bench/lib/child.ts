/** The parent's side of the line protocol: a contestant's process. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { About } from '../peers/serve.mjs';
import type { Case } from './cases';
import type { Contestant } from './contestants';

/** One sample; times in ms for one repetition. */
export interface Sample {
  readonly wall: number;
  readonly cpu: number;
  readonly extra: Readonly<Record<string, number>>;
}

/** What a child found while it prepared a case. */
export interface Prepared {
  readonly reps: number;
  /** Numbers that must agree between contestants. */
  readonly check: readonly number[];
}

/** Slower answers than this are taken for a hang. */
const patience = 300_000;

/** A running contestant. One question at a time. */
export class Child {
  readonly #process: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  #stderr = '';

  constructor({ command: [file, ...args] }: Contestant) {
    this.#process = spawn(file, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    this.#process.on('error', (error) => {
      this.#stderr = error.message;
    });
    this.#process.stdin!.on('error', () => undefined); // a child that died is seen by `#ask`
    this.#process.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-2000);
    });
    this.#lines = createInterface({ input: this.#process.stdout! })[Symbol.asyncIterator]();
  }

  about(): Promise<About> {
    return this.#ask({ op: 'about' });
  }

  prepare(request: Case, target: number): Promise<Prepared> {
    return this.#ask({ op: 'prepare', request, target });
  }

  run(): Promise<Sample> {
    return this.#ask({ op: 'run' });
  }

  /** Ends the case; `rss` is the most MiB that the process ever had. */
  end(): Promise<{ readonly rss: number }> {
    return this.#ask({ op: 'end' });
  }

  /** Ends the process. */
  close(): void {
    this.#process.stdin!.end();
    this.#process.kill();
  }

  /** @throws Error with the child's message, or with what it wrote when it died */
  async #ask<T>(question: object): Promise<T> {
    this.#process.stdin!.write(`${JSON.stringify(question)}\n`);
    const timer = setTimeout(() => this.#process.kill('SIGKILL'), patience);
    try {
      for (;;) {
        const { value, done } = await this.#lines.next();
        if (done === true) throw new Error(this.#lastWords());
        if (!value.startsWith('@@')) continue; // a library talks
        const answer = JSON.parse(value.slice(2)) as T & { error?: string };
        if (answer.error !== undefined) throw new Error(answer.error);
        return answer;
      }
    } finally {
      clearTimeout(timer);
    }
  }

  #lastWords(): string {
    const lines = this.#stderr.trim().split('\n');
    const error = lines.find((line) => /error/i.test(line)) ?? lines.at(-1) ?? '';
    return `the process ended: ${error.trim() || 'without a word'}`;
  }
}
