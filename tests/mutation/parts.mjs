/** What is mutated, and the tests that must notice. */

/** Of core: the laws of every op on one backend, since the others say the same of core. */
const coreTests = [
  'packages/core/test/!(leaks).test.ts', // which is a process of its own
  'packages/core/test/laws/reference.test.ts',
];

/** @type {import("./parts.mjs").parts} */
export const parts = {
  ops: {
    mutate: ['packages/core/src/ops/*.ts', 'packages/core/src/{attrs,shape-rules,methods}.ts'],
    tests: coreTests,
  },
  fused: {
    mutate: ['packages/core/src/ops/fused/*.ts'],
    tests: coreTests,
  },
  core: {
    mutate: [
      'packages/core/src/*.ts',
      '!packages/core/src/{index,debug,attrs,shape-rules,methods}.ts',
      '!packages/core/src/{autograd,backward,tape,vjp-of,stop-gradient}.ts',
    ],
    tests: coreTests,
  },
  autograd: {
    mutate: ['packages/core/src/{autograd,backward,tape,vjp-of,stop-gradient}.ts'],
    tests: coreTests,
  },
  optimisers: {
    mutate: ['packages/nn/src/optim/*.ts'],
    tests: ['packages/nn/test/{optim,finite,golden,train,module}.test.ts'],
  },
  safetensors: {
    mutate: ['packages/nn/src/files/{safetensors,header-parser,file-dtype,elements}.ts'],
    tests: ['packages/nn/test/{safetensors-format,safetensors}.test.ts'],
  },
  objectives: {
    mutate: ['packages/loretta/src/objectives/*.ts', 'packages/loretta/src/{loss,sequence}.ts'],
    tests: [
      'packages/loretta/test/{objectives*,bidirectional,masked,loss,sequence,latents}.test.ts',
    ],
  },
};
