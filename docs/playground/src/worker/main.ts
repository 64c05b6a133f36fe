/** The worker: answers calls one after the other; a training takes its turns between them. */
import type { Decoder } from '@loretta-ts/nn';
import type { PlaygroundArm } from '../format';
import type { Calls, ModelChoice, Opened, Reply, Request, TrainEvent } from '../protocol';
import { describe, imagine } from './ask';
import { type Assets, loadAssets, loadModel } from './assets';
import { openBackend } from './backend';
import { Training } from './training';

class Worker {
  #assets: Assets | null = null;
  readonly #models = new Map<PlaygroundArm, Decoder>();
  #training: Training | null = null;
  #paused = false;
  /** The work before this is done when it resolves. */
  #turn: Promise<unknown> = Promise.resolve();

  readonly #post: (reply: Reply) => void;

  constructor(post: (reply: Reply) => void) {
    this.#post = post;
  }

  async receive(request: Request): Promise<void> {
    const { id } = request;
    try {
      this.#post({ id, answer: await this.#answer(request) });
    } catch (error) {
      this.#post({ id, error: messageOf(error) });
    }
  }

  /** Does work when what was begun before is done: tensors of two jobs never mix. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const next = this.#turn.then(work);
    this.#turn = next.catch(() => undefined);
    return next;
  }

  #answer(request: Request): Promise<Calls[keyof Calls]['answer']> {
    switch (request.name) {
      case 'open':
        return this.#inTurn(() => this.#open(request.asked));
      case 'describe': {
        const { model, image, seed } = request.asked;
        return this.#inTurn(async () =>
          describe(this.#ready(), await this.#model(model), image, seed),
        );
      }
      case 'imagine': {
        const { model, sound, trim, seed } = request.asked;
        return this.#inTurn(async () =>
          imagine(this.#ready(), await this.#model(model), sound, trim, seed),
        );
      }
      case 'train':
        return this.#inTurn(async () => {
          const training = await Training.begin(this.#ready(), request.asked);
          this.#training?.dispose();
          this.#training = training;
          this.#paused = false;
          this.#tell({ kind: 'state', state: 'running' });
          void this.#run(training);
          return null;
        });
      case 'pause':
      case 'resume': {
        const training = this.#training;
        if (training === null || training.done) return Promise.resolve(null);
        this.#paused = request.name === 'pause';
        this.#tell({ kind: 'state', state: this.#paused ? 'paused' : 'running' });
        void this.#run(training);
        return Promise.resolve(null);
      }
      case 'stop':
        // the weights stay, to be asked
        this.#paused = true;
        this.#tell({ kind: 'state', state: 'stopped' });
        return Promise.resolve(null);
      case 'switchArm':
        if (this.#training !== null) this.#training.arm = request.asked;
        return Promise.resolve(null);
    }
  }

  async #open({ assets, backend, threads }: Calls['open']['asked']): Promise<Opened> {
    const machine = await openBackend(backend, threads);
    const loaded = await loadAssets(assets);
    this.#assets = loaded;
    const { manifest, picks } = loaded;
    const { config, arms, classes, credits } = manifest;
    const { side, images, sounds, labels } = picks;
    return {
      ...machine,
      arms: arms.map(({ arm, steps, matching }) => ({ arm, steps, matching })),
      classes,
      credits,
      side,
      picks: { images, sounds, labels },
      schedule: { steps: config.train.steps, warmUp: config.transitive.earliest },
    };
  }

  #ready(): Assets {
    if (this.#assets === null) throw new Error('the worker has not been opened');
    return this.#assets;
  }

  async #model(choice: ModelChoice): Promise<Decoder> {
    if (choice === 'live') {
      if (this.#training === null) throw new Error('nothing has been trained yet');
      return this.#training.model;
    }
    const known = this.#models.get(choice);
    if (known !== undefined) return known;
    const model = await loadModel(this.#ready(), choice);
    this.#models.set(choice, model);
    return model;
  }

  /** Steps until the end, a pause, or another training. */
  async #run(training: Training): Promise<void> {
    const goesOn = (): boolean => this.#training === training && !this.#paused;
    if (training.running) return;
    training.running = true;
    try {
      while (goesOn()) {
        await this.#inTurn(async () => {
          if (!goesOn()) return;
          if (training.due) this.#tell(await training.check());
          if (training.done) {
            this.#paused = true;
            this.#tell({ kind: 'state', state: 'done' });
          } else this.#tell(await training.step());
        });
        // let messages in
        await new Promise((done) => setTimeout(done));
      }
    } catch (error) {
      this.#paused = true;
      this.#tell({ kind: 'failed', message: messageOf(error) });
    } finally {
      training.running = false;
    }
  }

  #tell(event: TrainEvent): void {
    this.#post({ event });
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}

const worker = new Worker((reply) => globalThis.postMessage(reply));
globalThis.addEventListener('message', ({ data }: MessageEvent<Request>) => {
  void worker.receive(data);
});
