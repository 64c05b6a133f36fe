/** Calls with random shapes, dtypes, axes and numbers, most of them wrong: a typed error that names the op, or a result. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cpu, referenceBackend } from '@loretta-ts/backend-cpu';
import * as core from '@loretta-ts/core';
import {
  type Backend,
  DTypeError,
  type HostRandom,
  scope,
  setBackend,
  ShapeError,
  ValueError,
} from '@loretta-ts/core';
import { readGroup } from '../../conformance/format';
import { runGroup } from '../../conformance/runner';
import { eachCase, must, pick, type Report, type Row } from '../row';
import { calls, Draw, show } from './wrong-calls/calls';

const VECTORS = fileURLToPath(new URL('../../../../shared/conformance/', import.meta.url));

/** One call; true when it was refused. */
function checkCall(random: HostRandom, backend: Backend): boolean {
  const [name, call] = pick(random, calls);
  const d = new Draw(random);
  using s = scope();
  // arguments count as there before: only what the call itself leaves is held against it
  let inside = backend.memory();
  const shown: string[] = [];
  const watched = new Proxy(d, {
    get(target, field) {
      const value: unknown = Reflect.get(target, field, target);
      inside = backend.memory();
      shown.push(value instanceof core.Tensor ? show(value) : JSON.stringify(value));
      return value;
    },
  });
  try {
    s.run(() => call(watched));
    return false;
  } catch (error) {
    const where = (): string => `${name}(${shown.join(', ')})`;
    const typed =
      error instanceof core.BackendError ||
      error instanceof ShapeError ||
      error instanceof DTypeError ||
      error instanceof ValueError;
    must(typed, () => `${where()}: ${error instanceof Error ? error.stack : String(error)}`);
    const { message } = error as Error;
    must(/^[A-Za-z][\w.]*: [^\n]+$/.test(message), () => `${where()}: no op is named: ${message}`);
    const { buffers } = backend.memory();
    must(
      buffers === inside.buffers,
      () => `${where()}: ${inside.buffers} buffers before, ${buffers} after: ${message}`,
    );
    return true;
  }
}

/** The calls of the conformance vectors that must throw, on a backend. */
async function checkVectors(backend: Backend, report: Report): Promise<number> {
  if (!existsSync(join(VECTORS, 'errors.json'))) return 0;
  let passed = 0;
  for (const precision of ['f32', 'f64'] as const) {
    const group = await runGroup(readGroup(VECTORS, 'errors'), { backend, precision });
    for (const { id, reason } of group.failures) {
      report.fail(id, `${reason} (${backend.name}, ${precision})`);
    }
    passed += group.passed;
  }
  const { buffers } = backend.memory();
  if (buffers > 0) report.fail('vectors', `${buffers} buffers of ${backend.name} are left`);
  return passed;
}

export const wrongCalls: Row = {
  name: 'wrong-calls',
  holds: 'a wrong call is a typed error that names the op, and leaves nothing',
  ci: 4000,
  release: 100_000,
  async check(runs, seed, report) {
    let refused = 0;
    const backends = [referenceBackend(), cpu()];
    let vectors = 0;
    for (const backend of report.only === null ? backends : []) {
      vectors += await checkVectors(backend, report);
    }
    report.note('vectors', vectors);
    await eachCase(runs, seed, report, (random, index) => {
      const backend = backends[index % backends.length]!;
      setBackend(backend);
      if (checkCall(random, backend)) refused++;
      must(backend.memory().buffers === 0, () => `${backend.memory().buffers} buffers are left`);
    });
    for (const backend of backends) await backend.dispose();
    report.note('refused', refused);
    report.note('ops', calls.length);
  },
};
