/** Values without their history. */
import { register } from './apply';
import { Tensor, ValueRef } from './tensor';

/** The same values, through which no gradient flows. Shares memory. */
export function stopGradient(x: Tensor): Tensor {
  x.assertLive('stopGradient');
  x.storage.retain();
  return register(new Tensor(x.shape, x.storage, x.offset, new ValueRef([])));
}
