/** The result as a table of text. */
import type { Evaluation } from '../evaluate/evaluate';
import type { Estimate } from '../evaluate/intervals';
import type { RunFile } from '../node/run-folder';

const percent = (e: Estimate): string =>
  `${(100 * e.value).toFixed(1)} [${(100 * e.low).toFixed(1)}, ${(100 * e.high).toFixed(1)}]`;
const bits = (e: Estimate): string =>
  `${e.value.toFixed(3)} [${e.low.toFixed(3)}, ${e.high.toFixed(3)}]`;

/** Rows of the never-seen pair: one for each arm and direction. */
export function resultRows(run: RunFile): {
  head: readonly string[];
  rows: readonly (readonly string[])[];
} {
  const head = [
    'direction',
    'arm',
    'match 1-of-10 %',
    'generated %',
    'guided %',
    'bits matched',
    'bits gain',
    'chain %',
    'chain guided %',
  ];
  const rows: string[][] = [];
  const pairs = run.arms[0]?.evaluation.unseen.map((u) => [u.from, u.to] as const) ?? [];
  for (const [from, to] of pairs) {
    for (const { arm, evaluation } of run.arms) {
      const u = evaluation.unseen.find((x) => x.from === from && x.to === to)!;
      const d = evaluation.directions.find((x) => x.from === from && x.to === to)!;
      rows.push([
        `${from} → ${to}`,
        arm,
        percent(u.matching),
        percent(d.accuracy),
        percent(d.guided),
        bits(d.matched),
        bits(d.gain),
        percent(u.chain),
        percent(u.chainGuided),
      ]);
    }
  }
  return { head, rows };
}

/** The table with chance, ceilings, and how the warm-up went. */
export function resultTable(run: RunFile): string {
  const { head, rows } = resultRows(run);
  const first = run.arms[0]?.evaluation;
  const skills = Object.entries(run.warmUp.skill.byTarget).map(
    ([m, x]) => `${m} ${(100 * x).toFixed(0)} %`,
  );
  return [
    layout([head, ...rows]),
    '',
    `chance ${first ? (100 / first.classes).toFixed(0) : '?'} %; judges on real test tokens: ${Object.entries(
      first?.judges ?? {},
    )
      .map(([m, x]) => `${m} ${(100 * x).toFixed(1)} %`)
      .join(', ')}`,
    `warm-up ${run.warmUp.steps} steps; generator's skill ${skills.join(', ')}${run.warmUp.reached ? '' : ' (below the gate: it opened by time)'}`,
    '95 % intervals; gain = bits given a wrong condition minus bits given the right one',
  ].join('\n');
}

/** All directions of one evaluation. */
export function directionTable(e: Evaluation): string {
  const head = [
    'direction',
    'pair',
    'bits matched',
    'bits gain',
    'unconditional',
    'generated %',
    'guided %',
  ];
  const rows = e.directions.map((d) => [
    `${d.from} → ${d.to}`,
    d.seen ? 'seen' : 'never seen',
    bits(d.matched),
    bits(d.gain),
    bits(d.unconditional),
    percent(d.accuracy),
    percent(d.guided),
  ]);
  const unseen = e.unseen.map(
    (u) =>
      `${u.from} → ${u.to}: matching ${percent(u.matching)} %, chain ${percent(u.chain)} %, probe transfer ${percent(u.transfer)} %`,
  );
  return [layout([head, ...rows]), '', ...unseen].join('\n');
}

function layout(all: readonly (readonly string[])[]): string {
  const widths = all[0]!.map((_, i) => Math.max(...all.map((r) => r[i]!.length)));
  const lines = all.map((r) =>
    r
      .map((cell, i) => cell.padEnd(widths[i]!))
      .join('  ')
      .trimEnd(),
  );
  lines.splice(1, 0, widths.map((w) => '─'.repeat(w)).join('  '));
  return lines.join('\n');
}
