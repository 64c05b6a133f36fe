/** Files: atomic writes, and checkpoints and safetensors on disk. */
import { type FileHandle, open, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Tensor } from '@loretta-ts/core';
import { CheckpointError, NpyError, SafetensorsError } from '../errors';
import {
  type CheckpointParts,
  checkpointBytes,
  restoreCheckpoint,
  type SavedWith,
} from '../files/checkpoint';
import {
  decodeEntry,
  headerLength,
  parseSafetensorsHeader,
  type Safetensors,
  type SafetensorsHeader,
  serializeSafetensors,
} from '../files/safetensors';
import { parseNpy, serializeNpy } from '../files/npy';
import { type HostTensor, toHost } from '../host';
import { clearLeftovers, temporaryName } from './temporary';

const MAX_JSON_BYTES = 2 ** 26;
/** Node reads less than 2 GiB at a time. */
const READ_BYTES = 2 ** 30;

/**
 * Writes a file so that a reader sees the old contents or the new, never a part: a temporary file in the same
 * directory, flushed, renamed over the target, the directory flushed. Nothing is left behind on failure; what a killed
 * process left behind, the next write of the same target clears.
 * @throws CheckpointError when the system refuses, by its code (ENOSPC, EACCES, ...); the old contents stay
 */
export async function writeFileAtomic(path: string, bytes: Uint8Array): Promise<void> {
  await placeAtomic(path, async (temporary) => {
    const file = await open(temporary, 'wx');
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
  });
}

/** As `writeFileAtomic`; `write` makes and flushes the temporary file. */
export async function placeAtomic(
  path: string,
  write: (temporary: string) => Promise<void>,
): Promise<void> {
  const temporary = `${temporaryName(path)}.tmp`;
  await clearLeftovers(path, ['tmp']);
  try {
    await write(temporary);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw cannotWrite(path, error);
  }
  await syncDirectory(dirname(path));
}

/**
 * Everything in a safetensors file, read tensor by tensor: no second copy of the file is held.
 * @throws SafetensorsError that names the file
 */
export async function loadSafetensors(path: string): Promise<Safetensors> {
  return await withHeader(path, async (file, { entries, metadata }, start) => {
    const tensors = new Map<string, HostTensor>();
    for (const entry of entries) {
      const bytes = new Uint8Array(entry.end - entry.begin);
      await readFully(path, file, bytes, start + entry.begin);
      tensors.set(entry.name, decodeEntry(entry, bytes.buffer));
    }
    return { tensors, metadata };
  });
}

/** Header and metadata only: the data is not read. @throws SafetensorsError that names the file */
export async function readSafetensorsHeader(path: string): Promise<SafetensorsHeader> {
  return await withHeader(path, async (_, header) => header);
}

/** Writes a safetensors file atomically. */
export async function saveSafetensors(
  path: string,
  tensors: ReadonlyMap<string, HostTensor>,
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  await writeFileAtomic(path, serializeSafetensors(tensors, metadata));
}

/** The array of a `.npy` file. @throws NpyError that names the file; CheckpointError when it is not there */
export async function loadNpy(path: string): Promise<HostTensor> {
  const bytes = await read(path);
  return named(path, () => parseNpy(bytes));
}

/** Writes an array as `numpy.save` does, atomically. @throws NpyError for BF16; DisposedError for a disposed tensor */
export async function saveNpy(path: string, array: Tensor | HostTensor): Promise<void> {
  const host =
    array instanceof Tensor ? (await toHost(new Map([['array', array]]))).get('array')! : array;
  await writeFileAtomic(path, serializeNpy(host));
}

/**
 * Writes a checkpoint (see `checkpointBytes`) atomically. One that is there stays when a weight is not finite now.
 * @throws NonFiniteError that names such a weight; CheckpointError when the system refuses
 */
export async function saveCheckpoint(
  path: string,
  parts: CheckpointParts & SavedWith,
): Promise<void> {
  await writeFileAtomic(path, await checkpointBytes({ ...parts, onlyFinite: true }));
}

/**
 * Loads a checkpoint into a model and an optimiser and returns its metadata.
 * @throws SafetensorsError, CheckpointError, StateDictError
 */
export async function loadCheckpoint(
  path: string,
  parts: CheckpointParts,
): Promise<ReadonlyMap<string, string>> {
  const bytes = await read(path);
  return named(path, () => restoreCheckpoint(bytes, parts));
}

