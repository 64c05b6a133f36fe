/** The report of a run: one self-contained page. */
import { join } from 'node:path';
import { writeFileAtomic } from '@loretta-ts/nn/node';
import { encodePng, encodeWav, type Image } from '@loretta-ts/tokenizers';
import type { Comparison } from '../data/reconstruction';
import type { RawSample } from '../data/source';
import type { SvlMnist } from '../data/svlMnist';
import type { Sample } from '../evaluate/evaluate';
import { embeddedJson, escapeHtml, folded, htmlPage, htmlTable } from '../report/page';
import {
  confusionPlot,
  directionHeat,
  lossPlot,
  type NamedCurve,
  purityPlot,
} from '../report/plots';
import { compareTest, reconstructionRows, reconstructionSheet } from '../report/reconstructions';
import { resultRows } from '../report/table';
import { mixtureSection, mixtureSheets } from '../report/mixture';
import { contactSheet } from '../report/sheet';
import type { RunFile } from './run-folder';

/** Writes `report.html`, and the contact sheets as PNG files, into a run's folder. */
export async function writeReport(folder: string, run: RunFile, data: SvlMnist): Promise<string> {
  for (const { arm, evaluation } of run.arms) {
    for (const sample of evaluation.samples) {
      const { from, to } = sample;
      const sheet = contactSheet(sample, data.modalities[from]!, data.modalities[to]!);
      if (sheet === null) continue;
      await writeFileAtomic(join(folder, `${arm}-${from}-to-${to}.png`), encodePng(sheet));
    }
    if (evaluation.mixture === undefined) continue;
    for (const { target, sheet } of mixtureSheets(evaluation.mixture, data.modalities)) {
      await writeFileAtomic(join(folder, `${arm}-any-to-${target}.png`), encodePng(sheet));
    }
  }
  const kept = learnedCodes(data);
  for (const { name, sheet } of kept)
    await writeFileAtomic(join(folder, `${name}-reconstructions.png`), encodePng(sheet));
  const path = join(folder, 'report.html');
  await writeFileAtomic(path, new TextEncoder().encode(reportPage(run, data, kept)));
  return path;
}

/** What the learned tokens of a modality keep. */
interface Kept {
  readonly name: string;
  readonly comparison: Comparison;
  readonly sheet: Image;
}

/** Every modality whose tokens are learned. */
function learnedCodes(data: SvlMnist): Kept[] {
  return Object.values(data.modalities).flatMap((m) => {
    const comparison = compareTest(m);
    if (comparison === null) return [];
    return [{ name: m.name, comparison, sheet: reconstructionSheet(m, comparison) }];
  });
}

/** The page as text. */
export function reportPage(
  run: RunFile,
  data: SvlMnist,
  kept: readonly Kept[] = learnedCodes(data),
): string {
  const [a, c] = data.unseen;
  return htmlPage(`LoReTTa: ${a} and ${c}, never seen together`, [
    summary(run, data),
    curves(run),
    matrix(run),
    pictures(run, data),
    mixtures(run, data),
    confusions(run),
    ...kept.map(reconstructions),
    about(run),
    embeddedJson('run', run),
  ]);
}

function summary(run: RunFile, data: SvlMnist): string {
  const { head, rows } = resultRows(run);
  const first = run.arms[0]?.evaluation;
  const [a, c] = data.unseen;
  const judges = Object.entries(first?.judges ?? {}).map(
    ([m, x]) => `${m} ${(100 * x).toFixed(1)} %`,
  );
  return [
    '<h2>The pair that was never seen</h2>',
    `<p>Training saw only pairs (${escapeHtml(data.link)}, ${escapeHtml(a)}) and (${escapeHtml(data.link)}, ${escapeHtml(c)}). Chance is ${(100 / (first?.classes ?? 10)).toFixed(0)} %; the judges find ${escapeHtml(judges.join(', '))} of real test tokens, which is the ceiling of “generated”. Intervals are 95 %.</p>`,
    htmlTable(head, rows, (i) => rows[i]![1]!.startsWith('transitive')),
    '<p>“chain” goes over the link in two hops with the same model: where the link is nearly a label, it is strong, and a single hop cannot beat it in likelihood. “gain” is bits per token given a wrong condition minus bits given the right one. Dual encoders trained by contrast would match better; they generate nothing.</p>',
  ].join('\n');
}

