/** A mutant is dead at its first counterexample: no shorter one is looked for. */
import * as fc from 'fast-check';

fc.configureGlobal({ ...fc.readConfigureGlobal(), endOnFailure: true });
