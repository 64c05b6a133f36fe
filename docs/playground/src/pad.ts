/** The drawing area: white chalk on black, by mouse, pen or finger. */
import type { Ink } from './digit';

/** Width of a stroke as a share of the side: MNIST's pens at this size. */
const STROKE = 0.075;

/** A canvas to draw on. */
export class Pad {
  readonly #canvas: HTMLCanvasElement;
  readonly #pen: CanvasRenderingContext2D;
  #last: { readonly x: number; readonly y: number } | null = null;

  /** @param onStroke called when a stroke ends */
  constructor(canvas: HTMLCanvasElement, onBegin: () => void, onStroke: () => void) {
    this.#canvas = canvas;
    this.#pen = canvas.getContext('2d', { willReadFrequently: true })!;
    this.clear();
    canvas.addEventListener('pointerdown', (event) => {
      if (event.button !== 0) return;
      canvas.setPointerCapture(event.pointerId);
      onBegin();
      this.#last = this.#at(event);
      this.#lineTo(this.#last);
    });
    canvas.addEventListener('pointermove', (event) => {
      if (this.#last === null) return;
      const coalesced = event.getCoalescedEvents();
      for (const one of coalesced.length > 0 ? coalesced : [event]) this.#lineTo(this.#at(one));
    });
    for (const name of ['pointerup', 'pointercancel'] as const) {
      canvas.addEventListener(name, () => {
        if (this.#last === null) return;
        this.#last = null;
        onStroke();
      });
    }
  }

  clear(): void {
    const { width, height } = this.#canvas;
    this.#pen.fillStyle = '#000';
    this.#pen.fillRect(0, 0, width, height);
  }

  /** Shows a picture `[side²]`. */
  show(pixels: Uint8Array): void {
    const side = Math.sqrt(pixels.length);
    const small = new OffscreenCanvas(side, side);
    const image = new ImageData(side, side);
    pixels.forEach((v, i) => {
      image.data.set([v, v, v, 255], 4 * i);
    });
    small.getContext('2d')!.putImageData(image, 0, 0);
    this.#pen.drawImage(small, 0, 0, this.#canvas.width, this.#canvas.height);
  }

  /** What is drawn. */
  ink(): Ink {
    const { width, height } = this.#canvas;
    const { data } = this.#pen.getImageData(0, 0, width, height);
    return {
      width,
      height,
      data: Uint8Array.from({ length: width * height }, (_, i) => data[4 * i]!),
    };
  }

  #at({ clientX, clientY }: PointerEvent): { x: number; y: number } {
    const box = this.#canvas.getBoundingClientRect();
    return {
      x: ((clientX - box.left) / box.width) * this.#canvas.width,
      y: ((clientY - box.top) / box.height) * this.#canvas.height,
    };
  }

  #lineTo(to: { readonly x: number; readonly y: number }): void {
    const pen = this.#pen;
    pen.strokeStyle = '#fff';
    pen.lineWidth = STROKE * this.#canvas.width;
    pen.lineCap = 'round';
    pen.lineJoin = 'round';
    pen.beginPath();
    pen.moveTo(this.#last?.x ?? to.x, this.#last?.y ?? to.y);
    pen.lineTo(to.x, to.y);
    pen.stroke();
    this.#last = to;
  }
}
