import { cpu } from '@loretta-ts/backend-cpu';
import { key, setBackend, tensor } from '@loretta-ts/core';
import { VqVae, trainVqVae } from '@loretta-ts/nn';
import { PatchCodebook } from '@loretta-ts/tokenizers';
import { mnistPackage } from '../src/data/node/mnistFiles';
setBackend(cpu());
const m = mnistPackage();
const [steps, hidden, batch, lr, quantizer, up, dim, decay, revive] = process.argv.slice(2);
const train = m.train.items, test = m.test.items.slice(0, 1000);
let s = 0, q = 0, n = 0;
for (const im of train) for (const v of im.data) { s += v; q += v * v; n++; }
const mean = s / n, std = Math.sqrt(q / n - mean * mean);
console.log('n', train.length, 'mean', mean, 'std', std, 'var unit', (std/255)**2);
const flat = (ims: typeof train) => { const out = new Float32Array(ims.length * 784); ims.forEach((im, i) => { for (let j = 0; j < 784; j++) out[i * 784 + j] = (im.data[j]! - mean) / std; }); return out; };
const data = flat(train), tdata = flat(test);
const model = new VqVae({ size: [28, 28], channels: 1, codes: 64, levels: 3, hidden: +hidden!, quantizer: quantizer as 'vq', upsampling: up as 'nearest', dim: +dim!, decay: +decay!, revive: +revive! }, key(1));
console.log('params', model.parameterCount, model.grid);
const t0 = performance.now();
const every = Math.floor(+steps! / 6);
for await (const r of trainVqVae(model, data, { steps: +steps!, batch: +batch!, lr: +lr!, seed: 3, klWeight: () => +(process.argv[11] ?? 0) })) {
  if (r.step % every === 0 || r.step === +steps! - 1) console.log(r.step, 'loss', r.loss.toFixed(4), 'err', r.error.toFixed(4), 'ppl', r.perplexity.toFixed(1), ((performance.now() - t0) / 1000).toFixed(1));
}
const ids = model.encode(tensor(tdata, { shape: [test.length, 1, 28, 28] }));
const rec = await model.decode(ids).data();
const idd = await ids.data();
let e = 0; for (let i = 0; i < tdata.length; i++) { const a = Math.max(0, Math.min(255, Math.round(rec[i]! * std + mean))); e += ((a - test[Math.floor(i / 784)]!.data[i % 784]!) / 255) ** 2; }
const c = new Float64Array(64); for (const i of idd) c[i]!++; let h = 0; for (const x of c) if (x) h -= (x / idd.length) * Math.log(x / idd.length);
console.log('test mse', (e / tdata.length).toFixed(5), 'ppl', Math.exp(h).toFixed(1), 'used', c.filter((x) => x > 0).length);
const book = PatchCodebook.train(train.filter((_, i) => i % 2 === 0), { patch: 7, codes: 64, seed: 0 });
let k = 0; for (const im of test) { const d = book.decode(book.encode(im)).data; for (let j = 0; j < 784; j++) k += ((d[j]! - im.data[j]!) / 255) ** 2; }
console.log('kmeans', (k / tdata.length).toFixed(5));
