/**
 * Runs a WASI command on files held in memory: the thirteen calls that a program compiled for `wasi_snapshot_preview1`
 * needs to read arguments and files. No clock, no network, no file system, so that a run depends on its input alone.
 */
import { DataError } from './errors';

/** What a command left behind. */
export interface WasiRun {
  readonly exitCode: number;
  /** Standard output and standard error as they came. */
  readonly log: string;
  /** Content of every file, input files included. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** Length that a file had each time it was closed. */
  readonly lengthsAtClose: ReadonlyMap<string, readonly number[]>;
}

interface MemoryFile {
  readonly name: string;
  bytes: Uint8Array;
  length: number;
  readonly closes: number[];
}

interface OpenFile {
  readonly file: MemoryFile;
  position: number;
}

const SUCCESS = 0;
const BAD_DESCRIPTOR = 8;
const NO_ENTRY = 44;
const NOT_SEEKABLE = 70;
const ROOT = 3;
const CREATE = 1;
const TRUNCATE = 8;
const TYPE_CHARACTER = 2;
const TYPE_DIRECTORY = 3;
const TYPE_FILE = 4;

class Exit extends Error {
  readonly code: number;
  constructor(code: number) {
    super(`exit ${code}`);
    this.code = code;
  }
}

/** Runs the command to its end. @throws DataError when it traps or does not export memory and _start */
export function runWasi(
  module: WebAssembly.Module,
  args: readonly string[],
  input: Readonly<Record<string, Uint8Array>>,
): WasiRun {
  const host = new WasiHost(args, input);
  const instance = new WebAssembly.Instance(module, { wasi_snapshot_preview1: host.imports() });
  const { memory, _start: start } = instance.exports;
  if (!(memory instanceof WebAssembly.Memory) || typeof start !== 'function') {
    throw new DataError('format', args[0] ?? 'wasi', 'not a WASI command: no memory or _start');
  }
  host.memory = memory;
  let exitCode = 0;
  try {
    start();
  } catch (error) {
    if (error instanceof WebAssembly.RuntimeError) {
      throw new DataError('format', args[0] ?? 'wasi', `trapped (${error.message}): ${host.log}`);
    }
    if (!(error instanceof Exit)) throw error;
    exitCode = error.code;
  }
  return { exitCode, log: host.log, ...host.results() };
}

class WasiHost {
  memory: WebAssembly.Memory | null = null;
  log = '';
  readonly #args: readonly Uint8Array[];
  readonly #files = new Map<string, MemoryFile>();
  readonly #open = new Map<number, OpenFile>();
  #nextDescriptor = ROOT + 1;

  constructor(args: readonly string[], input: Readonly<Record<string, Uint8Array>>) {
    const encoder = new TextEncoder();
    this.#args = args.map((arg) => encoder.encode(`${arg}\0`));
    for (const [name, bytes] of Object.entries(input)) {
      this.#files.set(name, { name, bytes, length: bytes.length, closes: [] });
    }
  }