function curves(run: RunFile): string {
  const named = [
    { name: 'warm-up', points: run.warmUp.curve },
    ...run.arms.map((x) => ({ name: x.arm, points: x.curve })),
  ];
  return [
    '<h2>Training</h2>',
    `<figure>${lossPlot(named, run.warmUp.steps)}<figcaption>The dashed line is the end of the common warm-up (step ${run.warmUp.steps}), where the arms fork.</figcaption></figure>`,
    `<figure>${purityPlot(named)}<figcaption>Share of generated blocks that a judge puts in the class of their condition.</figcaption></figure>`,
    folded('The same as a table', curveTable(named)),
  ].join('\n');
}

function curveTable(named: readonly NamedCurve[]): string {
  const rows = named.flatMap(({ name, points }) =>
    points.map((p) => [
      ...[name, String(p.step), p.loss.toFixed(4)],
      p.purity === null ? '' : p.purity.toFixed(3),
    ]),
  );
  return htmlTable(['arm', 'step', 'loss, nats', 'purity'], rows);
}

function matrix(run: RunFile): string {
  const limit = Math.max(
    0.1,
    ...run.arms.flatMap((x) => x.evaluation.directions.map((d) => Math.abs(d.gain.value))),
  );
  const maps = run.arms.map(
    (x) =>
      `<figure>${directionHeat(x.evaluation.directions, limit)}<figcaption>${x.arm}</figcaption></figure>`,
  );
  return `<h2>Directions</h2><p>Bits per token that the right condition saves against a wrong one; * was never seen.</p><div class="row">${maps.join('\n')}</div>${folded('The same as a table', directionTable(run))}`;
}

function directionTable(run: RunFile): string {
  const rows = run.arms.flatMap(({ arm, evaluation }) =>
    evaluation.directions.map(({ from, to, seen, gain, matched }) => [
      ...[arm, `${from} → ${to}${seen ? '' : ' *'}`, matched.value.toFixed(3)],
      `${gain.value.toFixed(3)} (${gain.low.toFixed(3)} … ${gain.high.toFixed(3)})`,
    ]),
  );
  return htmlTable(['arm', 'direction', 'bits per token', 'gain'], rows);
}

const dataUri = (type: string, bytes: Uint8Array): string =>
  `data:${type};base64,${Buffer.from(bytes).toString('base64')}`;

/** A sample as HTML: a picture, a player, or its text. @param alt what it is, for those who do not see it */
function media(sample: RawSample, alt: string): string {
  switch (sample.kind) {
    case 'image':
      return `<img alt="${escapeHtml(alt)}" src="${dataUri('image/png', encodePng(sample.image))}">`;
    case 'speech':
      return `<audio controls preload="none" aria-label="${escapeHtml(alt)}" src="${dataUri('audio/wav', encodeWav(sample.wave))}"></audio>`;
    case 'text':
      return `<p>${escapeHtml(sample.text)}</p>`;
    case 'tokens':
      return `<code>${[...sample.ids].join(' ')}</code>`;
  }
}

function pictures(run: RunFile, data: SvlMnist): string {
  const last = (arm: string): number => (arm.startsWith('transitive') ? 0 : 1);
  return [...run.arms]
    .sort((a, b) => last(a.arm) - last(b.arm))
    .flatMap(({ arm, evaluation }) =>
      evaluation.samples
        .filter((s) => s.to === 'image' || data.modalities['image'] === undefined)
        .map((s) => sheet(arm, s, data)),
    )
    .join('\n');
}

