/** The page around a report's sections: one file that opens offline, runs no script, light, dark and on paper. */

/** Text for HTML. */
export function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}

/** A table; the first row is the head, `strong` rows stand out. */
export function htmlTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  strong: (row: number) => boolean = () => false,
): string {
  const cells = (row: readonly string[], tag: string): string =>
    row.map((c) => `<${tag}>${escapeHtml(c)}</${tag}>`).join('');
  const body = rows
    .map((r, i) => `<tr${strong(i) ? ' class="strong"' : ''}>${cells(r, 'td')}</tr>`)
    .join('\n');
  return `<div class="wide"><table><thead><tr>${cells(head, 'th')}</tr></thead><tbody>\n${body}\n</tbody></table></div>`;
}

const STYLE = `
:root { color-scheme: light dark; --line: #8884; --strong: #4a86e822; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 1240px; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { margin-top: 2.5rem; border-bottom: 1px solid var(--line); }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-size: .85rem; }
th, td { padding: .25rem .6rem; border-bottom: 1px solid var(--line); text-align: left; white-space: nowrap; }
tr.strong { background: var(--strong); font-weight: 600; }
figure { margin: 1rem 0; } figcaption { font-size: .85rem; opacity: .8; }
.sheet { display: grid; grid-template-columns: repeat(auto-fill, minmax(110px, 1fr)); gap: .8rem; }
.sheet div { text-align: center; font-size: .8rem; } .sheet img { width: 84px; height: 84px; image-rendering: pixelated; border: 3px solid #d55; }
td { vertical-align: middle; } .strip { image-rendering: pixelated; display: block; max-width: none; }
.sheet .right img { border-color: #4a4; } .sheet audio { width: 105px; height: 28px; }
.row { display: flex; flex-wrap: wrap; gap: 1rem; } svg { background: #fff; border-radius: 4px; max-width: 100%; height: auto; }
details { margin: .5rem 0; } summary { cursor: pointer; font-size: .85rem; }
.sr { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
pre { overflow-x: auto; font-size: .8rem; background: #8881; padding: .8rem; }
@page { margin: 14mm; }
@media print {
  :root { color-scheme: light; } body { max-width: none; margin: 0; font-size: 10pt; }
  h2 { break-after: avoid; } figure, tr, .sheet > div { break-inside: avoid; }
  .wide, pre { overflow: visible; } pre { white-space: pre-wrap; } th, td { white-space: normal; }
  audio { display: none; } tr.strong { background: none; outline: 1px solid #888; }
}
`;

/** Numbers behind a picture, folded away on the screen. */
export function folded(title: string, html: string): string {
  return `<details><summary>${escapeHtml(title)}</summary>${html}</details>`;
}

/** Data for programs: `JSON.parse(document.getElementById(id).textContent)`. */
export function embeddedJson(id: string, value: unknown): string {
  const text = JSON.stringify(value).replaceAll('<', '\\u003c');
  return `<script type="application/json" id="${id}">${text}</script>`;
}

/** A whole page. Sections are HTML. */
export function htmlPage(title: string, sections: readonly string[]): string {
  return [
    '<!doctype html>',
    '<html lang="en"><head><meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    `<title>${escapeHtml(title)}</title><style>${STYLE}</style></head><body>`,
    `<h1>${escapeHtml(title)}</h1>`,
    ...sections,
    '</body></html>',
    '',
  ].join('\n');
}
