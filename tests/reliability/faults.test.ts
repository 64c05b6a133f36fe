/** Rows of the reliability table about what goes wrong: numbers, memory, threads, files. */
import { testRows } from './test-rows';

testRows('faults');
