/** A line plot in SVG that takes its colours from the page and its size from its host. */
const SVG = 'http://www.w3.org/2000/svg';

/** Points of one colour, joined. */
export interface Line {
  /** Classes of the path: `commutative`, `transitive`, `faint`. */
  readonly look: string;
  readonly points: readonly (readonly [number, number])[];
  /** Each point a dot as well. */
  readonly dots?: boolean;
}

/** What a plot shows. */
export interface PlotData {
  /** Largest x; the axis starts at 0. */
  readonly steps: number;
  readonly range: readonly [number, number];
  readonly format: (y: number) => string;
  readonly lines: readonly Line[];
  /** Dashed levels with their names. */
  readonly marks: readonly {
    readonly look: string;
    readonly y: number;
    readonly name: string;
    /** Where the name stands: names of close levels stand apart. */
    readonly side: 'middle' | 'right';
  }[];
}

const MARGIN = { left: 44, right: 8, top: 8, bottom: 22 };

/** Draws into a host, and again when its size changes. */
export class Plot {
  readonly #host: HTMLElement;
  #data: PlotData | null = null;

  constructor(host: HTMLElement) {
    this.#host = host;
    new ResizeObserver(() => this.#draw()).observe(host);
  }

  show(data: PlotData): void {
    this.#data = data;
    this.#draw();
  }

  #draw(): void {
    const data = this.#data;
    const { clientWidth: width, clientHeight: height } = this.#host;
    if (data === null || width === 0) return;
    const [low, high] = data.range;
    const x = (step: number): number =>
      MARGIN.left + (step / data.steps) * (width - MARGIN.left - MARGIN.right);
    const y = (value: number): number =>
      height -
      MARGIN.bottom -
      ((value - low) / (high - low)) * (height - MARGIN.top - MARGIN.bottom);
    const svg = element('svg', { viewBox: `0 0 ${width} ${height}`, 'aria-hidden': 'true' });
    for (let i = 0; i <= 4; i++) {
      const value = low + (i / 4) * (high - low);
      const at = { x1: MARGIN.left, x2: width - MARGIN.right, y1: y(value), y2: y(value) };
      svg.append(
        element('line', { class: 'grid', ...at }),
        text(MARGIN.left - 6, y(value) + 4, 'end', data.format(value)),
      );
    }
    for (const share of [0, 0.5, 1]) {
      const anchor = share === 0 ? 'start' : share === 1 ? 'end' : 'middle';
      const step = Math.round(share * data.steps);
      svg.append(text(x(step), height - 5, anchor, share === 0 ? 'step 0' : String(step)));
    }
    const right = width - MARGIN.right;
    const places = { middle: (MARGIN.left + right) / 2, right };
    const anchors = { middle: 'middle', right: 'end' };
    for (const { look, y: level, name, side } of data.marks) {
      const at = { x1: MARGIN.left, x2: width - MARGIN.right, y1: y(level), y2: y(level) };
      svg.append(
        element('line', { class: `line mark ${look}`, ...at }),
        text(places[side], y(level) - 4, anchors[side], name),
      );
    }
    for (const { look, points, dots } of data.lines) {
      const path = points.map(
        ([a, b], i) => `${i === 0 ? 'M' : 'L'}${x(a).toFixed(1)} ${y(b).toFixed(1)}`,
      );
      svg.append(element('path', { class: `line ${look}`, d: path.join('') }));
      if (dots !== true) continue;
      for (const [a, b] of points)
        svg.append(element('circle', { class: look, cx: x(a), cy: y(b), r: 3.2 }));
    }
    this.#host.replaceChildren(svg);
  }
}

function element(name: string, attributes: Readonly<Record<string, string | number>>): SVGElement {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  return made;
}

function text(x: number, y: number, anchor: string, content: string): SVGElement {
  const made = element('text', { x, y, 'text-anchor': anchor });
  made.textContent = content;
  return made;
}
