import { ValueError } from '@loretta-ts/core';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Modality } from '../src/modality';
import { Vocabulary } from '../src/vocabulary';
import { TRIPLE } from './objectives-setup';

const modalities: fc.Arbitrary<Modality[]> = fc
  .array(
    fc.record({
      vocabSize: fc.integer({ min: 1, max: 9 }),
      length: fc.integer({ min: 1, max: 6 }),
      variable: fc.boolean(),
    }),
    { minLength: 1, maxLength: 5 },
  )
  .map((list) => list.map((m, i) => ({ ...m, name: `m${i}` })));

describe('Vocabulary', () => {
  it('gives every id above the reserved ones to exactly one modality, in one role', () => {
    fc.assert(
      fc.property(modalities, (list) => {
        const vocab = new Vocabulary(list);
        const seen = new Map<number, string>();
        const claim = (id: number, role: string, name: string): void => {
          expect(seen.has(id)).toBe(false);
          seen.set(id, role);
          expect(vocab.modalityOf(id)).toBe(name);
        };
        for (const { name, vocabSize } of list) {
          claim(vocab.start(name), 'start', name);
          const [from, to] = vocab.content(name);
          expect(to - from).toBe(vocabSize);
          for (let id = from; id < to; id++) claim(id, 'content', name);
          claim(vocab.end(name), 'end', name);
        }
        expect([...seen.keys()].sort((x, y) => x - y)).toEqual(
          Array.from({ length: vocab.size - 8 }, (_, i) => i + 8),
        );
        for (let id = 0; id < 8; id++) expect(vocab.modalityOf(id)).toBeNull();
      }),
      { seed: 21 },
    );
  });

  it('gives every place of every block its own row of the position table, and row 0 to none', () => {
    fc.assert(
      fc.property(modalities, (list) => {
        const vocab = new Vocabulary(list);
        const rows = list.flatMap(({ name, length }) =>
          Array.from({ length: length + 1 }, (_, i) => vocab.within(name, i)),
        );
        expect(rows.sort((x, y) => x - y)).toEqual(
          Array.from({ length: vocab.withinSize - 1 }, (_, i) => i + 1),
        );
      }),
      { seed: 22 },
    );
  });

  it('takes local ids to joint ones and back', () => {
    fc.assert(
      fc.property(modalities, fc.array(fc.nat()), (list, numbers) => {
        const vocab = new Vocabulary(list);
        for (const { name, vocabSize } of list) {
          const local = Int32Array.from(numbers, (n) => n % vocabSize);
          expect(vocab.toLocal(name, vocab.toJoint(name, local))).toEqual(local);
        }
      }),
      { seed: 23 },
    );
  });

  it('allows the end token in variable modalities only', () => {
    const vocab = new Vocabulary(TRIPLE);
    expect(vocab.allowed('A')).toEqual([vocab.content('A')]);
    expect(vocab.allowed('C')).toEqual([[vocab.content('C')[0], vocab.end('C') + 1]]);
    expect(vocab.toLocal('C', Int32Array.of(vocab.end('C') - 1, vocab.end('C'), 0))).toEqual(
      Int32Array.of(3, 0, 0),
    );
  });

  it.each([
    ['no modality', () => new Vocabulary([]), '0 modalities'],
    ['a name twice', () => new Vocabulary([TRIPLE[0]!, TRIPLE[0]!]), 'two modalities A'],
    ['no ids', () => new Vocabulary([{ ...TRIPLE[0]!, vocabSize: 0 }]), 'vocabSize of A is 0'],
    ['half a token', () => new Vocabulary([{ ...TRIPLE[0]!, length: 1.5 }]), 'length of A is 1.5'],
    [
      'an unknown name',
      () => new Vocabulary(TRIPLE).start('X'),
      'no modality X: there are A, B, C',
    ],
    [
      'a local id too large',
      () => new Vocabulary(TRIPLE).toJoint('A', Int32Array.of(5)),
      'local id 5',
    ],
    [
      'a foreign id',
      () => new Vocabulary(TRIPLE).toLocal('A', Int32Array.of(17)),
      'id 17 is not in',
    ],
    [
      'an end in a fixed modality',
      () => new Vocabulary(TRIPLE).toLocal('A', Int32Array.of(0)),
      'id 0',
    ],
    [
      'an id outside',
      () => new Vocabulary(TRIPLE).modalityOf(99),
      'id 99 is not in the vocabulary',
    ],
    ['a place outside', () => new Vocabulary(TRIPLE).within('A', 5), 'A has no place 5'],
  ])('refuses %s', (_, make, message) => {
    expect(make).toThrow(ValueError);
    expect(make).toThrow(message);
  });
});
