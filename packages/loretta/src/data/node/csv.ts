/** Rows of a CSV file by the names of its header (RFC 4180). */
import { parse } from 'csv-parse/sync';
import { DataError } from '../errors';
import { readBytes, reason } from './files';

/** @throws DataError for a missing file or broken CSV */
export function readRecords(path: string): Record<string, string>[] {
  const text = new TextDecoder().decode(readBytes(path, 'give the path of a CSV file'));
  try {
    return parse(text, {
      columns: true,
      bom: true,
      skip_empty_lines: true,
      record_delimiter: ['\r\n', '\n'],
    });
  } catch (error) {
    throw new DataError('format', path, `not CSV: ${reason(error)}`);
  }
}
