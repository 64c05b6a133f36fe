import { createHash } from 'node:crypto';
import { setBackend } from '@loretta-ts/core';
import { cpu } from '@loretta-ts/backend-cpu';
import { Toy, TOY_TRIPLE, toyData, trainJudges, setUp, makeArm, parseConfig, evaluate } from '@loretta-ts/loretta';
import { tokenData } from '../src/train/data';
import { ToyRun, toySettings } from '../src/experiment/toy-run';
setBackend(cpu());
const toy = new Toy({ seed: 0, modalities: TOY_TRIPLE });
const d = toyData(toy, { seed: 3, trainPerClass: 20, testPerClass: 10 });
const data: any = { modalities: Object.fromEntries(Object.entries(d.modalities).map(([n, m]) => [n, tokenData(m as any)])), pairs: d.pairs, test: d.test, oracle: null };
const config = parseConfig({ model: { dim: 16, layers: 1, heads: 2 }, train: { steps: 8, batch: 4, lrWarmup: 2 }, transitive: { earliest: 0, latest: 2, allProbability: 0.3 }, evaluate: { rows: 30, matchingRows: 20 } });
const judges: any = await (trainJudges as any)(data, 1);
const h = (x: unknown): string => createHash('sha256').update(x instanceof Uint8Array ? x : JSON.stringify(x)).digest('hex').slice(0, 16);
for (const name of ['transitive-masked', 'shuffled', 'cm3'] as const) {
  const arm = makeArm(name, data.test.modalities, config.transitive);
  const s = setUp(data, config, arm);
  for (let i = 0; i < 5; i++) { const r = await s.trainer.step(arm, 0.7); console.log(r.loss, r.transitive); }
  console.log(name, h(await s.trainer.save()));
  if (name === 'shuffled') { const e = await evaluate(s.model, s.vocab, s.graph, data, judges, { seed: 2, rows: 30, matchingRows: 20, guidance: 2 }); console.log(h(e), JSON.stringify(e.judges), JSON.stringify(e.unseen)); }
}
const run = new ToyRun(toySettings(TOY_TRIPLE, { dim: 16, layers: 1, steps: 6, switchAt: 2, batch: 4 }));
await run.train();
console.log(h(await (run.evaluate as any)(40)), h(await run.save()));