function mixtures(run: RunFile, data: SvlMnist): string {
  return run.arms
    .flatMap(({ arm, evaluation: { mixture } }) =>
      mixture === undefined
        ? []
        : [
            mixtureSection(arm, mixture, data.modalities, (image) =>
              dataUri('image/png', encodePng(image)),
            ),
          ],
    )
    .join('\n');
}

function sheet(arm: string, s: Sample, data: SvlMnist): string {
  const source = data.modalities[s.from]!;
  const target = data.modalities[s.to]!;
  const cells = s.ids.map((ids, i) => {
    const row = s.rows[i]!;
    const label = source.test.labels[row]!;
    const right = s.judged[i] === label;
    const made = media(target.decode(ids), `${s.to} generated for ${label}, judged ${s.judged[i]}`);
    const given = media(source.raw('test', row), `${s.from} of ${label}, given`);
    const mark = right ? '' : '<span class="sr">wrong: </span>';
    return `<div class="${right ? 'right' : 'wrong'}">${made}${given}<br>${mark}${label} → ${s.judged[i]}</div>`;
  });
  return `<h2>${escapeHtml(`${s.from} → ${s.to}, ${arm}`)}</h2><p>Generated from test samples it never saw, with guidance. The number given, and what the judge sees.</p><div class="sheet">${cells.join('\n')}</div>`;
}

function confusions(run: RunFile): string {
  const plots = run.arms.flatMap(({ arm, evaluation }) =>
    evaluation.directions
      .filter((d) => !d.seen)
      .map(
        (d) =>
          `<figure>${confusionPlot(d.confusion)}<figcaption>${escapeHtml(`${arm}: ${d.from} → ${d.to}`)}</figcaption>${folded('The same as a table', confusionTable(d.confusion))}</figure>`,
      ),
  );
  return `<h2>Confusions</h2><div class="row">${plots.join('\n')}</div>`;
}

function confusionTable(confusion: readonly (readonly number[])[]): string {
  const classes = confusion.map((_, i) => String(i));
  return htmlTable(
    ['given \\ judged', ...classes],
    confusion.map((row, i) => [classes[i]!, ...row.map(String)]),
  );
}

function reconstructions({ name, comparison, sheet }: Kept): string {
  const { head, rows } = reconstructionRows(comparison);
  const names = ['the originals', ...comparison.made.map((x) => x.name)].join(', ');
  const count = comparison.originals.length / comparison.shape[0] / comparison.shape[1];
  return [
    `<h2>${escapeHtml(`What the tokens of ${name} keep`)}</h2>`,
    `<p>${count} test samples through their tokens and back. The codes were learned on the training samples alone; perplexity is the number of codes that would be in use if all were used alike.</p>`,
    htmlTable(head, rows, (i) => i === 0),
    `<figure><img alt="${escapeHtml(names)}" src="${dataUri('image/png', encodePng(sheet))}" style="max-width:100%"><figcaption>Rows: ${escapeHtml(names)}.${name === 'speech' ? ' MFCC frames from left to right, coefficients from bottom to top.' : ''}</figcaption></figure>`,
  ].join('\n');
}

function about(run: RunFile): string {
  const arms = run.arms.map((x) => [
    x.arm,
    String(x.steps),
    String(x.parameters),
    x.trainSeconds.toFixed(0),
  ]);
  return [
    '<h2>What ran</h2>',
    `<p>${escapeHtml(run.ran.backend)}, Node ${escapeHtml(run.ran.node)}, ${run.ran.cores} cores, ${run.ran.seconds.toFixed(0)} s in all.</p>`,
    htmlTable(['arm', 'steps', 'parameters', 'seconds of training'], arms),
    `<ul>${run.credits.map((x) => `<li>${escapeHtml(x)}</li>`).join('')}</ul>`,
    `<pre>${escapeHtml(JSON.stringify({ data: run.data, config: run.config }, null, 1))}</pre>`,
  ].join('\n');
}
