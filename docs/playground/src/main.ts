/** The page: one worker that answers, another that learns. */
import { ModelWorker } from './client';
import { chosen, find } from './dom';
import { drawCard } from './draw-card';
import type { ModelChoice, Opened } from './protocol';
import { Player } from './sound';
import { speakCard } from './speak-card';
import { themeButton } from './theme';
import { trainCard } from './train-card';

const assets = new URL('model/', document.baseURI).href;
const trouble = find('trouble');

function onTrouble(error: unknown): void {
  find('trouble-text').textContent = error instanceof Error ? error.message : String(error);
  trouble.hidden = false;
}

/** What the run measured for the model that is switched on. */
function modelNote({ arms, classes }: Opened, model: ModelChoice): string {
  if (model === 'live')
    return 'The model in training below, as it is now. It answers between two steps.';
  const { steps, matching } = arms.find(({ arm }) => arm === model)!;
  const share = Math.round(100 * matching.value);
  const chance = Math.round(100 / classes);
  return `After ${steps.toLocaleString('en')} steps of the main job it finds the right picture of ten for a recording in ${share} % of cases; chance is ${chance} %.`;
}

async function main(): Promise<void> {
  themeButton(find<HTMLButtonElement>('theme'));
  const answering = new ModelWorker();
  const opened = await answering.call('open', {
    assets,
    backend: 'cpu',
    // small questions; the cores are for what learns
    threads: 1,
  });
  const player = new Player();
  const model = (): ModelChoice => chosen('model') as ModelChoice;
  const worker = (): ModelWorker => {
    if (model() !== 'live') return answering;
    const found = training.worker();
    if (found === null) throw new Error('nothing has been trained yet');
    return found;
  };
  let seed = 0;
  const clear = (): void => {
    trouble.hidden = true;
  };
  find('dismiss').addEventListener('click', clear);
  const again = [
    drawCard(
      opened,
      player,
      async (image) => {
        clear();
        return worker().call('describe', { model: model(), image, seed: ++seed });
      },
      onTrouble,
    ),
    speakCard(
      opened,
      player,
      async (sound, trim) => {
        clear();
        return worker().call('imagine', { model: model(), sound, trim, seed: ++seed });
      },
      onTrouble,
    ),
  ];
  const live = document.querySelector<HTMLInputElement>('input[name="model"][value="live"]')!;
  const training = trainCard(
    assets,
    opened,
    (there) => {
      live.disabled = !there;
      if (!live.checked) return;
      if (there) for (const ask of again) ask(true);
      else document.querySelector<HTMLInputElement>('input[value="transitive"]')!.click();
    },
    onTrouble,
  );
  const note = (): void => {
    find('model-note').textContent = modelNote(opened, model());
  };
  for (const radio of document.querySelectorAll<HTMLInputElement>('input[name="model"]')) {
    radio.addEventListener('change', () => {
      note();
      for (const ask of again) ask(false);
    });
  }
  note();
  const threads = globalThis.crossOriginIsolated
    ? 'the page is cross-origin isolated: training on the CPU takes all cores'
    : 'the page is not cross-origin isolated: training on the CPU has one thread';
  find('machine').textContent = `Answers are computed on ${opened.machine}; ${threads}.`;
  find('credits').textContent = opened.credits.join('; ');
  document.body.dataset['ready'] = 'true';
}

main().catch(onTrouble);
