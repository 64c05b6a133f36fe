/** Bars as SVG text: one group for each case, one bar for each contestant, a whisker for the spread. */

export interface Bar {
  readonly label: string;
  readonly value: number;
  /** Extremes over rounds. */
  readonly from: number;
  readonly to: number;
  /** What is written at its end. */
  readonly text: string;
  readonly ours: boolean;
}

export interface BarGroup {
  readonly title: string;
  readonly bars: readonly Bar[];
}

const width = 720;
const left = 190;
const right = 150;
const barHeight = 15;
const colours = { ours: '#1f77b4', peer: '#b0b0b0' } as const;

/** Every group has a scale of its own: times of 64³ and 512³ do not fit one. */
export function barPlot(title: string, footer: string, groups: readonly BarGroup[]): string {
  const parts: string[] = [];
  let y = 34;
  for (const group of groups) {
    parts.push(text(8, y + 4, group.title, 'font-weight="600"'));
    y += 12;
    const most = Math.max(...group.bars.map((b) => b.to));
    const scale = (x: number): number => left + ((width - left - right) * x) / most;
    for (const bar of group.bars) {
      parts.push(...drawBar(bar, y, scale));
      y += barHeight + 3;
    }
    y += 16;
  }
  parts.push(text(8, y, footer, 'font-size="10" fill="#666"'));
  const style = 'font-family="system-ui, sans-serif" font-size="12" fill="#222"';
  const size = `width="${width}" height="${y + 12}" viewBox="0 0 ${width} ${y + 12}"`;
  const name = `<title>${escaped(title)}</title>`;
  const background = `<rect width="${width}" height="${y + 12}" fill="#fff"/>`;
  const head = text(8, 18, title, 'font-size="14" font-weight="600"');
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size} ${style}>\n${[name, background, head, ...parts].join('\n')}\n</svg>\n`;
}

function drawBar(bar: Bar, y: number, scale: (x: number) => number): string[] {
  const middle = y + barHeight / 2;
  const fill = bar.ours ? colours.ours : colours.peer;
  const length = (scale(bar.value) - left).toFixed(1);
  const [from, to] = [scale(bar.from).toFixed(1), scale(bar.to).toFixed(1)];
  return [
    text(left - 6, middle + 4, bar.label, 'text-anchor="end"'),
    `<rect x="${left}" y="${y}" width="${length}" height="${barHeight}" fill="${fill}"/>`,
    `<line x1="${from}" x2="${to}" y1="${middle}" y2="${middle}" stroke="#222"/>`,
    text(scale(bar.to) + 6, middle + 4, bar.text, 'font-size="11"'),
  ];
}

function text(x: number, y: number, content: string, attributes = ''): string {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${attributes}>${escaped(content)}</text>`;
}

function escaped(content: string): string {
  return content.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');
}
