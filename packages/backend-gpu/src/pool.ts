/**
 * Storage of dead results, given to the next result of its size: gpu.js allocates for every result, which drivers do
 * slowly. A context or device is taught to ask the pool first.
 */

/** Bytes that may wait in the pool. */
const mostBytes = 2 ** 28;

/** What a result needs: two results of one kind fit into each other's storage. */
export interface StorageKind {
  readonly key: string;
  readonly bytes: number;
}

interface Waiting {
  readonly kind: StorageKind;
  readonly free: (() => void)[];
  readonly storage: object[];
}

/** Dead storage by kind; the kinds not used for longest are freed first. */
export class Pool {
  readonly #most: number;
  readonly #waiting = new Map<string, Waiting>();
  #bytes = 0;
  #size = 0;
  #open = true;
  /** Of the result that comes next; null where its kind is not known yet. */
  next: StorageKind | null = null;
  /** How often the pool had nothing, and the device allocated. */
  allocated = 0;

  constructor(most: number = mostBytes) {
    this.#most = most;
  }

  /** Results' storage that waits. */
  get size(): number {
    return this.#size;
  }

  take({ key, bytes }: StorageKind): object | null {
    const waiting = this.#waiting.get(key);
    const storage = waiting?.storage.pop();
    if (waiting === undefined || storage === undefined) {
      this.allocated++;
      return null;
    }
    waiting.free.pop();
    this.#waiting.delete(key);
    this.#waiting.set(key, waiting);
    this.#bytes -= bytes;
    this.#size--;
    return storage;
  }

  /** Takes storage over; `free` is what the device does without a pool. */
  put(storage: object, kind: StorageKind, free: () => void): void {
    if (!this.#open || kind.bytes > this.#most) {
      free();
      return;
    }
    const { key, bytes } = kind;
    const waiting = this.#waiting.get(key) ?? { kind, free: [], storage: [] };
    this.#waiting.delete(key);
    this.#waiting.set(key, waiting);
    waiting.storage.push(storage);
    waiting.free.push(free);
    this.#bytes += bytes;
    this.#size++;
    for (const oldest of this.#waiting.keys()) {
      if (this.#bytes <= this.#most) return;
      this.#drop(oldest);
    }
  }

  /** Frees what waits; what comes later is freed at once. */
  close(): void {
    this.#open = false;
    for (const key of [...this.#waiting.keys()]) this.#drop(key);
  }

  #drop(key: string): void {
    const { kind, free } = this.#waiting.get(key)!;
    for (const one of free) one();
    this.#bytes -= kind.bytes * free.length;
    this.#size -= free.length;
    this.#waiting.delete(key);
  }
}

type Call = (...args: unknown[]) => unknown;

/** The calls of a WebGL context that make and end textures; `texStorage2D` is WebGL2's. */
interface TextureCalls {
  createTexture(): object | null;
  deleteTexture(texture: object | null): void;
  texImage2D: Call;
  texStorage2D?: Call;
}

/** The call of a WebGPU device that makes buffers. */
interface BufferCalls {
  createBuffer(descriptor: { readonly size: number; readonly usage: number }): {
    destroy(): void;
  };
}

/** Replaces methods of an object until the function that it returns is called. */
function replace<T extends object>(target: T, methods: Partial<T>): () => void {
  const names = Object.keys(methods) as (keyof T)[];
  const before = names.map((n) => Object.getOwnPropertyDescriptor(target, n));
  Object.assign(target, methods);
  return () => {
    for (const [i, name] of names.entries()) {
      // somebody else's since then: it calls ours, which only passes on
      if (target[name] !== methods[name]) continue;
      delete target[name];
      if (before[i] !== undefined) Object.defineProperty(target, name, before[i]);
    }
  };
}

/**
 * Textures of a WebGL context come from the pool where `pool.next` says what they will be. gpu.js gives a texture its size
 * right after it made it: one from the pool has its size. Returns what undoes it.
 */
export function poolTextures(context: object, pool: Pool): () => void {
  const gl = context as TextureCalls;
  const create = gl.createTexture.bind(gl);
  const end = gl.deleteTexture.bind(gl);
  const kinds = new WeakMap<object, StorageKind>();
  let sized = false;
  const sizing = (call: Call): Call => {
    const real = call.bind(gl);
    return (...args) => {
      const skip = sized && (args.length === 5 || args.at(-1) === null);
      sized = false;
      return skip ? undefined : real(...args);
    };
  };
  return replace(gl, {
    createTexture() {
      const kind = pool.next;
      const taken = kind === null ? null : pool.take(kind);
      sized = taken !== null;
      const texture = taken ?? create();
      if (texture !== null && kind !== null) kinds.set(texture, kind);
      return texture;
    },
    deleteTexture(texture) {
      const kind = texture === null ? undefined : kinds.get(texture);
      if (texture === null || kind === undefined) end(texture);
      else pool.put(texture, kind, () => end(texture));
    },
    texImage2D: sizing(gl.texImage2D),
    ...(gl.texStorage2D !== undefined && { texStorage2D: sizing(gl.texStorage2D) }),
  });
}

/** Usage of the buffers that gpu.js makes for results: storage, and the source of copies. */
const resultUsage = 0x80 | 0x04;

/** Buffers for results of a WebGPU device come from the pool. Returns what undoes it. */
export function poolBuffers(context: object, pool: Pool): () => void {
  const device = context as BufferCalls;
  const create = device.createBuffer.bind(device);
  return replace(device, {
    createBuffer(descriptor) {
      const { size, usage } = descriptor;
      if (usage !== resultUsage) return create(descriptor);
      const kind = { key: `${size}`, bytes: size };
      const taken = pool.take(kind) as ReturnType<typeof create> | null;
      if (taken !== null) return taken;
      const buffer = create(descriptor);
      const free = buffer.destroy.bind(buffer);
      buffer.destroy = () => pool.put(buffer, kind, free);
      return buffer;
    },
  });
}
