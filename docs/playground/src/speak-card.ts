/** The card that takes a recording and gives pictures and a caption. */
import { find, make } from './dom';
import { drawBars, drawWave, picture } from './pictures';
import type { Caption, Imagined, Opened, Sound } from './protocol';
import { decodeFile, type Player, type Recording, record } from './sound';

/** Asks the model that is switched on. */
export type Imagine = (sound: Sound, trim: boolean) => Promise<Imagined>;

/** Wires the card. Returns what asks again, after the model was switched or has learned: then quietly. */
export function speakCard(
  { picks }: Opened,
  player: Player,
  ask: Imagine,
  onTrouble: (error: unknown) => void,
): (quiet: boolean) => void {
  const area = find('imagined');
  const button = find<HTMLButtonElement>('record');
  let given: { readonly sound: Sound; readonly trim: boolean; readonly name: string } | null = null;
  let asked = 0;

  const show = async (): Promise<void> => {
    if (given === null) return;
    const { sound, trim, name } = given;
    drawWave(find<SVGSVGElement>('heard'), sound);
    area.ariaBusy = 'true';
    const mine = ++asked;
    try {
      const { images, caption, fit } = await ask(sound, trim);
      if (mine !== asked) return;
      find('seen-as').textContent = `For ${name} it imagines`;
      showCaption(find('speak-caption'), caption);
      find('images').replaceChildren(
        ...images.map((pixels, i) => picture(pixels, `sample ${i + 1} of ${images.length}`)),
      );
      drawBars(find('speak-fit'), fit, 'How well each drawn digit fits the recording');
    } catch (error) {
      onTrouble(error);
    } finally {
      if (mine === asked) area.ariaBusy = 'false';
    }
  };

  const release = (): void => {
    for (const chip of find('recordings').children) chip.ariaPressed = 'false';
  };
  const take = (sound: Sound, name: string): void => {
    given = { sound, trim: true, name };
    release();
    void show();
  };

  const classes = [...new Set(picks.labels)].sort((a, b) => a - b);
  find('recordings').replaceChildren(
    ...classes.map((digit) => {
      const own = [...picks.labels.keys()].filter((i) => picks.labels[i] === digit);
      let next = 0;
      const chip = make('button', {
        type: 'button',
        textContent: String(digit),
        ariaLabel: `a recording of ${digit}; again for another voice`,
        ariaPressed: 'false',
      });
      chip.addEventListener('click', () => {
        const sound = picks.sounds[own[next % own.length]!]!;
        const name = `a spoken ${digit}, recording ${(next % own.length) + 1} of ${own.length},`;
        next++;
        release();
        chip.ariaPressed = 'true';
        given = { sound, trim: false, name };
        player.play(sound).catch(onTrouble);
        void show();
      });
      return chip;
    }),
  );

  let running: Recording | null = null;
  button.addEventListener('click', () => {
    if (running !== null) {
      running.stop();
      return;
    }
    button.disabled = true;
    record()
      .then(async (recording) => {
        running = recording;
        button.disabled = false;
        button.textContent = 'Listening … stop';
        take(await recording.sound, 'your voice');
      })
      .catch(onTrouble)
      .finally(() => {
        running = null;
        button.disabled = false;
        button.textContent = 'Speak';
      });
  });
  const file = find<HTMLInputElement>('file');
  file.addEventListener('change', () => {
    const [one] = file.files ?? [];
    if (one === undefined) return;
    decodeFile(one)
      .then((sound) => take(sound, one.name))
      .catch(() => onTrouble(new Error(`${one.name} is no sound file that this browser can read`)))
      .finally(() => {
        file.value = '';
      });
  });
  return () => void show();
}

/** A caption with the word that names a digit marked. */
export function showCaption(host: HTMLElement, { text, word, digit }: Caption): void {
  const words = text.split(' ').flatMap((one, i) => {
    const space = i === 0 ? [] : [' '];
    return [...space, one === word ? make('mark', { textContent: one }) : one];
  });
  const meaning = digit === null || word === String(digit) ? '' : ` (${digit})`;
  host.replaceChildren('“', ...words, `”${meaning}`);
}
