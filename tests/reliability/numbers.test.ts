/** Rows of the reliability table about what is computed. */
import { testRows } from './test-rows';

testRows('numbers');
