/** The runner on the shared vectors, and the proof that it can fail. */
import { existsSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cpu } from '@loretta-ts/backend-cpu';
import { describe, expect, it } from 'vitest';
import {
  type Case,
  type Group,
  groupNames,
  HOST_GROUPS,
  type Precision,
  readGroup,
} from './format';
import { comparable, perturbed } from './perturb';
import { type GroupReport, runGroup } from './runner';
import { mismatch } from './verdict';

const shared = fileURLToPath(new URL('../../../shared/conformance', import.meta.url));
const backend = cpu();

const failedIds = (report: GroupReport): string[] => report.failures.map((f) => f.id);

describe.runIf(existsSync(shared))('the shared vectors', () => {
  const names = existsSync(shared) ? groupNames(shared) : [];
  for (const precision of ['f32', 'f64'] as const) {
    const groups = names.filter((name) => precision === 'f64' || !HOST_GROUPS.test(name));
    it.each(groups)(`%s on cpu in ${precision}`, async (name) => {
      const report = await runGroup(readGroup(shared, name), { backend, precision });
      expect(report.failures).toEqual([]);
      expect(report.passed + report.notApplicable).toBeGreaterThan(0);
    });
  }

  const tensorGroups = names.filter((name) => existsSync(join(shared, `${name}.safetensors`)));
  it.each(tensorGroups)('%s: wrong vectors are noticed in every case', async (name) => {
    const group = readGroup(shared, name);
    const cases = comparable(group, 'f64');
    const wrong = perturbed({ ...group, cases }, 'f64');
    const report = await runGroup(wrong, { backend, precision: 'f64' });
    expect(failedIds(report)).toEqual(cases.map((c) => c.id));
  });

  const spoil: Readonly<Record<string, (raw: Case['raw']) => Case['raw']>> = {
    models: (raw) => ({ ...raw, loss: Number(raw['loss']) + 0.01 }),
    init: (raw) => ({
      ...raw,
      expected: {
        ...(raw['expected'] as object),
        std: 1.5 * (raw['expected'] as { std: number }).std,
      },
    }),
    stfiles: (raw) => ({ ...raw, expect: raw['expect'] === 'load' ? 'reject' : 'load' }),
    tok_bpe_train: (raw) => ({ ...raw, merges: [['a', 'zz', 1]] }),
  };
  it.each(Object.keys(spoil))('%s: wrong answers are noticed in every case', async (name) => {
    const group = readGroup(shared, name);
    const cases = group.cases.map((c) => ({ ...c, raw: spoil[name]!(c.raw) }));
    const report = await runGroup({ ...group, cases }, { backend, precision: 'f64' });
    expect(failedIds(report)).toEqual(cases.map((c) => c.id));
  });

  it.each(['tok_gpt2', 'tok_bert', 'tok_bytefallback'])(
    '%s: a wrong id is noticed',
    async (name) => {
      const group = readGroup(shared, name);
      const encode = (group.raw['encode'] as { ids: number[] }[]).slice(0, 5);
      const raw = { ...group.raw, encode: encode.map((e) => ({ ...e, ids: [...e.ids, 1] })) };
      const report = await runGroup(
        { ...group, raw: { ...raw, decode: [], pairs: [] } },
        { backend, precision: 'f64' },
      );
      expect(report.failures).toHaveLength(5);
    },
  );
});

describe('the runner on cases of its own', () => {
  const plain = { attrs: {}, upstream: [], grads: [], tags: [], raw: {} };
  const tol = { f32: [0, 0], f64: [0, 0] } as const;
  const vector = (...data: number[]) => ({
    shape: [data.length],
    dtype: 'F64',
    data: Float64Array.from(data),
  });
  const group = (op: string, want: readonly number[], more: Partial<Case> = {}): Group => ({
    name: 'own',
    dir: tmpdir(),
    raw: {},
    vectors: new Map([
      ['x', vector(1, -2)],
      ['y', vector(...want)],
    ]),
    cases: [
      {
        ...plain,
        id: 'own.0',
        op,
        inputs: [{ name: 'x', tensor: 'x', shape: [2], dtype: 'float32' }],
        outputs: [{ name: 'y', tensor: 'y', shape: [want.length], dtype: 'float64', tol }],
        ...more,
      },
    ],
  });
  const run = async (g: Group, precision: Precision = 'f32'): Promise<GroupReport> =>
    await runGroup(g, { backend, precision });

  it('passes what is right and names what is wrong', async () => {
    expect(await run(group('neg', [-1, 2]))).toMatchObject({ passed: 1, failures: [] });
    const wrong = await run(group('neg', [-1, 2.5]));
    expect(wrong).toMatchObject({ passed: 0, failures: [{ id: 'own.0' }] });
    expect(wrong.failures[0]!.reason).toContain('y[1] is 2, want 2.5');
  });

  it('fails a case that it cannot run, and one that compares nothing', async () => {
    expect((await run(group('no_such_op', [1]))).failures[0]!.reason).toContain('no no_such_op');
    expect((await run(group('neg', [], { outputs: [] }))).failures).toEqual([
      { id: 'own.0', reason: 'nothing was compared' },
    ]);
  });

  it('fails a result of another shape or dtype', async () => {
    expect((await run(group('neg', [-1]))).failures).toHaveLength(1);
    expect((await run(group('isnan', [0, 0]))).failures[0]!.reason).toContain('is bool');
  });

  it('does not count a case without a result in this precision', async () => {
    const outputs = [
      { name: 'y', tensor: 'y', shape: [2], dtype: 'float64', tol: { f32: null, f64: [0, 0] } },
    ] as const;
    const g = group('neg', [-1, 2], { outputs });
    expect(await run(g, 'f32')).toMatchObject({ passed: 0, failures: [], notApplicable: 1 });
    expect(await run(g, 'f64')).toMatchObject({ passed: 1, failures: [], notApplicable: 0 });
  });

  it('fails an errors case that does not throw, or throws something untyped', async () => {
    const g = { ...group('neg', []), name: 'errors' };
    expect((await run(g)).failures[0]!.reason).toContain('did not throw');
    const untyped = { ...group('no_such_op', []), name: 'errors' };
    expect((await run(untyped)).failures).toHaveLength(1);
  });

  it('compares by the rules of the format', () => {
    const [nan, inf] = [NaN, Infinity];
    expect(mismatch([nan, inf, 1], [nan, inf, 1], [0, 0])).toBeNull();
    expect(mismatch([1], [1.1], [0, 0.2])).toBeNull();
    expect(mismatch([1], [1.1], [0.05, 0])).not.toBeNull();
    for (const [got, want] of [
      [[nan], [1]],
      [[1], [nan]],
      [[inf], [-inf]],
      [[1], [inf]],
      [[1], [1, 1]],
    ] as const) {
      expect(mismatch(got, want, [1, 1]), `${got} for ${want}`).not.toBeNull();
    }
  });

  it('reads a manifest without a group name or tensors', () => {
    const dir = mkdtempSync(join(tmpdir(), 'conformance-'));
    writeFileSync(join(dir, 'own.json'), JSON.stringify({ cases: [{ op: 'neg' }] }));
    expect(groupNames(dir)).toEqual(['own']);
    expect(readGroup(dir, 'own')).toMatchObject({
      name: 'own',
      cases: [{ id: 'own.0', op: 'neg' }],
    });
  });
});
