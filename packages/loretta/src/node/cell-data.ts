/** Data of comparison cells, prepared once for all cells that share them. */
import { join } from 'node:path';
import type { Cell, ComparisonCell } from '../compare/cells';
import { classAligned, type ComparisonData } from '../compare/data';
import { tcgaFolder } from '../data/node/tcgaFolder';
import { omicsComparison } from '../data/omics';
import type { JobOptions, StageEvent } from '../events';
import type { SvlName } from '../data/svlMnist';
import { balanced } from '../evaluate/evaluate';
import { loadData, trainDataOf } from './load-data';

/** Rows of each class that probes are fitted on. */
const FIT_PER_CLASS = 50;
/** Parts of the patients; a seed tests on one of them. */
const FOLDS = 3;
/** Tokens of a kind of measurements, and their levels. */
const OMICS = { features: 16, levels: 4 } as const;

/**
 * A loader for `runCells`. The last two data sets are kept.
 * @param folder of real files; null for embedded data
 */
export function loadCellData(
  folder: string | null,
  quick: boolean,
  options: JobOptions<StageEvent> = {},
): (cell: Cell) => Promise<ComparisonData | null> {
  const known = new Map<string, Promise<ComparisonData>>();
  return async (cell) => {
    if (cell.kind !== 'comparison') return null;
    const { dataset, link, config } = cell;
    const id = `${dataset} ${link} ${config.seed}`;
    const found = known.get(id) ?? load(cell, folder, quick, options);
    known.delete(id);
    known.set(id, found);
    for (const old of [...known.keys()].slice(0, -2)) known.delete(old);
    try {
      return await found;
    } catch (error) {
      known.delete(id); // what was stopped may be asked for again
      throw error;
    }
  };
}

async function load(
  { dataset, link, config: { seed } }: ComparisonCell,
  folder: string | null,
  quick: boolean,
  { onEvent, signal }: JobOptions<StageEvent>,
): Promise<ComparisonData> {
  if (dataset === 'tcga') {
    return omicsComparison(tcgaFolder(join(folder ?? '.', 'tcga-breast')), {
      ...{ link, ...OMICS, fold: seed % FOLDS, folds: FOLDS },
      seed: Math.floor(seed / FOLDS),
    });
  }
  const profile = quick ? 'quick' : 'full';
  const choice = { folder, texts: 'captions', link: link as SvlName, profile, seed } as const;
  const data = trainDataOf(await loadData(choice, { onEvent, signal }), true);
  return {
    ...balanced(data),
    link,
    fit: classAligned(data, FIT_PER_CLASS, seed + 3),
    risk: null,
  };
}
