/** The same work in TensorFlow.js on its WebGL backend. */
import { tfjsSubjects } from '../../peers/tfjs-work.mjs';
import { MODEL, SIZES, type WorkName } from '../work';

interface TfTensor {
  dataSync(): Float32Array;
  data(): Promise<Float32Array>;
  dispose(): void;
}
interface TensorFlow {
  setBackend(name: string): Promise<boolean>;
  getBackend(): string;
  env(): { set(name: string, value: boolean): void };
  ones(shape: number[]): TfTensor;
  tensor(data: Float32Array, shape: number[]): TfTensor;
  add(a: TfTensor, b: TfTensor): TfTensor;
  matMul(a: TfTensor, b: TfTensor): TfTensor;
  tidy(body: () => TfTensor): TfTensor;
  disposeVariables(): void;
}

/** @throws Error where the WebGL backend is not there */
export async function tfjsWork(
  name: WorkName,
  weights: object,
): Promise<{ run(): Promise<number> }> {
  const tf = (await import('../../peers/tfjs-web.mjs')) as unknown as TensorFlow;
  tf.env().set('PROD', true);
  await tf.setBackend('webgl');
  if (tf.getBackend() !== 'webgl') throw new Error('TensorFlow.js has no WebGL here');
  // those of the round before
  tf.disposeVariables();
  if (name === 'dispatch') {
    const x = tf.ones([SIZES.elements]);
    return {
      async run() {
        const y = tf.tidy(() => {
          let z = x;
          for (let i = 0; i < SIZES.launches; i++) z = tf.add(z, x);
          return z;
        });
        const [first] = await y.data();
        y.dispose();
        return first!;
      },
    };
  }
  if (name === 'gemm') {
    const { side } = SIZES;
    const pattern = (seed: number) =>
      tf.tensor(
        Float32Array.from({ length: side * side }, (_, i) => (((i * 31 + seed) % 17) - 8) / 8),
        [side, side],
      );
    const [a, b] = [pattern(1), pattern(2)];
    return {
      async run() {
        const c = tf.matMul(a, b);
        const values = await c.data();
        c.dispose();
        return values.at(-1)!;
      },
    };
  }
  const { train, generate } = tfjsSubjects(tf);
  const preset = MODEL;
  const made =
    name === 'train'
      ? train({ preset, weights })
      : generate({ preset, weights, batch: 1, tokens: SIZES.tokens });
  return {
    async run() {
      const result = made.run();
      return typeof result === 'number' ? result : result.at(-1)!;
    },
  };
}
