/** Values without their history. */
import type { Tensor } from './tensor';

/** The same values, through which no gradient flows. Shares memory. */
export function stopGradient(x: Tensor): Tensor {
  x.assertLive('stopGradient');
  return x.again();
}
