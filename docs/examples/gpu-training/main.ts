/** A page that trains a small decoder on the GPU and draws its loss as it falls. */
import { type GpuMode, gpu } from '@loretta-ts/backend-gpu';
import { capture, key, setBackend, type Tensor, tensor, valueAndGrad } from '@loretta-ts/core';
import { AdamW, crossEntropyLoss, Decoder, generate } from '@loretta-ts/nn';

const sentence = 'the model sees pairs, and links what it never saw together. ';
const alphabet = [...new Set(sentence)].sort();
const ids = Int32Array.from(sentence, (letter) => alphabet.indexOf(letter));
const length = 32;
const batch = 4;
const steps = 60;

const find = <T extends Element>(id: string): T => document.querySelector<T>(`#${id}`)!;
const status = find<HTMLOutputElement>('status');
const button = find<HTMLButtonElement>('start');

/** Draws the losses; the axis starts at 0. */
function draw(losses: readonly number[]): void {
  const canvas = find<HTMLCanvasElement>('curve');
  const { width, height } = canvas;
  const pen = canvas.getContext('2d')!;
  pen.clearRect(0, 0, width, height);
  const top = Math.max(...losses) * 1.1;
  const x = (i: number): number => 60 + (i / (steps - 1)) * (width - 80);
  const y = (loss: number): number => height - 40 - (loss / top) * (height - 60);
  const ink = getComputedStyle(canvas).color;
  pen.font = '24px system-ui';
  pen.fillStyle = ink;
  for (const tick of [0, top / 2.2, top / 1.1]) pen.fillText(tick.toFixed(1), 8, y(tick) + 8);
  pen.fillText(`loss, nats; ${losses.length} of ${steps} steps`, width - 420, 32);
  pen.strokeStyle = '#3b82f6';
  pen.lineWidth = 5;
  pen.beginPath();
  for (const [i, loss] of losses.entries()) pen.lineTo(x(i), y(loss));
  pen.stroke();
}

/** Rows of the sentence from places that differ. */
function rows(shift: number): Int32Array<ArrayBuffer> {
  return Int32Array.from({ length: batch * length }, (_, i) => {
    const row = Math.floor(i / length);
    return ids[(row * 15 + (i % length) + shift) % ids.length]!;
  });
}

async function train(mode: GpuMode): Promise<void> {
  status.value = 'compiling kernels …';
  const backend = await gpu({ mode });
  setBackend(backend);
  const { executor, device, fallbackReason } = backend.info();
  const where = [executor, device, fallbackReason].filter((part) => part !== null).join(' · ');
  const model = new Decoder(
    { vocab: alphabet.length, layers: 2, dim: 32, heads: 2, ffDim: 64, maxLength: 2 * length },
    key(1),
  );
  const optimizer = new AdamW(model.namedParameters(), { lr: 5e-3 });
  const shape = [batch, length];
  const [x, y] = [tensor(rows(0), { shape }), tensor(rows(1), { shape })];
  const step = capture(
    (input: Tensor, target: Tensor, decayed: Tensor, plain: Tensor) => {
      const { value, grads } = valueAndGrad(model.parameters(), () =>
        crossEntropyLoss(model.logits(model.forward(input)), target),
      );
      optimizer.apply(grads, [decayed, plain]);
      return value;
    },
    { state: optimizer.leaves() },
  );
  const losses: number[] = [];
  for (let i = 0; i < steps; i++) {
    const start = performance.now();
    const hypers = optimizer.hypers();
    const loss = step.call(x, y, ...hypers);
    losses.push(await loss.item());
    for (const t of [loss, ...hypers]) t.dispose();
    const rate = Math.round((1000 * batch * length) / (performance.now() - start));
    status.value = `${where} · loss ${losses.at(-1)!.toFixed(3)} · ${rate} tokens a second`;
    draw(losses);
    // let the page be drawn
    await new Promise((done) => setTimeout(done));
  }
  const prompt = tensor(ids.slice(0, 8), { shape: [1, 8] });
  const made = await generate(model, prompt, { maxNewTokens: 24, temperature: 0 });
  const letters = [...(await made.ids.data())].map((id) => alphabet[Number(id)]);
  find<HTMLOutputElement>('text').value = `It continues: “${letters.join('')}”`;
  Object.assign(globalThis, { losses });
  await backend.dispose();
}

button.addEventListener('click', () => {
  button.disabled = true;
  train(find<HTMLSelectElement>('mode').value as GpuMode)
    .catch((error: Error) => {
      status.value = `${error.name}: ${error.message}`;
    })
    .finally(() => {
      button.disabled = false;
    });
});