  results(): Pick<WasiRun, 'files' | 'lengthsAtClose'> {
    const all = [...this.#files.values()];
    return {
      files: new Map(all.map((f) => [f.name, f.bytes.slice(0, f.length)])),
      lengthsAtClose: new Map(all.map((f) => [f.name, f.closes])),
    };
  }

  imports(): WebAssembly.ModuleImports {
    return {
      args_sizes_get: (count: number, size: number) => {
        const total = this.#args.reduce((sum, arg) => sum + arg.length, 0);
        this.#view().setUint32(count, this.#args.length, true);
        this.#view().setUint32(size, total, true);
        return SUCCESS;
      },
      args_get: (pointers: number, buffer: number) => {
        let at = buffer;
        this.#args.forEach((arg, i) => {
          this.#view().setUint32(pointers + 4 * i, at, true);
          this.#bytes().set(arg, at);
          at += arg.length;
        });
        return SUCCESS;
      },
      clock_time_get: (_id: number, _precision: bigint, out: number) => {
        this.#view().setBigUint64(out, 0n, true);
        return SUCCESS;
      },
      fd_fdstat_get: (fd: number, out: number) => {
        const type = fd < ROOT ? TYPE_CHARACTER : fd === ROOT ? TYPE_DIRECTORY : TYPE_FILE;
        const all = 0xffff_ffff_ffff_ffffn;
        this.#view().setUint16(out, type, true);
        this.#view().setUint16(out + 2, 0, true);
        this.#view().setBigUint64(out + 8, all, true);
        this.#view().setBigUint64(out + 16, all, true);
        return SUCCESS;
      },
      fd_fdstat_set_flags: () => SUCCESS,
      fd_prestat_get: (fd: number, out: number) => {
        if (fd !== ROOT) return BAD_DESCRIPTOR;
        this.#view().setUint32(out, 0, true);
        this.#view().setUint32(out + 4, 1, true);
        return SUCCESS;
      },
      fd_prestat_dir_name: (_fd: number, path: number) => {
        this.#bytes()[path] = '/'.charCodeAt(0);
        return SUCCESS;
      },
      path_open: (
        _fd: number,
        _lookup: number,
        path: number,
        pathLength: number,
        flags: number,
        _rights: bigint,
        _inherited: bigint,
        _fdFlags: number,
        out: number,
      ) => this.#openPath(this.#text(path, pathLength), flags, out),
      fd_close: (fd: number) => {
        const handle = this.#open.get(fd);
        handle?.file.closes.push(handle.file.length);
        this.#open.delete(fd);
        return SUCCESS;
      },
      fd_read: (fd: number, vectors: number, count: number, out: number) =>
        this.#transfer(fd, vectors, count, out, readInto),
      fd_write: (fd: number, vectors: number, count: number, out: number) =>
        this.#transfer(fd, vectors, count, out, writeFrom),
      fd_seek: (fd: number, offset: bigint, whence: number, out: number) => {
        const handle = this.#open.get(fd);
        if (handle === undefined) return NOT_SEEKABLE;
        const base = [0, handle.position, handle.file.length][whence] ?? 0;
        handle.position = base + Number(offset);
        this.#view().setBigUint64(out, BigInt(handle.position), true);
        return SUCCESS;
      },
      proc_exit: (code: number) => {
        throw new Exit(code);
      },
    };
  }

  #openPath(name: string, flags: number, out: number): number {
    let file = this.#files.get(name);
    if (file === undefined) {
      if ((flags & CREATE) === 0) return NO_ENTRY;
      file = { name, bytes: new Uint8Array(1 << 16), length: 0, closes: [] };
      this.#files.set(name, file);
    }
    if ((flags & TRUNCATE) !== 0) file.length = 0;
    const descriptor = this.#nextDescriptor++;
    this.#open.set(descriptor, { file, position: 0 });
    this.#view().setUint32(out, descriptor, true);
    return SUCCESS;
  }

  #transfer(
    fd: number,
    vectors: number,
    count: number,
    out: number,
    move: (handle: OpenFile, memory: Uint8Array) => number,
  ): number {
    const handle = this.#open.get(fd);
    if (handle === undefined && fd >= ROOT) return BAD_DESCRIPTOR;
    let total = 0;
    for (let i = 0; i < count; i++) {
      const pointer = this.#view().getUint32(vectors + 8 * i, true);
      const length = this.#view().getUint32(vectors + 8 * i + 4, true);
      const chunk = this.#bytes().subarray(pointer, pointer + length);
      if (handle !== undefined) {
        total += move(handle, chunk);
      } else if (fd > 0) {
        this.log += this.#text(pointer, length);
        total += length;
      }
    }
    this.#view().setUint32(out, total, true);
    return SUCCESS;
  }

  #text(pointer: number, length: number): string {
    return new TextDecoder().decode(this.#bytes().slice(pointer, pointer + length));
  }

  // Views are made afresh: growing the memory detaches the old buffer.
  #bytes(): Uint8Array {
    return new Uint8Array(this.#buffer());
  }

  #view(): DataView {
    return new DataView(this.#buffer());
  }

  #buffer(): ArrayBuffer {
    if (this.memory === null) throw new DataError('format', 'wasi', 'called before _start');
    return this.memory.buffer as ArrayBuffer;
  }
}

function readInto(handle: OpenFile, memory: Uint8Array): number {
  const { file, position } = handle;
  const end = Math.min(file.length, position + memory.length);
  memory.set(file.bytes.subarray(position, end));
  handle.position = end;
  return end - position;
}

function writeFrom(handle: OpenFile, memory: Uint8Array): number {
  const { file, position } = handle;
  const end = position + memory.length;
  if (end > file.bytes.length) {
    const grown = new Uint8Array(Math.max(end, 2 * file.bytes.length));
    grown.set(file.bytes.subarray(0, file.length));
    file.bytes = grown;
  }
  file.bytes.set(memory, position);
  file.length = Math.max(file.length, end);
  handle.position = end;
  return memory.length;
}
