/** Laws of algebra on random cases: adjoints, invariances, identities, sequences and formats. */
import { referenceBackend } from '@loretta-ts/backend-cpu';
import { setBackend } from '@loretta-ts/core';
import type { Row } from '../row';
import { adjoints, withoutLaw } from './algebra/adjoints';
import { formats } from './algebra/formats';
import { identities } from './algebra/identities';
import { invariances } from './algebra/invariances';
import type { Law } from './algebra/law';
import { sequences } from './algebra/sequences';

const laws: readonly Law[] = [...adjoints, ...invariances, ...identities, ...sequences, ...formats];

export const algebra: Row = {
  name: 'algebra',
  holds: 'no counterexample to any law of adjoints, invariances, identities, sequences and formats',
  ci: 1000,
  release: 10_000,
  async check(runs, seed, report) {
    setBackend(referenceBackend());
    for (const name of withoutLaw(seed)) report.fail('the list', `${name} is linear without a law`);
    for (const [i, law] of laws.entries()) {
      if (report.only !== null && report.only !== i) continue;
      const backend = referenceBackend();
      setBackend(backend);
      const found = law.run(runs, seed);
      const { buffers } = backend.memory();
      if (found !== null) report.fail(`case ${i}`, found);
      else if (buffers !== 0) report.fail(`case ${i}`, `${law.name}: ${buffers} buffers are left`);
    }
    report.note('laws', laws.length);
  },
};
