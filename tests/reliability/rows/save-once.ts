/** The child of the refused-writes row: saves once, as somebody else where asked, and prints what came of it. */
import { saveSafetensors } from '@loretta-ts/nn/node';

const [path = '', bytes = '', user = ''] = process.argv.slice(2);
const data = new Float32Array(Number(bytes) / 4).fill(2);
if (user !== '') process.seteuid!(Number(user));
try {
  await saveSafetensors(path, new Map([['weights', { dtype: 'F32', shape: [data.length], data }]]));
  console.log('saved');
} catch (error) {
  const { name, message } = error as Error;
  console.log(`${name}: ${message}`);
}
