// `npm run mutation [-- PART ...]`: changes the sources in small ways, one at a time, and counts the changes that the
// tests notice.
import { existsSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { parts } from '../tests/mutation/parts.mjs';
import { usageOf } from './help.mjs';

const CONFIG = 'tests/mutation/stryker.config.mjs';
const COUNTED = ['Killed', 'Timeout', 'Survived', 'NoCoverage'];

/** How many mutants of a report ended how. */
function tally(file) {
  const counts = Object.fromEntries(COUNTED.map((status) => [status, 0]));
  const { files } = JSON.parse(readFileSync(file, 'utf8'));
  for (const { mutants } of Object.values(files)) {
    for (const { status } of mutants) if (status in counts) counts[status]++;
  }
  return counts;
}

function row(name, { Killed, Timeout, Survived, NoCoverage }) {
  const noticed = Killed + Timeout;
  const all = noticed + Survived + NoCoverage;
  const cells = [all, noticed, Survived, NoCoverage].map((n) => String(n).padStart(9));
  return `${name.padEnd(12)}${cells.join('')}${`${((100 * noticed) / all).toFixed(1)} %`.padStart(9)}`;
}

/** @param tool runs an installed program @param root folder of the repository @param names parts, or none for all */
export async function mutation(tool, root, names) {
  const unknown = names.filter((name) => !Object.hasOwn(parts, name));
  if (unknown.length > 0) {
    console.error(usageOf('mutation'));
    return 2;
  }
  // copies of the sources stand one folder deeper: what the tests look for beside the repository is found from there too
  const copies = join(root, '.mutants');
  mkdirSync(copies, { recursive: true });
  const beside = join(root, '../shared');
  if (existsSync(beside) && !existsSync(join(copies, 'shared'))) {
    symlinkSync(beside, join(copies, 'shared'));
  }
  const chosen = names.length === 0 ? Object.keys(parts) : names;
  let worst = 0;
  for (const name of chosen) {
    const env = { LORETTA_MUTATE: name };
    worst = Math.max(worst, await tool('@stryker-mutator/core', ['run', CONFIG], { env }));
  }
  console.log(`${'part'.padEnd(12)}  mutants  noticed survived untested    score`);
  for (const name of chosen) {
    const file = join(root, `bench/results/mutation/${name}.json`);
    if (existsSync(file)) console.log(row(name, tally(file)));
  }
  return worst;
}
