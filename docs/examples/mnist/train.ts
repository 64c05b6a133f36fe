/** Handwritten digits with a small convolutional network. */
import {
  hostRandom,
  type Key,
  key,
  relu,
  type Tensor,
  tensor,
  tidy,
  valueAndGrad,
} from '@loretta-ts/core';
import { AdamW, Conv2d, cosineWarmup, crossEntropyLoss, Linear, Module } from '@loretta-ts/nn';
import type { Image } from '@loretta-ts/tokenizers';

/** Images with their digits. */
export interface Digits {
  readonly items: readonly Image[];
  readonly labels: Int32Array;
}

/** Two convolutions that halve the picture, and one layer: 28×28 pixels to 10 logits. */
export class DigitNet extends Module {
  readonly first: Conv2d;
  readonly second: Conv2d;
  readonly head: Linear;

  constructor(k: Key) {
    super();
    this.first = new Conv2d(1, 8, 5, { stride: 2, padding: 2, key: k.fold(0) });
    this.second = new Conv2d(8, 16, 5, { stride: 2, padding: 2, key: k.fold(1) });
    this.head = new Linear(16 * 7 * 7, 10, { key: k.fold(2), bias: true });
  }

  /** `[b, 1, 28, 28] -> [b, 10]`. */
  forward(x: Tensor): Tensor {
    const wide = relu(this.first.forward(x)); // [b, 8, 14, 14]
    const deep = relu(this.second.forward(wide)); // [b, 16, 7, 7]
    return this.head.forward(deep.reshape(x.shape[0]!, -1));
  }
}

/** Pixels of some images, from 0 to 1: `[n, 1, 28, 28]`. */
export function pixels(images: readonly Image[]): Tensor {
  const data = new Float32Array(images.length * 28 * 28);
  for (const [i, image] of images.entries()) data.set(image.data, i * 28 * 28);
  return tensor(data, { shape: [images.length, 1, 28, 28] }).mul(1 / 255);
}

/** The digit that the network sees in each image. */
export async function classify(net: DigitNet, images: readonly Image[]): Promise<number[]> {
  const seen: number[] = [];
  for (let i = 0; i < images.length; i += 100) {
    using best = tidy(() => net.forward(pixels(images.slice(i, i + 100))).argmax(1));
    seen.push(...(await best.data()));
  }
  return seen;
}

/** Share of images whose digit is found. */
export async function accuracy(net: DigitNet, digits: Digits): Promise<number> {
  const seen = await classify(net, digits.items);
  return seen.filter((digit, i) => digit === digits.labels[i]).length / seen.length;
}

/** Trains a network; `onStep` gets the loss of each step. */
export async function trainDigits(
  digits: Digits,
  options: {
    steps: number;
    batch: number;
    seed: number;
    onStep?: (step: number, loss: number) => void;
  },
): Promise<DigitNet> {
  const { steps, batch, seed, onStep } = options;
  const net = new DigitNet(key(seed));
  const adam = new AdamW(net.namedParameters(), { weightDecay: 0.01 });
  const rate = cosineWarmup(4e-3, Math.ceil(steps / 20), steps);
  const random = hostRandom(seed);
  for (let step = 0; step < steps; step++) {
    const drawn = Array.from({ length: batch }, () => random.int(digits.items.length));
    const { value, grads } = valueAndGrad(net.parameters(), () => {
      const logits = net.forward(pixels(drawn.map((i) => digits.items[i]!)));
      return crossEntropyLoss(logits, tensor(Int32Array.from(drawn, (i) => digits.labels[i]!)));
    });
    adam.step(grads, { lr: rate(step) });
    onStep?.(step + 1, await value.item());
    value.dispose();
    grads.dispose();
  }
  adam.dispose();
  return net;
}
