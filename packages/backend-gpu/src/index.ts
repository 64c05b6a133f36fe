/** GPU backend for @loretta-ts/core on gpu.js. */
export {};
