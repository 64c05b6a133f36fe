/** The card that trains: settings, curves, samples as they sharpen. */
import { ModelWorker } from './client';
import { chosen, find, make } from './dom';
import type { PlaygroundArm } from './format';
import { picture } from './pictures';
import { Plot } from './plot';
import type { BackendChoice, Opened, TrainEvent, TrainSettings } from './protocol';

/** Held-out rows of the matching task. */
const ROWS = 100;
/** Loss is smoothed over so many steps. */
const SMOOTH = 20;
/** Rows of pictures that stay. */
const FILM = 24;

/** The training under way, for the cards above. */
export interface TrainCard {
  /** Its worker; null before the first training. */
  worker(): ModelWorker | null;
}

/**
 * Wires the card.
 * @param onWeights called when there are new weights to ask, and when there are none any more
 */
export function trainCard(
  assets: string,
  opened: Opened,
  onWeights: (there: boolean) => void,
  onTrouble: (error: unknown) => void,
): TrainCard {
  const [go, pause, stop] = ['go', 'pause', 'stop'].map((id) => find<HTMLButtonElement>(id)) as [
    HTMLButtonElement,
    HTMLButtonElement,
    HTMLButtonElement,
  ];
  const form = find<HTMLFormElement>('train-form');
  const backend = find<HTMLSelectElement>('backend');
  const state = find('train-state');
  const curves = new Curves(opened);
  let worker: ModelWorker | null = null;
  /** What the worker's backend is, in words; null when it has to be opened. */
  let machine: string | null = null;
  let ran: BackendChoice | null = null;
  let paused = false;

  const buttons = (running: boolean): void => {
    pause.disabled = !running;
    stop.disabled = !running;
    pause.textContent = paused ? 'Resume' : 'Pause';
  };
  const tell = (text: string): void => {
    state.textContent = machine === null ? text : `${text} ${machine}`;
  };

  const onEvent = (event: TrainEvent): void => {
    if (event.kind === 'step') {
      curves.step(event);
      if (event.wait > 0 && event.arm === 'transitive')
        tell(`Commutative steps for ${event.wait} more: its samples must be able to teach first.`);
      else if (event.wait === 0 && event.step % 10 === 1) tell(running(event.arm));
    } else if (event.kind === 'check') {
      curves.check(event);
      onWeights(true);
    } else if (event.kind === 'failed') {
      buttons(false);
      tell('It failed.');
      onTrouble(new Error(event.message));
    } else {
      paused = event.state === 'paused';
      buttons(event.state === 'running' || event.state === 'paused');
      if (event.state === 'running') tell(running(chosen('arm') as PlaygroundArm));
      else tell({ paused: 'Paused.', stopped: 'Stopped.', done: 'Done.' }[event.state]);
    }
  };

  const open = async (choice: BackendChoice): Promise<ModelWorker> => {
    if (worker !== null && ran === choice) return worker;
    worker?.end();
    worker = null;
    machine = null;
    onWeights(false);
    tell(`Opening ${choice} …`);
    const made = new ModelWorker(onEvent);
    try {
      const on = await made.call('open', { assets, backend: choice, threads: 'auto' });
      machine = [`On ${on.machine}.`, ...(on.note === null ? [] : [`(${on.note})`])].join(' ');
    } catch (error) {
      made.end();
      const why = error instanceof Error ? error.message : String(error);
      throw new Error(`${choice} does not run here. ${why}`);
    }
    worker = made;
    ran = choice;
    return made;
  };

  const begin = async (): Promise<void> => {
    const settings = settingsOf();
    go.disabled = true;
    curves.clear(settings);
    try {
      const on = await open(backend.value as BackendChoice);
      tell('Making the model …');
      await on.call('train', settings);
    } catch (error) {
      buttons(false);
      tell('Nothing runs.');
      onTrouble(error);
    } finally {
      go.disabled = false;
    }
  };

  form.addEventListener('submit', (event) => {
    event.preventDefault();
    void begin();
  });
  go.addEventListener('click', () => {
    if (form.reportValidity()) void begin();
  });
  pause.addEventListener('click', () => {
    worker?.call(paused ? 'resume' : 'pause', null).catch(onTrouble);
  });
  stop.addEventListener('click', () => {
    worker?.call('stop', null).catch(onTrouble);
  });
  for (const radio of document.querySelectorAll<HTMLInputElement>('input[name="arm"]')) {
    radio.addEventListener('change', () => {
      worker?.call('switchArm', radio.value as PlaygroundArm).catch(onTrouble);
    });
  }
  const start = find<HTMLSelectElement>('start');
  start.addEventListener('change', () => {
    find<HTMLInputElement>('steps').value = String(
      start.value === 'scratch' ? opened.schedule.steps : Math.min(400, opened.schedule.steps),
    );
  });
  return { worker: () => worker };
}

function running(arm: PlaygroundArm): string {
  return arm === 'transitive'
    ? 'It learns, and half of its steps are transitive.'
    : 'It learns each pair in both orders.';
}

