/**
 * `npm run conformance -- DIR [--backend NAME] [--dtype f32|f64] [--group NAME]`: runs every case of a folder, prints
 * each failure, a line per group, and `N passed, N failed` on the last line. Exit code 1 when any failed, 2 for bad usage.
 */
import { existsSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { type Backend, BackendError } from '@loretta-ts/core';
import { usageOf } from '../../scripts/help.mjs';
import { backendByName } from './backends';
import { groupNames, type Precision } from './format';
import { runFolder } from './runner';

class UsageError extends Error {}

interface Settings {
  readonly dir: string;
  readonly backend: Backend;
  readonly precision: Precision;
  readonly group: string | undefined;
}

async function settings(argv: readonly string[]): Promise<Settings> {
  const { values, positionals } = parse(argv);
  const [given, ...rest] = positionals;
  if (given === undefined || rest.length > 0) throw new UsageError('one folder is needed');
  const dir = resolve(given);
  if (!existsSync(dir) || !statSync(dir).isDirectory()) {
    throw new UsageError(`${given} is not a folder`);
  }
  const groups = groupNames(dir);
  if (groups.length === 0) throw new UsageError(`${given} has no group (GROUP.json)`);
  if (values.group !== undefined && !groups.includes(values.group)) {
    throw new UsageError(`there is no group ${values.group}: it is one of ${groups.join(', ')}`);
  }
  if (values.dtype !== 'f32' && values.dtype !== 'f64') {
    throw new UsageError(`--dtype ${values.dtype} is neither f32 nor f64`);
  }
  const backend = await backendByName(values.backend).catch((error: unknown) => {
    throw error instanceof BackendError ? new UsageError(error.message) : error;
  });
  if (backend === null) throw new UsageError(`there is no backend ${values.backend}`);
  if (!backend.dtypes.includes(values.dtype)) {
    throw new UsageError(`${values.backend} has no ${values.dtype}`);
  }
  return { dir, backend, precision: values.dtype, group: values.group };
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        backend: { type: 'string', default: 'cpu' },
        dtype: { type: 'string', default: 'f32' },
        group: { type: 'string' },
      },
    });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

async function main(argv: readonly string[]): Promise<number> {
  const { dir, backend, precision, group } = await settings(argv);
  const info = backend.info();
  console.log(`${backend.name} (${info.executor}), ${precision}, ${dir}`);
  let [passed, failed, absent] = [0, 0, 0];
  const options = { backend, precision, ...(group === undefined ? {} : { group }) };
  for await (const report of runFolder(dir, options)) {
    for (const { id, reason } of report.failures) console.log(`FAILED ${id}: ${reason}`);
    for (const [reason, n] of report.excepted) console.log(`excepted ${n} of ${reason}`);
    const rest = report.notApplicable > 0 ? `, ${report.notApplicable} not in ${precision}` : '';
    console.log(
      `${report.name.padEnd(18)} ${report.passed} passed, ${report.failures.length} failed${rest}`,
    );
    passed += report.passed;
    failed += report.failures.length;
    absent += report.notApplicable;
  }
  if (absent > 0) console.log(`${absent} cases have no result in ${precision} and do not count`);
  console.log(`${passed} passed, ${failed} failed`);
  await backend.dispose();
  return failed === 0 ? 0 : 1;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  console.error(`${error.message}\n${usageOf('conformance')}`);
  process.exitCode = 2;
}
