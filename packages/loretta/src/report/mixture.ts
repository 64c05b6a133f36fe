/** The section “Any mixture” of a report: pictures of what each way of asking gives, beside the numbers. */
import type { Image } from '@loretta-ts/tokenizers';
import type { ModalityData } from '../data/modality';
import type { Mixture, MixtureStrip } from '../evaluate/mixture';
import { escapeHtml } from './page';
import { type Framed, grid, pictureOf, withHole } from './strip';

/** An image as the `src` of a picture. */
export type ImageUri = (image: Image) => string;

type Modalities = Readonly<Record<string, ModalityData>>;

/** The section as HTML. */
export function mixtureSection(
  arm: string,
  found: Mixture,
  modalities: Modalities,
  uri: ImageUri,
): string {
  const table = (strips: readonly MixtureStrip[]): string =>
    stripTable(strips, found, modalities, uri);
  const before = found.infill.map((x) => (x.from === 'all of it' ? holed(x, modalities, uri) : ''));
  return [
    `<h2>Any mixture, ${escapeHtml(arm)}</h2>`,
    `<p>One model, asked in every way; ten test rows are shown and ${found.rows} are counted. The frame is green where the judge sees the class of the row. A recording is shown as the cepstrum of the training recording nearest to its codes.</p>`,
    '<h3>Each modality from each subset of the others</h3>',
    '<p>“x + y” is one sequence in this order, “x · y” a product of two guiding conditions: u + s (c<sub>x</sub> − u) + s (c<sub>y</sub> − u). Training has sequences of two blocks only, so the sum is further from what the model knows than the product.</p>',
    table(found.subsets),
    '<h3>Scales of guidance, never-seen directions</h3>',
    table(found.guidance),
    '<h3>One sample, the best of several, consensus</h3>',
    '<p>PMI is log p(x | c) − log p(x). A consensus has the highest likelihood averaged over what its chains sampled on the way.</p>',
    table(found.best),
    '<h3>Filling in a span</h3>',
    '<p>The middle half of the tokens is taken out and sampled anew, by importance: candidates from the left, weighed by what is on the right.</p>',
    before.join('\n'),
    table(found.infill),
    '<h3>Imputation of a missing modality</h3>',
    '<p>“confidence tells right from wrong” is the area under the ROC curve; .5 is chance, nothing where fewer than five rows are right or wrong. It knows whether a block goes with what it was made from, not whether a link on the way was right.</p>',
    table(found.impute),
  ].join('\n');
}

/** Each modality that has pictures, from each subset, one row each. */
export function mixtureSheets(
  found: Mixture,
  modalities: Modalities,
): { readonly target: string; readonly sheet: Image }[] {
  return Object.keys(modalities).flatMap((target) => {
    const rows = found.subsets
      .filter((strip) => strip.target === target)
      .map((strip) => framed(strip, found, modalities));
    const sheet = grid(rows);
    return sheet === null ? [] : [{ target, sheet }];
  });
}

function framed(strip: MixtureStrip, { labels }: Mixture, modalities: Modalities): Framed[] {
  return strip.ids.flatMap((ids, i) => {
    const image = pictureOf(modalities[strip.target]!, ids);
    if (image === null) return [];
    return [{ image, right: strip.accuracy === null ? null : strip.judged[i] === labels[i] }];
  });
}

function stripTable(
  strips: readonly MixtureStrip[],
  found: Mixture,
  modalities: Modalities,
  uri: ImageUri,
): string {
  const names = [...new Set(strips.flatMap((x) => Object.keys(x.numbers)))];
  const head = ['wanted', 'from', 'right class', ...names, 'samples'];
  const body = strips.map((strip) => {
    const { target, from, accuracy, numbers } = strip;
    const share =
      accuracy === null
        ? '–'
        : `${percent(accuracy.value)} [${percent(accuracy.low)}, ${percent(accuracy.high)}] %`;
    const cells = [target, from, share, ...names.map((name) => numbers[name]?.toFixed(2) ?? '')];
    const plain = cells.map((cell) => `<td>${escapeHtml(cell)}</td>`).join('');
    return `<tr>${plain}<td>${samples(strip, found, modalities, uri)}</td></tr>`;
  });
  return `<div class="wide"><table><thead><tr>${head.map((x) => `<th>${escapeHtml(x)}</th>`).join('')}</tr></thead><tbody>\n${body.join('\n')}\n</tbody></table></div>`;
}

const percent = (x: number): string => (100 * x).toFixed(0);

/** A strip of pictures, or texts. */
function samples(
  strip: MixtureStrip,
  found: Mixture,
  modalities: Modalities,
  uri: ImageUri,
): string {
  const image = grid([framed(strip, found, modalities)]);
  if (image !== null) {
    const rows = found.labels.join(' ');
    const alt = `${strip.target} from ${strip.from}: rows of classes ${rows}, judged ${strip.judged.join(' ')}`;
    return picture(image, alt, uri);
  }
  const m = modalities[strip.target]!;
  return strip.ids
    .map((ids, i) => {
      const sample = m.decode(ids);
      const text = sample.kind === 'text' ? sample.text : ids.join(' ');
      const right = strip.accuracy === null || strip.judged[i] === found.labels[i];
      return `${right ? '' : '<s>'}${found.labels[i]}: ${escapeHtml(text)}${right ? '' : '</s>'}`;
    })
    .join('<br>');
}

function holed(strip: Mixture['infill'][number], modalities: Modalities, uri: ImageUri): string {
  const m = modalities[strip.target]!;
  const images = strip.ids.flatMap((ids) => {
    const image = withHole(m, ids, strip.span);
    return image === null ? [] : [{ image, right: null }];
  });
  const image = grid([images]);
  if (image === null) return '';
  const [start, end] = strip.span;
  const words = `${strip.target} without tokens ${start} to ${end - 1}`;
  return `<figure>${picture(image, words, uri)}<figcaption>${escapeHtml(words)}</figcaption></figure>`;
}

function picture(image: Image, alt: string, uri: ImageUri): string {
  return `<img class="strip" alt="${escapeHtml(alt)}" width="${image.width}" height="${image.height}" src="${uri(image)}">`;
}
