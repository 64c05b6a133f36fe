/** Small grey pictures, waveforms, and bars. */
import { make } from './dom';
import type { Sound } from './protocol';

/** Paints `[side²]` bytes onto a canvas of that side. */
export function paint(canvas: HTMLCanvasElement, pixels: Uint8Array): void {
  const side = Math.sqrt(pixels.length);
  canvas.width = side;
  canvas.height = side;
  const image = new ImageData(side, side);
  pixels.forEach((v, i) => {
    image.data.set([v, v, v, 255], 4 * i);
  });
  canvas.getContext('2d')!.putImageData(image, 0, 0);
}

/** A new picture. */
export function picture(pixels: Uint8Array, label: string): HTMLCanvasElement {
  const canvas = make('canvas', { className: 'picture', role: 'img', ariaLabel: label });
  paint(canvas, pixels);
  return canvas;
}

/** Columns of a waveform. */
const COLUMNS = 160;

/** Draws the envelope of a recording into an SVG, in its text colour. */
export function drawWave(svg: SVGSVGElement, { samples }: Sound): void {
  const peak = samples.reduce((most, v) => Math.max(most, Math.abs(v)), 1e-6);
  const strokes = Array.from({ length: COLUMNS }, (_, i) => {
    const from = Math.floor((i * samples.length) / COLUMNS);
    const to = Math.max(from + 1, Math.floor(((i + 1) * samples.length) / COLUMNS));
    const loud = samples.subarray(from, to).reduce((most, v) => Math.max(most, Math.abs(v)), 0);
    const half = Math.max(0.5, (loud / peak) * 23);
    return `M${4 * i + 2} ${(24 - half).toFixed(1)}v${(2 * half).toFixed(1)}`;
  });
  const path = document.createElementNS(svg.namespaceURI, 'path');
  path.setAttribute('d', strokes.join(''));
  svg.setAttribute('viewBox', `0 0 ${4 * COLUMNS} 48`);
  svg.setAttribute('preserveAspectRatio', 'none');
  svg.replaceChildren(path);
  svg.removeAttribute('hidden');
}

/** A bar for each class; the highest stands out. */
export function drawBars(host: HTMLElement, values: readonly number[], title: string): void {
  const best = values.indexOf(Math.max(...values));
  const bars = values.map((value, digit) => {
    const fill = make('i');
    fill.style.height = `${Math.round(100 * value)}%`;
    const percent = `${Math.round(100 * value)} %`;
    const bar = make('div', { className: digit === best ? 'bar best' : 'bar', title: percent }, [
      make('div', {}, [fill]),
      String(digit),
    ]);
    bar.dataset['value'] = value.toFixed(4);
    return bar;
  });
  host.setAttribute('role', 'img');
  host.ariaLabel = `${title}: ${best} fits best, ${Math.round(100 * values[best]!)} %`;
  host.replaceChildren(make('p', { className: 'note', textContent: title }), ...bars);
}
