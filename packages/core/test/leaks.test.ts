import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const root = join(import.meta.dirname, '../../..');
const program = `
import { referenceBackend } from '@loretta-ts/backend-cpu';
import { setBackend, tensor, tidy } from '@loretta-ts/core';
import { reportLeaks } from '@loretta-ts/core/debug';
setBackend(referenceBackend());
const found = [];
reportLeaks((what) => found.push(what));
tidy(() => { tensor([1, 2, 3]).mul(2); });
(() => tensor([1, 2]).dispose())();
await (async () => { tidy(() => tensor([1, 2, 3, 4]).keep()); })();
for (let i = 0; i < 20 && found.length === 0; i++) {
  globalThis.gc();
  await new Promise((done) => setTimeout(done, 10));
}
console.log(JSON.stringify(found));
`;

it('reports what was neither disposed nor owned by a scope, and nothing else', () => {
  const out = execFileSync(
    process.execPath,
    [
      '--expose-gc',
      '--conditions=loretta-source',
      '--import',
      join(root, 'scripts/ts-loader.mjs'),
      '--input-type=module',
      '--eval',
      program,
    ],
    { cwd: join(root, 'packages/core'), encoding: 'utf8' },
  );
  expect(JSON.parse(out)).toEqual(['reference: f32[4] was never disposed']);
});
