/** SVL-MNIST of one voice and a few hundred digits: real samples, made within seconds. */
import { captions } from '../src/data/captions';
import { fliteSpeech } from '../src/data/node/fliteSpeech';
import { mnistPackage } from '../src/data/node/mnistFiles';
import { limitSource } from '../src/data/source';
import { type SvlMnist, svlMnist } from '../src/data/svlMnist';

export async function smallSvl(): Promise<SvlMnist> {
  const speech = await fliteSpeech({ seed: 1, voices: ['kal16'], trainTakes: 2, testTakes: 1 });
  const image = limitSource(mnistPackage(), 80, 10);
  const text = captions({ seed: 1, trainPerClass: 120, testPerClass: 10 });
  return svlMnist({ image, text, speech }, { seed: 5 });
}
