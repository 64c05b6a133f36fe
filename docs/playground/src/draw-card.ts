/** The card that takes a picture and gives a caption and a sound. */
import { encodeWav } from '@loretta-ts/tokenizers';
import { centred } from './digit';
import { find, make } from './dom';
import { Pad } from './pad';
import { drawBars, drawWave, paint, picture } from './pictures';
import type { Described, Opened, Sound } from './protocol';
import { showCaption } from './speak-card';
import type { Player } from './sound';

/** Milliseconds after the last stroke, in which another one may begin. */
const PATIENCE = 700;

/** Asks the model that is switched on. */
export type Describe = (image: Uint8Array) => Promise<Described>;

/** Wires the card. Returns what asks again, after the model was switched or has learned: then quietly. */
export function drawCard(
  { side, picks }: Opened,
  player: Player,
  ask: Describe,
  onTrouble: (error: unknown) => void,
): (quiet: boolean) => void {
  const [area, said] = [find('described'), find('said')];
  const [button, voice] = [find<HTMLButtonElement>('describe'), find<HTMLSelectElement>('voice')];
  const download = find<HTMLAnchorElement>('download');
  let image: Uint8Array | null = null;
  let answer: Described | null = null;
  let timer = 0;
  let asked = 0;

  const sound = ({ robot, nearest }: Described): Sound =>
    voice.value === 'robot' ? robot : nearest.sound;

  const offer = (): void => {
    if (answer === null) return;
    find('sound-row').hidden = false;
    drawWave(find<SVGSVGElement>('wave'), sound(answer));
    URL.revokeObjectURL(download.href);
    const bytes = Uint8Array.from(encodeWav(sound(answer)));
    download.href = URL.createObjectURL(new Blob([bytes], { type: 'audio/wav' }));
  };

  const play = (): void => {
    if (answer !== null) player.play(sound(answer)).catch(onTrouble);
  };

  const show = async (quiet: boolean): Promise<void> => {
    if (image === null) return;
    clearTimeout(timer);
    area.ariaBusy = 'true';
    const mine = ++asked;
    try {
      const found = await ask(image);
      // another question came meanwhile
      if (mine !== asked) return;
      answer = found;
      const { nearest, caption, seen, fit } = found;
      said.replaceChildren('It says ', make('strong', { textContent: `“${word(nearest.digit)}”` }));
      showCaption(find('draw-caption'), caption);
      paint(find<HTMLCanvasElement>('seen'), seen);
      drawBars(find('draw-fit'), fit, 'How well each spoken digit fits the picture');
      offer();
      if (!quiet && find<HTMLInputElement>('autoplay').checked) play();
    } catch (error) {
      onTrouble(error);
    } finally {
      if (mine === asked) area.ariaBusy = 'false';
    }
  };

  const take = (): void => {
    image = centred(pad.ink(), side);
    button.disabled = image === null;
  };
  const release = (): void => {
    for (const chip of find('digits').children) chip.ariaPressed = 'false';
  };
  let picked = false;
  const pad = new Pad(
    find<HTMLCanvasElement>('pad'),
    () => {
      clearTimeout(timer);
      if (picked) pad.clear();
      picked = false;
      release();
    },
    () => {
      take();
      timer = window.setTimeout(() => void show(false), PATIENCE);
    },
  );
  button.addEventListener('click', () => void show(false));
  find('clear').addEventListener('click', () => {
    clearTimeout(timer);
    asked++;
    pad.clear();
    release();
    image = null;
    button.disabled = true;
  });
  find('say').addEventListener('click', play);
  voice.addEventListener('change', () => {
    offer();
    play();
  });
  const order = [...picks.labels.keys()].sort((a, b) => picks.labels[a]! - picks.labels[b]!);
  find('digits').replaceChildren(
    ...order
      .filter((_, i) => i % 3 < 2)
      .map((i) => {
        const label = `a handwritten ${picks.labels[i]}`;
        const chip = make('button', { type: 'button', ariaLabel: label, ariaPressed: 'false' }, [
          picture(picks.images[i]!, label),
        ]);
        chip.addEventListener('click', () => {
          release();
          chip.ariaPressed = 'true';
          picked = true;
          image = picks.images[i]!;
          pad.show(image);
          button.disabled = false;
          void show(false);
        });
        return chip;
      }),
  );
  return (quiet) => void show(quiet);
}

const WORDS = ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine'];

function word(digit: number): string {
  return WORDS[digit] ?? String(digit);
}