/** A checkpoint's metadata without its data; `config` is the model's configuration as JSON. */
export async function readCheckpointMetadata(path: string): Promise<ReadonlyMap<string, string>> {
  return (await readSafetensorsHeader(path)).metadata;
}

/** A whole file. @throws CheckpointError when it is not there */
export async function read(path: string): Promise<Uint8Array> {
  const file = await openFile(path);
  try {
    return await file.readFile();
  } finally {
    await file.close();
  }
}

/**
 * A small file of JSON. @throws CheckpointError when it is not there, not a file, longer than 64 MiB, or not JSON
 */
export async function readJson(path: string): Promise<unknown> {
  const file = await openFile(path);
  let bytes: Uint8Array;
  try {
    const info = await file.stat();
    if (info.size > MAX_JSON_BYTES) {
      throw new CheckpointError(`${path}: has ${info.size} bytes, more than ${MAX_JSON_BYTES}`);
    }
    bytes = await file.readFile();
  } finally {
    await file.close();
  }
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    throw new CheckpointError(`${path}: not JSON`);
  }
}

/** Puts the file's name before the message of a format error. */
export function named<T>(path: string, fn: () => T): T {
  try {
    return fn();
  } catch (error) {
    if (error instanceof SafetensorsError) {
      throw new SafetensorsError(`${path}: ${error.message.replace(/^safetensors: /, '')}`);
    }
    if (error instanceof NpyError) {
      throw new NpyError(`${path}: ${error.message.replace(/^npy: /, '')}`);
    }
    if (error instanceof CheckpointError) {
      throw new CheckpointError(`${path}: ${error.message.replace(/^checkpoint: /, '')}`);
    }
    throw error;
  }
}

const WAYS_OUT: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full: make room',
  EDQUOT: 'the quota is used up: make room',
  EFBIG: 'it is larger than this system lets a file be',
  EIO: 'the device failed: check it, and save elsewhere',
  EROFS: 'the disk can only be read: save elsewhere',
  ENOENT: 'there is no such folder: make it',
  EISDIR: 'a folder of this name is there: choose another name',
};

/** An error of the system as ours, by its code; any other as it is. */
export function cannotWrite(path: string, error: unknown): unknown {
  if (!(error instanceof Error && 'code' in error && 'syscall' in error)) return error;
  const code = String(error.code);
  const wayOut = WAYS_OUT[code] ?? 'check the place and its permissions';
  return new CheckpointError(`${path}: cannot be written (${code}): ${wayOut}`);
}

/** @throws CheckpointError for an error of the system on reading, by its code */
export function cannotRead(path: string, error: unknown): never {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
  throw new CheckpointError(`${path}: cannot be read (${code}): check the path`);
}

/** Opens what is a file: a pipe would wait. @throws CheckpointError */
async function openFile(path: string): Promise<FileHandle> {
  const info = await stat(path).catch((error: unknown) => cannotRead(path, error));
  if (!info.isFile()) throw new CheckpointError(`${path}: is not a file`);
  return await open(path, 'r').catch((error: unknown) => cannotRead(path, error));
}

async function withHeader<T>(
  path: string,
  use: (file: FileHandle, header: SafetensorsHeader, start: number) => Promise<T>,
): Promise<T> {
  const file = await openFile(path);
  try {
    const info = await file.stat();
    const first = new Uint8Array(8);
    const { bytesRead } = await file.read(first, 0, 8, 0);
    const length = named(path, () => headerLength(first.subarray(0, bytesRead), info.size));
    const bytes = new Uint8Array(length);
    await readFully(path, file, bytes, 8);
    const header = named(path, () => parseSafetensorsHeader(bytes, info.size - 8 - length));
    return await use(file, header, 8 + length);
  } finally {
    await file.close();
  }
}

async function readFully(
  path: string,
  file: FileHandle,
  bytes: Uint8Array,
  position: number,
): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    const n = Math.min(READ_BYTES, bytes.length - at);
    const { bytesRead } = await file.read(bytes, at, n, position + at);
    if (bytesRead === 0) throw new SafetensorsError(`${path}: was cut off while it was read`);
    at += bytesRead;
  }
}

/** Makes a rename last. */
export async function syncDirectory(directory: string): Promise<void> {
  // some file systems and Windows cannot flush a directory: the rename itself is done
  const handle = await open(directory, 'r').catch(() => null);
  await handle?.sync().catch(() => undefined);
  await handle?.close();
}
