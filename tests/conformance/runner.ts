/** Runs the cases of a conformance folder on a backend. */
import { type Backend, setBackend } from '@loretta-ts/core';
import { type Case, type Group, groupNames, type Precision, readGroup } from './format';
import { errorCase } from './groups/errors';
import { initCase } from './groups/init';
import { decodeCase, modelCase } from './groups/models';
import { fileCase } from './groups/stfiles';
import { tensorCase } from './groups/tensors';
import { textCases, tokenizerCase } from './groups/tokenizers';
import { trainCase } from './groups/train';
import { Verdict } from './verdict';

export interface RunOptions {
  readonly backend: Backend;
  readonly precision: Precision;
  /** Only this group. */
  readonly group?: string;
}

export interface Failure {
  readonly id: string;
  readonly reason: string;
}

export interface GroupReport {
  readonly name: string;
  readonly passed: number;
  readonly failures: readonly Failure[];
  /** Cases whose results do not exist in this precision. */
  readonly notApplicable: number;
  /** Elements that the device may give otherwise: `CASE: reason`, with their number. */
  readonly excepted: ReadonlyMap<string, number>;
}

type RunCase = (group: Group, c: Case, verdict: Verdict) => void | Promise<void>;

/** Groups that are not plain tensors in, tensors out. */
const SPECIAL: ReadonlyMap<string, RunCase> = new Map<string, RunCase>([
  ['errors', errorCase],
  ['init', initCase],
  ['models', modelCase],
  ['decode', decodeCase],
  ['train', trainCase],
  ['stfiles', fileCase],
]);

function casesOf(group: Group): { readonly cases: readonly Case[]; readonly run: RunCase } {
  if (group.name.startsWith('tok_')) return { cases: textCases(group), run: tokenizerCase };
  return { cases: group.cases, run: SPECIAL.get(group.name) ?? tensorCase };
}

/** Runs one group; a case that cannot be run fails. */
export async function runGroup(group: Group, options: RunOptions): Promise<GroupReport> {
  setBackend(options.backend);
  const { cases, run } = casesOf(group);
  const failures: Failure[] = [];
  const excepted = new Map<string, number>();
  let passed = 0;
  let notApplicable = 0;
  if (cases.length === 0) failures.push({ id: group.name, reason: 'the manifest has no cases' });
  for (const c of cases) {
    const verdict = new Verdict(options.precision, options.backend.name === 'gpu');
    let crash: string | null = null;
    try {
      await run(group, c, verdict);
    } catch (error) {
      crash = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    }
    const reasons = crash === null ? verdict.reasons : [...verdict.problems, crash];
    for (const [reason, n] of verdict.excepted) excepted.set(reason, n);
    if (reasons.length > 0) failures.push({ id: c.id, reason: summary(reasons) });
    else if (verdict.notApplicable) notApplicable++;
    else passed++;
  }
  return { name: group.name, passed, failures, notApplicable, excepted };
}

function summary([first, ...rest]: readonly string[]): string {
  return rest.length === 0 ? first! : `${first} (and ${rest.length} more)`;
}

/** Runs the groups of a folder one after the other. */
export async function* runFolder(dir: string, options: RunOptions): AsyncGenerator<GroupReport> {
  for (const name of groupNames(dir)) {
    if (options.group !== undefined && options.group !== name) continue;
    yield await runGroup(readGroup(dir, name), options);
  }
}
