/** Rows of the reliability table about trainings in processes of their own. */
import { testRows } from './test-rows';

testRows('processes');
