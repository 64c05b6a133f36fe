/** Plots as SVG text, by Observable Plot on a DOM of its own. */
import * as Plot from '@observablehq/plot';
import { parseHTML } from 'linkedom';
import type { Direction } from '../evaluate/directions';
import type { Estimate } from '../evaluate/intervals';
import type { CurvePoint } from '../experiment/run-arm';

/** A named training curve. */
export interface NamedCurve {
  readonly name: string;
  readonly points: readonly CurvePoint[];
}

/** @param label says to those who do not see it what the plot shows */
function svg(label: string, options: Plot.PlotOptions): string {
  const { document } = parseHTML('<html><body></body></html>');
  const figure = Plot.plot({
    ...options,
    ariaLabel: label,
    document,
    style: { fontFamily: 'system-ui, sans-serif', color: '#222' },
  });
  if (figure.tagName.toLowerCase() === 'svg') return picture(figure.outerHTML);
  // a legend stands beside the chart in one figure
  const parts = [...figure.children].filter((c) => c.tagName.toLowerCase() !== 'style');
  return parts
    .map((c) => (c.tagName.toLowerCase() === 'svg' ? picture(c.outerHTML) : c.outerHTML))
    .join('');
}

/** An SVG text that stands alone and is one image to a screen reader. */
function picture(text: string): string {
  const whole = text.includes('xmlns=')
    ? text
    : text.replace('<svg', '<svg xmlns="http://www.w3.org/2000/svg"');
  return whole.replace('<svg', '<svg role="img"');
}

/** Training loss of each arm over steps. */
export function lossPlot(curves: readonly NamedCurve[], gate: number): string {
  const data = curves.flatMap((c) =>
    c.points.map((p) => ({ step: p.step, loss: p.loss, arm: c.name })),
  );
  return svg(`Training loss over steps of ${curves.map((c) => c.name).join(', ')}`, {
    width: 720,
    height: 320,
    grid: true,
    x: { label: 'step' },
    y: { label: 'training loss, nats per token (mean over modalities)' },
    color: { legend: true, domain: curves.map((c) => c.name) },
    marks: [
      ...(gate > 0 ? [Plot.ruleX([gate], { strokeDasharray: '4 3', stroke: '#888' })] : []),
      Plot.lineY(data, { x: 'step', y: 'loss', z: 'arm', stroke: 'arm' }),
    ],
  });
}

/** Judged purity of pseudo-pairs over steps; empty when there were none. */
export function purityPlot(curves: readonly NamedCurve[]): string {
  const data = curves.flatMap((c) =>
    c.points.flatMap((p) =>
      p.purity === null ? [] : [{ step: p.step, purity: p.purity, arm: c.name }],
    ),
  );
  if (data.length === 0) return '';
  return svg('Share of generated blocks in the class of their condition, over steps', {
    width: 720,
    height: 240,
    grid: true,
    x: { label: 'step' },
    y: { label: 'purity of pseudo-pairs', domain: [0, 1] },
    color: { legend: true },
    marks: [Plot.lineY(data, { x: 'step', y: 'purity', z: 'arm', stroke: 'arm' })],
  });
}

/** Directions as a heat map of what the condition is worth, in bits per token. */
export function directionHeat(directions: readonly Direction[], limit: number): string {
  const data = directions.map((d) => ({
    from: d.from,
    to: d.to,
    gain: d.gain.value,
    text: `${d.gain.value.toFixed(2)}${d.seen ? '' : ' *'}`,
  }));
  const said = data.map((d) => `${d.to} given ${d.from} ${d.gain.toFixed(2)}`).join(', ');
  return svg(`Bits per token that the right condition saves: ${said}`, {
    width: 330,
    height: 280,
    marginLeft: 60,
    padding: 0.04,
    x: { label: 'predicted', tickSize: 0 },
    y: { label: 'given', tickSize: 0 },
    color: { type: 'diverging', scheme: 'RdBu', pivot: 0, domain: [-limit, limit] },
    marks: [
      Plot.cell(data, { x: 'to', y: 'from', fill: 'gain' }),
      Plot.text(data, {
        ...{ x: 'to', y: 'from', text: 'text' },
        fill: (d: { gain: number }) => (Math.abs(d.gain) > 0.55 * limit ? 'white' : 'black'),
      }),
    ],
  });
}

/** A confusion matrix: rows are true classes, columns what the judge found. */
export function confusionPlot(confusion: readonly (readonly number[])[]): string {
  const data = confusion.flatMap((row, truth) => {
    const total = row.reduce((a, b) => a + b, 0);
    return row.map((n, found) => ({ truth, found, share: total === 0 ? 0 : n / total }));
  });
  return svg('Confusion matrix: true classes down, judged classes across', {
    width: 300,
    height: 300,
    padding: 0.02,
    x: { label: 'judged', tickSize: 0 },
    y: { label: 'given', tickSize: 0 },
    color: { scheme: 'Blues', domain: [0, 1] },
    marks: [Plot.cell(data, { x: 'found', y: 'truth', fill: 'share' })],
  });
}

/** One task's value for each method, with its interval. */
export interface TaskPoint {
  /** The task: a panel of its own. */
  readonly task: string;
  /** The method: a line of the panel. */
  readonly method: string;
  /** Its value. */
  readonly estimate: Estimate;
}

/** Methods beside each other on every task: an SVG text of width 720 for each, in the order given. */
export function taskPlots(points: readonly TaskPoint[], methods: readonly string[]): string[] {
  const tasks = [...new Set(points.map((p) => p.task))];
  return tasks.map((task) => {
    const data = points
      .filter((p) => p.task === task)
      .map(({ method, estimate: { value, low, high } }) => ({ method, value, low, high }));
    return svg(task, {
      width: 720,
      height: 34 + 17 * data.length,
      marginLeft: 110,
      marginTop: 4,
      grid: true,
      x: { label: task, labelAnchor: 'center' },
      y: { label: null, domain: methods.filter((m) => data.some((d) => d.method === m)) },
      marks: [
        Plot.ruleY(data, { y: 'method', x1: 'low', x2: 'high', stroke: '#456', strokeWidth: 2 }),
        Plot.dot(data, {
          y: 'method',
          x: 'value',
          r: 4,
          fill: (d: { method: string }) => (d.method === 'loretta' ? '#c2410c' : '#456'),
        }),
      ],
    });
  });
}
