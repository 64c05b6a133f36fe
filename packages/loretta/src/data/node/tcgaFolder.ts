/** Molecular profiles of breast tumours from a folder of CSV files: `train-labels.csv`, `train-mrna.csv`, … */
import { DataError } from '../errors';
import type { OmicsCohort, OmicsTable } from '../omics';
import { readRecords } from './csv';
import { dataPath } from './files';

/** Kinds of measurements, a file each. */
const KINDS = ['mirna', 'mrna', 'protein'] as const;

/**
 * The patients of the training files, who have all three kinds of measurements.
 * @throws DataError for missing or broken files, another patient in a row, or a value that is not a number
 */
export function tcgaFolder(folder: string): OmicsCohort {
  const labelled = readRecords(dataPath(folder, 'train-labels.csv'));
  const samples = labelled.map((row) => row['sample'] ?? '');
  const classes = [...new Set(labelled.map((row) => row['subtype'] ?? ''))].sort();
  if (samples.length === 0 || samples.includes('') || classes.includes('')) {
    throw new DataError('format', folder, 'train-labels.csv needs columns sample and subtype');
  }
  return {
    tables: KINDS.map((kind) => table(dataPath(folder, `train-${kind}.csv`), kind, samples)),
    labels: Int32Array.from(labelled, (row) => classes.indexOf(row['subtype']!)),
    classes,
  };
}

function table(path: string, name: string, samples: readonly string[]): OmicsTable {
  const records = readRecords(path);
  const features = Object.keys(records[0] ?? {}).filter((column) => column !== 'sample');
  if (records.length !== samples.length || features.length === 0) {
    throw new DataError(
      'format',
      path,
      `${records.length} rows of ${features.length} features, but ${samples.length} patients have labels`,
    );
  }
  const values = new Float64Array(samples.length * features.length);
  records.forEach((record, i) => {
    if (record['sample'] !== samples[i]) {
      throw new DataError('format', path, `row ${i + 1} is not of patient ${samples[i]}: sort it`);
    }
    features.forEach((feature, f) => {
      const written = record[feature] ?? '';
      const value = Number(written);
      if (written.trim() === '' || !Number.isFinite(value)) {
        throw new DataError('format', path, `row ${i + 1}: ${feature} is "${written}"`);
      }
      values[i * features.length + f] = value;
    });
  });
  return { name, features, values };
}
