/** Files: atomic writes, and checkpoints and safetensors on disk. */
import { randomUUID } from 'node:crypto';
import { open, readFile, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { CheckpointError, SafetensorsError } from '../errors';
import { type CheckpointParts, checkpointBytes, restoreCheckpoint } from '../files/checkpoint';
import {
  headerLength,
  parseSafetensors,
  parseSafetensorsHeader,
  type Safetensors,
  type SafetensorsHeader,
  serializeSafetensors,
} from '../files/safetensors';
import type { HostTensor } from '../host';

/**
 * Writes a file so that a reader sees the old contents or the new, never a part: a temporary file in the same
 * directory, flushed, renamed over the target, the directory flushed. Nothing is left behind on failure.
 */
export async function writeFileAtomic(path: string, bytes: Uint8Array): Promise<void> {
  const directory = dirname(path);
  const temporary = join(directory, `.${basename(path)}.${randomUUID()}.tmp`);
  try {
    const file = await open(temporary, 'wx');
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await syncDirectory(directory);
}

/** Everything in a safetensors file. @throws SafetensorsError that names the file */
export async function loadSafetensors(path: string): Promise<Safetensors> {
  const bytes = await read(path);
  return named(path, () => parseSafetensors(bytes));
}

/** Header and metadata only: the data is not read. @throws SafetensorsError that names the file */
export async function readSafetensorsHeader(path: string): Promise<SafetensorsHeader> {
  const file = await open(path, 'r').catch((error: unknown) => missing(path, error));
  try {
    const { size } = await file.stat();
    const first = new Uint8Array(8);
    const { bytesRead } = await file.read(first, 0, 8, 0);
    const length = named(path, () => headerLength(first.subarray(0, bytesRead), size));
    const header = new Uint8Array(length);
    await file.read(header, 0, length, 8);
    return named(path, () => parseSafetensorsHeader(header, size - 8 - length));
  } finally {
    await file.close();
  }
}

/** Writes a safetensors file atomically. */
export async function saveSafetensors(
  path: string,
  tensors: ReadonlyMap<string, HostTensor>,
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  await writeFileAtomic(path, serializeSafetensors(tensors, metadata));
}

/** Writes a checkpoint (see `checkpointBytes`) atomically. */
export async function saveCheckpoint(
  path: string,
  parts: CheckpointParts & { readonly metadata?: Readonly<Record<string, string>> },
): Promise<void> {
  await writeFileAtomic(path, await checkpointBytes(parts));
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
  return await readFile(path).catch((error: unknown) => missing(path, error));
}

/** Puts the file's name before the message of a format error. */
export function named<T>(path: string, fn: () => T): T {
  try {
    return fn();
  } catch (error) {
    if (error instanceof SafetensorsError) {
      throw new SafetensorsError(`${path}: ${error.message.replace(/^safetensors: /, '')}`);
    }
    if (error instanceof CheckpointError) {
      throw new CheckpointError(`${path}: ${error.message.replace(/^checkpoint: /, '')}`);
    }
    throw error;
  }
}

function missing(path: string, error: unknown): never {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
  throw new CheckpointError(`${path}: cannot be read (${code}): check the path`);
}

async function syncDirectory(directory: string): Promise<void> {
  // some file systems and Windows cannot flush a directory: the rename itself is done
  const handle = await open(directory, 'r').catch(() => null);
  await handle?.sync().catch(() => undefined);
  await handle?.close();
}
