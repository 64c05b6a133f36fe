/** A process without something that the engine usually has. Prints what runs instead, and what it computes. */
const [, , missing] = process.argv;
switch (missing) {
  case 'shared arrays':
    Reflect.deleteProperty(globalThis, 'SharedArrayBuffer');
    break;
  case 'WebAssembly':
    Reflect.deleteProperty(globalThis, 'WebAssembly');
    break;
  case 'compilation':
    // as under a Content-Security-Policy
    WebAssembly.Module = class {
      constructor() {
        throw new WebAssembly.CompileError('refused by policy');
      }
    } as unknown as typeof WebAssembly.Module;
    break;
  default: // the limit of memory was set before this process started
}
const { cpu } = await import('@loretta-ts/backend-cpu');
const { setBackend, tensor, valueAndGrad } = await import('@loretta-ts/core');
const backend = cpu({ threads: 2 });
setBackend(backend);
const w = tensor([
  [1, 2],
  [3, 4],
]);
const { value, grads } = valueAndGrad([w], () => w.matmul(w).tanh().sum());
console.log(
  JSON.stringify({
    info: backend.info(),
    value: await value.item(),
    gradient: Array.from(await grads.get(w).data()),
  }),
);

export {};
