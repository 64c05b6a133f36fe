/** The parts of an experiment in a folder: one that was stopped, or cut off, goes on from there. */
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomic } from '@loretta-ts/nn/node';
import { DataError } from '../data/errors';
import type { FinishedJob, JobName, JobStore } from '../experiment/run';

/** Parts in a folder. What decides them is kept beside them, so that they are not taken for those of another run. */
export class FolderJobs implements JobStore {
  readonly #folder: string;
  readonly #settings: string;

  /** @param settings what decides the run; plain JSON */
  constructor(folder: string, settings: object) {
    this.#folder = folder;
    this.#settings = JSON.stringify(settings);
  }

  /** Empties the folder: the run begins. */
  async begin(): Promise<void> {
    await this.remove();
    await mkdir(this.#folder, { recursive: true });
    await writeFileAtomic(this.#path('settings.json'), new TextEncoder().encode(this.#settings));
  }

  /** @throws DataError where no run was stopped, or one with other settings */
  async resume(): Promise<void> {
    const path = this.#path('settings.json');
    if (!existsSync(path)) {
      throw new DataError('config', '--resume', `no run was stopped in ${this.#folder}`);
    }
    if ((await readFile(path, 'utf8')) !== this.#settings) {
      throw new DataError(
        'config',
        '--resume',
        'the run that was stopped had other options: give the same, or leave --resume out to start anew',
      );
    }
  }

  /** Deletes everything: the run has ended. */
  async remove(): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }

  /** Where a part was stopped. */
  stopped(job: JobName): Promise<Uint8Array | null> {
    return this.#read(`${job}.state.safetensors`);
  }

  /** Keeps where a part is, atomically. */
  async keep(job: JobName, state: Uint8Array): Promise<void> {
    await writeFileAtomic(this.#path(`${job}.state.safetensors`), state);
  }

  /** What a finished part gave. */
  async finished(job: JobName): Promise<FinishedJob | null> {
    const text = await this.#read(`${job}.done.json`);
    const checkpoint = await this.#read(`${job}.done.safetensors`);
    if (text === null || checkpoint === null) return null;
    return { result: JSON.parse(new TextDecoder().decode(text)), checkpoint };
  }

  /** The result is written last: where it is, the weights are. */
  async finish(job: JobName, { result, checkpoint }: FinishedJob): Promise<void> {
    await writeFileAtomic(this.#path(`${job}.done.safetensors`), checkpoint);
    const text = new TextEncoder().encode(JSON.stringify(result));
    await writeFileAtomic(this.#path(`${job}.done.json`), text);
  }

  #path(name: string): string {
    return join(this.#folder, name);
  }

  async #read(name: string): Promise<Uint8Array | null> {
    const path = this.#path(name);
    return existsSync(path) ? new Uint8Array(await readFile(path)) : null;
  }
}
