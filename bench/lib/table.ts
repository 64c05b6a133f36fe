/** Markdown tables, aligned for the terminal as well. */

/** The first two columns are text, the others are numbers. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const right = (column: number): boolean => column >= 2;
  const widths = head.map((h, i) =>
    Math.max(3, ...[h, ...rows.map((r) => r[i] ?? '')].map(length)),
  );
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, i) => fill(cell, widths[i]!, right(i))).join(' | ')} |`;
  const rule = `| ${widths.map((w, i) => (right(i) ? `${'-'.repeat(w - 1)}:` : '-'.repeat(w))).join(' | ')} |`;
  return [line(head), rule, ...rows.map(line)].join('\n');
}

const length = (text: string): number => [...text].length;

function fill(text: string, width: number, right: boolean): string {
  const space = ' '.repeat(width - length(text));
  return right ? space + text : text + space;
}
