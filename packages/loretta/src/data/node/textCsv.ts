/** Labelled texts from a CSV file (RFC 4180) with a header. */
import { DataError } from '../errors';
import type { Labelled, RawSource } from '../source';
import { readRecords } from './csv';

/** Options of {@link textCsv}. */
export interface TextCsvOptions {
  /** Number of classes. Default 10. */
  readonly classes?: number;
  /** Column of the class, an integer. Default `label`. */
  readonly labelColumn?: string;
  /** Column of the text. Default `description`, or `text` where there is none. */
  readonly textColumn?: string;
  /** Column that says `train` or `test`. Default `split`; where there is none every fifth row of a class tests. */
  readonly splitColumn?: string;
  /** Origin and licence in one line. */
  readonly credit?: string;
}

interface Row {
  readonly label: number;
  readonly text: string;
  readonly split: 'train' | 'test';
}

/**
 * Reads the texts of a CSV file. Rows with an empty label or text are left out.
 * @throws DataError for a missing file, broken CSV, a missing column, or a label or split that is none
 */
export function textCsv(path: string, options: TextCsvOptions = {}): RawSource<string> {
  const classes = options.classes ?? 10;
  const records = readRecords(path);
  const columns = Object.keys(records[0] ?? {});
  const need = (asked: string | undefined, ...usual: readonly string[]): string => {
    const wanted = asked === undefined ? usual : [asked];
    const found = wanted.find((name) => columns.includes(name));
    if (found !== undefined) return found;
    throw new DataError(
      'format',
      path,
      `no column ${wanted.join(' or ')}, there are ${columns.join(', ') || 'no rows'}: name it`,
    );
  };
  const labelColumn = need(options.labelColumn, 'label');
  const textColumn = need(options.textColumn, 'description', 'text');
  const splitColumn = options.splitColumn ?? 'split';
  if (options.splitColumn !== undefined) need(splitColumn);
  const seen = new Int32Array(classes);
  const rows = records.flatMap((record, i): Row[] => {
    const written = record[labelColumn]?.trim() ?? '';
    const text = record[textColumn]?.trim() ?? '';
    if (written === '' || text === '') return [];
    const label = Number(written);
    if (!Number.isInteger(label) || label < 0 || label >= classes) {
      throw new DataError(
        'format',
        path,
        `row ${i + 1} has label "${written}", not one of 0 to ${classes - 1}: mend it`,
      );
    }
    const split = record[splitColumn] ?? (seen[label]!++ % 5 === 4 ? 'test' : 'train');
    if (split === 'train' || split === 'test') return [{ label, text, split }];
    throw new DataError('format', path, `row ${i + 1} has split "${split}", not train or test`);
  });
  const part = (split: Row['split']): Labelled<string> => {
    const chosen = rows.filter((row) => row.split === split);
    return {
      items: chosen.map((row) => row.text),
      labels: Int32Array.from(chosen, (row) => row.label),
    };
  };
  return {
    name: path.split(/[\\/]/).at(-1) ?? path,
    classes,
    train: part('train'),
    test: part('test'),
    credit: options.credit ?? `texts: ${path}, see its source for the licence`,
  };
}
