/** Fused kernels along the last axis: softmax, cross-entropy, the norms. */
import { type View, ValueError } from '@loretta-ts/core';
import type { WasmKernels } from './kernels.generated';
import { at, type SomeKernels } from './view';

/** Size of the last axis; 1 for a scalar. */
function lastSize(v: View): number {
  return v.shape[v.shape.length - 1] ?? 1;
}

function rowsOf(v: View, n: number): number {
  return n === 0 ? 0 : v.size / n;
}

export function softmaxKernels(wasm: WasmKernels): SomeKernels {
  return {
    softmax([x], [y]) {
      const n = lastSize(x!);
      wasm.softmaxRows(0, rowsOf(x!, n), n, at(x!), at(y!));
    },
    softmaxGrad([y, dy], [dx]) {
      const n = lastSize(y!);
      wasm.softmaxGradRows(0, rowsOf(y!, n), n, at(y!), at(dy!), at(dx!));
    },
    logSoftmax([x], [y]) {
      const n = lastSize(x!);
      wasm.logSoftmaxRows(0, rowsOf(x!, n), n, at(x!), at(y!));
    },
    logSoftmaxGrad([y, dy], [dx]) {
      const n = lastSize(y!);
      wasm.logSoftmaxGradRows(0, rowsOf(y!, n), n, at(y!), at(dy!), at(dx!));
    },
    crossEntropy([x, targets], [loss, lse], { ignoreIndex }) {
      const n = lastSize(x!);
      checkTargets(wasm, 'crossEntropy', targets!, n, ignoreIndex);
      const rows = targets!.size;
      wasm.crossEntropyRows(0, rows, n, at(x!), at(targets!), ignoreIndex, at(loss!), at(lse!));
    },
    crossEntropyGrad([x, targets, lse, dloss], [dx], { ignoreIndex }) {
      const n = lastSize(x!);
      checkTargets(wasm, 'crossEntropyGrad', targets!, n, ignoreIndex);
      const rows = targets!.size;
      const t = at(targets!);
      wasm.crossEntropyGradRows(0, rows, n, at(x!), t, ignoreIndex, at(lse!), at(dloss!), at(dx!));
    },
  };
}

function checkTargets(
  wasm: WasmKernels,
  op: string,
  targets: View,
  classes: number,
  ignoreIndex: number,
): void {
  const bad = wasm.firstOutside(targets.size, at(targets), classes, ignoreIndex);
  if (bad >= 0) {
    throw new ValueError(
      op,
      `target ${bad} is outside [0, ${classes}) and is not ignoreIndex ${ignoreIndex}: ` +
        'pass class indices of that range',
    );
  }
}

export function normKernels(wasm: WasmKernels): SomeKernels {
  return {
    layerNorm([x, w, b], [y, mean, rstd], { eps }) {
      const n = w!.size;
      const rows = rowsOf(x!, n);
      wasm.layerNormRows(0, rows, n, eps, at(x!), at(w!), at(b!), at(y!), at(mean!), at(rstd!));
    },
    layerNormGrad([x, w, mean, rstd, dy], [dx, dw, db]) {
      const n = w!.size;
      const rows = rowsOf(x!, n);
      const [p, mu, q, g] = [at(x!), at(mean!), at(rstd!), at(dy!)];
      wasm.layerNormGradRows(0, rows, n, p, at(w!), mu, q, g, at(dx!));
      wasm.layerNormGradColumns(rows, n, n, p, mu, q, g, at(dw!), at(db!));
    },
    rmsNorm([x, w], [y, rstd], { eps }) {
      const n = w!.size;
      wasm.rmsNormRows(0, rowsOf(x!, n), n, eps, at(x!), at(w!), at(y!), at(rstd!));
    },
    rmsNormGrad([x, w, rstd, dy], [dx, dw]) {
      const n = w!.size;
      const rows = rowsOf(x!, n);
      const [p, q, g] = [at(x!), at(rstd!), at(dy!)];
      wasm.rmsNormGradRows(0, rows, n, p, at(w!), q, g, at(dx!));
      wasm.rmsNormGradColumns(rows, n, n, p, q, g, at(dw!));
    },
  };
}
