/** A trained arm from a run's folder, with the data it was trained on. */
import { readFile } from 'node:fs/promises';
import { type Decoder, restoreCheckpoint } from '@loretta-ts/nn';
import { DataError } from '../data/errors';
import type { SvlMnist } from '../data/svlMnist';
import { describeData, makeModel } from '../experiment/warmup';
import type { JobOptions, StageEvent } from '../events';
import type { ModalityGraph } from '../graph';
import type { TrainData } from '../train/data';
import type { Vocabulary } from '../vocabulary';
import { loadData, trainDataOf } from './load-data';
import { checkpointPath, type RunFile } from './run-folder';

/** A trained model with its data. */
export interface LoadedArm {
  /** The decoder with the weights of the arm. */
  readonly model: Decoder;
  /** Its joint vocabulary. */
  readonly vocab: Vocabulary;
  /** Graph of observed pairs. */
  readonly graph: ModalityGraph;
  /** The data with their codecs. */
  readonly loaded: SvlMnist;
  /** The tokens alone. */
  readonly data: TrainData;
}

/** @throws DataError when the checkpoint is missing; CheckpointError when it is of another model; what the signal was aborted with */
export async function loadArm(
  folder: string,
  run: RunFile,
  arm: string,
  { onEvent, signal }: JobOptions<StageEvent> = {},
): Promise<LoadedArm> {
  const path = checkpointPath(folder, arm);
  let bytes: Uint8Array;
  try {
    bytes = new Uint8Array(await readFile(path));
  } catch {
    throw new DataError(
      'missing',
      path,
      `there is no such checkpoint; this run has ${run.arms.map((a) => a.arm).join(', ')}`,
    );
  }
  const loaded = await loadData(run.data, { run: folder, onEvent, signal });
  const data = trainDataOf(loaded, false);
  const { vocab, graph } = describeData(data);
  const model = makeModel(vocab, run.config);
  try {
    restoreCheckpoint(bytes, { model });
  } catch (error) {
    model.dispose();
    throw error;
  }
  return { model, vocab, graph, loaded, data };
}
