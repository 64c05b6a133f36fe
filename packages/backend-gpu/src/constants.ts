/** Tables of numbers that kernels read (frequencies, twiddles): uploaded once, the least used dropped. */
import type { DeviceArray, Executor } from './executor';

/** Tables that are kept. */
const most = 64;

/** Constants of one backend. */
export class Constants {
  readonly #executor: Executor;
  readonly #arrays = new Map<string, DeviceArray>();

  constructor(executor: Executor) {
    this.#executor = executor;
  }

  /** The table of this name; `make` gives its numbers the first time. */
  get(name: string, make: () => Float32Array): DeviceArray {
    const known = this.#arrays.get(name);
    const array = known ?? this.#executor.upload(make(), false);
    // the last used stands last
    this.#arrays.delete(name);
    this.#arrays.set(name, array);
    if (this.#arrays.size > most) {
      const [oldest, unused] = this.#arrays.entries().next().value!;
      this.#arrays.delete(oldest);
      this.#executor.release(unused);
    }
    return array;
  }
}
