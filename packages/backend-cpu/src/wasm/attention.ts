/** Attention and its gradient: writes the description of the call into working memory, then calls the kernel. */
import { type FusedAttrs, type Shape, stridesOf, ValueError, type View } from '@loretta-ts/core';
import type { WasmKernels } from './kernels.generated';
import { at, atBytes, type SomeKernels } from './view';

/** Fields of `Attention` in `assembly/attention-scores.ts`. */
const fields = 33;
const scaleField = 10;
/** Limit of `layOut` in `assembly/attention-space.ts`. */
const widestHead = 8192;

/** `scratch` is an address with room for a description; `memory` is looked at anew in each call. */
export function attentionKernels(
  wasm: WasmKernels,
  memory: WebAssembly.Memory,
  scratch: number,
): SomeKernels {
  const describe = (
    ins: readonly View[],
    attrs: FusedAttrs['attention'],
    o: View,
    lse: View,
    dout: View | null,
    grads: readonly View[],
  ): void => {
    const words = new Int32Array(memory.buffer, scratch, fields);
    const [b, t, h, d] = ins[0]!.shape as readonly [number, number, number, number];
    const [, s, hkv, dv] = ins[2]!.shape as readonly [number, number, number, number];
    if (Math.max(d, dv) > widestHead) {
      throw new ValueError(
        'attention',
        `heads of ${Math.max(d, dv)} values: at most ${widestHead} fit the kernel's blocks`,
      );
    }
    const { has } = attrs;
    let next = 3;
    const mask = has.mask ? ins[next++]! : null;
    const bias = has.bias ? ins[next++]! : null;
    const segments = has.segments ? ins[next++]! : null;
    const lengths = has.lengths ? ins[next++]! : null;
    words.set([b, t, s, h, hkv, d, dv, attrs.causal ? 1 : 0, attrs.window, attrs.qOffset, 0]);
    new Float32Array(memory.buffer, scratch, fields)[scaleField] = attrs.scale;
    words[11] = at(ins[0]!);
    words[12] = at(ins[1]!);
    words[13] = at(ins[2]!);
    words[14] = mask ? atBytes(mask) : 0;
    writeSteps(words, 15, mask);
    words[19] = bias ? at(bias) : 0;
    writeSteps(words, 20, bias);
    words[24] = segments ? at(segments) : 0;
    words[25] = lengths ? at(lengths) : 0;
    words[26] = at(o);
    words[27] = at(lse);
    words[28] = dout ? at(dout) : 0;
    for (let i = 0; i < 4; i++) {
      const grad = grads[i];
      words[29 + i] = grad ? at(grad) : 0;
    }
  };

  return {
    attention(ins, outs, attrs) {
      const [b, , h] = ins[0]!.shape as readonly [number, number, number, number];
      describe(ins, attrs, outs[0]!, outs[1]!, null, []);
      wasm.attention(scratch, 0, b * h, workOf(ins, attrs));
    },
    attentionGrad(ins, outs, attrs) {
      const { has } = attrs;
      const first =
        3 + Number(has.mask) + Number(has.bias) + Number(has.segments) + Number(has.lengths);
      const [b, , hkv] = ins[1]!.shape as readonly [number, number, number, number];
      describe(ins, attrs, ins[first]!, ins[first + 1]!, ins[first + 2]!, outs);
      for (const out of outs) wasm.zero(out.size * 4, at(out));
      // heads may share a gradient of the bias: then one thread adds it up
      const group = ins[0]!.shape[2]! / hkv;
      const work = has.bias ? 0 : 3 * group * workOf(ins, attrs);
      wasm.attentionGrad(scratch, 0, b * hkv, work);
    },
  };
}

/** Multiply-adds of one head; half where a causal mask hides half. */
function workOf(ins: readonly View[], attrs: FusedAttrs['attention']): number {
  const [t, d] = [ins[0]!.shape[1]!, ins[0]!.shape[3]!];
  const [s, dv] = [ins[2]!.shape[1]!, ins[2]!.shape[3]!];
  const seen = attrs.window > 0 ? Math.min(s, attrs.window) : s;
  return Math.min(2 ** 29, (t * seen * (d + dv)) / (attrs.causal && t === s ? 2 : 1));
}

/** Steps in elements along b, h, t and s of an input that broadcasts to [b, h, t, s]. */
function writeSteps(words: Int32Array, first: number, v: View | null): void {
  const shape: Shape = v?.shape ?? [];
  const own = stridesOf(shape);
  for (let i = 0; i < 4; i++) {
    const axis = shape.length - 4 + i;
    words[first + i] = axis < 0 || shape[axis] === 1 ? 0 : own[axis]!;
  }
}