function settingsOf(): TrainSettings {
  return {
    start: find<HTMLSelectElement>('start').value as TrainSettings['start'],
    arm: chosen('arm') as PlaygroundArm,
    steps: find<HTMLInputElement>('steps').valueAsNumber,
    every: find<HTMLInputElement>('every').valueAsNumber,
    rows: ROWS,
    seed: 1,
  };
}

type Step = Extract<TrainEvent, { kind: 'step' }>;
type Check = Extract<TrainEvent, { kind: 'check' }>;

/** Numbers, plots and pictures of a training. */
class Curves {
  readonly #opened: Opened;
  readonly #loss = new Plot(find('loss-plot'));
  readonly #accuracy = new Plot(find('accuracy-plot'));
  #steps: Step[] = [];
  #checks: Check[] = [];
  #total = 1;
  #drawing = false;

  constructor(opened: Opened) {
    this.#opened = opened;
    this.#draw();
  }

  clear({ steps }: TrainSettings): void {
    this.#steps = [];
    this.#checks = [];
    this.#total = steps;
    find('film').replaceChildren();
    find('film-head').replaceChildren();
    for (const id of ['n-step', 'n-loss', 'n-rate', 'n-accuracy']) find(id).textContent = '–';
    this.#draw();
  }

  step(event: Step): void {
    this.#steps.push(event);
    find('n-step').textContent = `${event.step} of ${event.total}`;
    find('n-loss').textContent = smooth(this.#steps, this.#steps.length - 1).toFixed(3);
    find('n-rate').textContent = Math.round(event.tokensPerSecond).toLocaleString('en');
    if (this.#drawing) return;
    this.#drawing = true;
    requestAnimationFrame(() => {
      this.#drawing = false;
      this.#draw();
    });
  }

  check(event: Check): void {
    this.#checks.push(event);
    find('n-accuracy').textContent = `${Math.round(100 * event.accuracy)} %`;
    const head = find('film-head');
    if (head.childElementCount === 0) {
      const cells = event.labels.map((k) => make('th', { scope: 'col', textContent: `“${k}”` }));
      head.replaceChildren(make('th', { scope: 'col', textContent: 'step' }), ...cells);
    }
    const cells = event.images.map((pixels, i) =>
      make('td', {}, [picture(pixels, `for a spoken ${event.labels[i]}, step ${event.step}`)]),
    );
    const title = make('th', { scope: 'row', textContent: String(event.step) });
    const film = find('film');
    film.prepend(make('tr', { className: event.arm }, [title, ...cells]));
    // the first row stays, to compare with
    if (film.childElementCount > FILM) film.children[FILM - 1]!.remove();
    this.#draw();
  }

  #draw(): void {
    const losses = this.#steps.map(({ loss }) => loss);
    const top = losses.length === 0 ? 1 : Math.max(...losses);
    const bottom = losses.length === 0 ? 0 : Math.min(...losses);
    const edge = Math.max(0.05, 0.1 * (top - bottom));
    this.#loss.show({
      steps: this.#total,
      range: [Math.max(0, bottom - edge), top + edge],
      format: (y) => y.toFixed(2),
      marks: [],
      lines: [
        ...byArm(this.#steps, 'faint', ({ loss }) => loss),
        ...byArm(this.#steps, '', (_, i) => smooth(this.#steps, i)),
      ],
    });
    const { arms, classes } = this.#opened;
    this.#accuracy.show({
      steps: this.#total,
      range: [0, 1],
      format: (y) => `${Math.round(100 * y)} %`,
      marks: [
        { look: 'chance', y: 1 / classes, name: 'chance', side: 'right' },
        ...arms.map(({ arm, matching }) => ({
          look: arm,
          y: matching.value,
          side: arm === 'transitive' ? ('right' as const) : ('middle' as const),
          name: arm === 'transitive' ? 'LoReTTa’s checkpoint' : 'commutative checkpoint',
        })),
      ],
      lines: byArm(this.#checks, '', ({ accuracy }) => accuracy).map((line) => ({
        ...line,
        dots: true,
      })),
    });
  }
}

/** Runs of one method as lines that meet. */
function byArm<T extends Step | Check>(
  events: readonly T[],
  look: string,
  value: (event: T, i: number) => number,
): { look: string; points: (readonly [number, number])[] }[] {
  const lines: { look: string; points: (readonly [number, number])[] }[] = [];
  let arm: PlaygroundArm | null = null;
  events.forEach((event, i) => {
    const point = [event.step, value(event, i)] as const;
    if (event.arm !== arm) {
      const last = lines.at(-1)?.points.at(-1);
      arm = event.arm;
      lines.push({ look: `${arm} ${look}`.trim(), points: last === undefined ? [] : [last] });
    }
    lines.at(-1)!.points.push(point);
  });
  return lines;
}

/** Mean loss of the steps up to i. */
function smooth(steps: readonly Step[], i: number): number {
  const from = Math.max(0, i + 1 - SMOOTH);
  let sum = 0;
  for (let j = from; j <= i; j++) sum += steps[j]!.loss;
  return sum / (i + 1 - from);
}
