/** Pictures and page of the comparison. */
import type { CellResult } from '../compare/cells';
import { comparisonMarkdown, methodList } from '../compare/report';
import { byDataset, type DatasetResults, TASKS, taskOf } from '../compare/summary';
import { embeddedJson, escapeHtml, htmlPage, htmlTable } from './page';
import { taskPlots } from './plots';

function plotsOf(data: DatasetResults): string[] {
  const points = TASKS.flatMap((task) =>
    data.methods.flatMap((m) => {
      const estimate = taskOf(task, m, data);
      return estimate === null ? [] : [{ task: task.name, method: m.method, estimate }];
    }),
  );
  return taskPlots(
    points,
    data.methods.map((m) => m.method),
  );
}

/** One file for each data set: its tasks as panels of one SVG. */
export function comparisonPlots(datasets: readonly DatasetResults[]): [string, string][] {
  return datasets
    .filter(({ methods }) => methods.length > 2)
    .map((data) => [`comparison-${data.dataset}.svg`, stacked(plotsOf(data))]);
}

/** Several SVG texts of width 720 under each other as one. */
function stacked(panels: readonly string[]): string {
  let y = 0;
  const placed = panels.map((panel) => {
    const height = Number(/height="([\d.]+)"/.exec(panel)?.[1] ?? 0);
    const at = y;
    y += height + 14;
    // the panels' style is for one that stands alone
    return panel.replace(/<style>.*?<\/style>/s, '').replace('<svg', `<svg x="0" y="${at}"`);
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="720" height="${y}" viewBox="0 0 720 ${y}"><title>Methods on every task, with 95 % intervals</title><rect width="100%" height="100%" fill="#fff"/>${placed.join('')}</svg>\n`;
}

/** The whole comparison as one page that opens offline: plots, every table, and the results as JSON. */
export function comparisonPage(results: readonly CellResult[]): string {
  const plots = byDataset(results)
    .filter(({ methods }) => methods.length > 2)
    .map(
      (data) =>
        `<figure role="img" aria-label="Methods on each task, ${data.dataset}">${plotsOf(data).join('')}<figcaption>${data.dataset}: every task on the unseen pair, with 95 % intervals</figcaption></figure>`,
    );
  return htmlPage('The comparison', [
    ...plots,
    markdownHtml(`${methodList()}\n\n${comparisonMarkdown(results)}`),
    embeddedJson('results', results),
  ]);
}

/** The Markdown that `comparisonMarkdown` writes: headings, tables, paragraphs and lists. */
function markdownHtml(text: string): string {
  return text
    .split('\n\n')
    .map((block) => {
      const heading = /^(#+) (.*)$/.exec(block);
      if (heading !== null) {
        const level = heading[1]!.length;
        return `<h${level}>${escapeHtml(heading[2]!)}</h${level}>`;
      }
      if (block.startsWith('|')) {
        const rows = block.split('\n').map((line) => line.slice(2, -2).split(' | '));
        return htmlTable(rows[0]!, rows.slice(2), (i) => rows[i + 2]![0] === 'loretta');
      }
      if (block.startsWith('- ')) {
        const items = block.split('\n').map((line) => `<li>${escapeHtml(line.slice(2))}</li>`);
        return `<ul>${items.join('')}</ul>`;
      }
      return `<p>${escapeHtml(block)}</p>`;
    })
    .join('\n');
}
