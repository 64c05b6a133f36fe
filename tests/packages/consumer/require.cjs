// The same packages through require(), which Node 20.19 and later allow for ES modules.
const names = [
  '@loretta-ts/core',
  '@loretta-ts/core/debug',
  '@loretta-ts/core/testing',
  '@loretta-ts/backend-cpu',
  '@loretta-ts/backend-gpu',
  '@loretta-ts/nn',
  '@loretta-ts/nn/node',
  '@loretta-ts/tokenizers',
  '@loretta-ts/loretta',
  '@loretta-ts/loretta/node',
];
for (const name of names) {
  if (typeof require(name) !== 'object') throw new Error(`require('${name}') gave no module`);
}
console.log(names.length);
