/** A drawing as MNIST has its digits: fitted into 20×20, its centre of mass in the middle of 28×28. */

/** Ink of a drawing, `[height, width]`, 0 to 255. */
export interface Ink {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

/** Share of the side that the digit fills. */
const FILLED = 20 / 28;
/** Less is no ink. */
const FAINT = 24;

/** `[side, side]`, or null where nothing is drawn. */
export function centred({ width, height, data }: Ink, side: number): Uint8Array | null {
  let [left, top, right, bottom] = [width, height, -1, -1];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (data[y * width + x]! < FAINT) continue;
      left = Math.min(left, x);
      right = Math.max(right, x);
      top = Math.min(top, y);
      bottom = Math.max(bottom, y);
    }
  }
  if (right < 0) return null;
  const [w, h] = [right - left + 1, bottom - top + 1];
  // a source pixel is so many pixels of the result
  const scale = (FILLED * side) / Math.max(w, h);
  let [mass, mx, my] = [0, 0, 0];
  for (let y = top; y <= bottom; y++) {
    for (let x = left; x <= right; x++) {
      const ink = data[y * width + x]!;
      mass += ink;
      mx += ink * (x + 0.5);
      my += ink * (y + 0.5);
    }
  }
  const [cx, cy] = [mx / mass, my / mass];
  const out = new Uint8Array(side * side);
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      // the mean of the source under this pixel
      const x0 = (x - side / 2) / scale + cx;
      const y0 = (y - side / 2) / scale + cy;
      out[y * side + x] = Math.round(meanInk(data, width, height, x0, y0, 1 / scale));
    }
  }
  return out;
}

/** Mean over a square whose corner and side are in source pixels; outside is no ink. */
function meanInk(
  data: Uint8Array,
  width: number,
  height: number,
  x0: number,
  y0: number,
  size: number,
): number {
  const n = Math.max(1, Math.ceil(size));
  let sum = 0;
  for (let j = 0; j < n; j++) {
    for (let i = 0; i < n; i++) {
      const x = Math.floor(x0 + ((i + 0.5) * size) / n);
      const y = Math.floor(y0 + ((j + 0.5) * size) / n);
      if (x >= 0 && y >= 0 && x < width && y < height) sum += data[y * width + x]!;
    }
  }
  return sum / (n * n);
}
