import * as wavefileModule from 'wavefile';
import { requireInteger, TokenizerError } from './errors';
import { MAX_SAMPLE_RATE, requireWave, type Wave } from './wave';

/** wavefile is CommonJS in Node (everything under `default`) and an ES module with a named export in bundlers. */
function waveFileClass(module: object): typeof wavefileModule.WaveFile {
  const source: unknown = 'WaveFile' in module ? module : Reflect.get(module, 'default');
  return (source as typeof wavefileModule).WaveFile;
}

interface WavLayout {
  readonly channels: number;
  readonly sampleRate: number;
  readonly bits: number;
  readonly float: boolean;
  readonly frames: number;
}

/**
 * Decodes a WAV file: PCM of 8, 16, 24 or 32 bits or float of 32 or 64 bits, any number of channels, averaged to mono.
 * Samples are in [-1, 1]. Throws TokenizerError for anything truncated, inconsistent or in another encoding.
 */
export function decodeWav(bytes: Uint8Array): Wave {
  const layout = readLayout(bytes);
  const { channels, sampleRate, bits, float, frames } = layout;
  const WaveFile = waveFileClass(wavefileModule);
  let interleaved: Float64Array;
  try {
    interleaved = new WaveFile(bytes).getSamples(true);
  } catch (error) {
    throw refuse(`not a readable WAV file (${error instanceof Error ? error.message : 'unknown'})`);
  }
  if (interleaved.length !== frames * channels) {
    throw refuse(`expected ${frames * channels} samples, found ${interleaved.length}`);
  }
  const offset = bits === 8 ? 128 : 0;
  const scale = float ? 1 : 2 ** (bits - 1);
  const samples = new Float32Array(frames);
  for (let i = 0; i < frames; i++) {
    let sum = 0;
    for (let c = 0; c < channels; c++) {
      const value = (interleaved[i * channels + c]! - offset) / scale;
      if (!Number.isFinite(value)) throw refuse(`sample ${i} is not finite: the file is damaged`);
      sum += Math.min(1, Math.max(-1, value));
    }
    samples[i] = sum / channels;
  }
  return { sampleRate, samples };
}

/** A 16-bit mono PCM WAV file of the wave; samples beyond [-1, 1] are clipped. */
export function encodeWav(wave: Wave): Uint8Array {
  requireWave('encodeWav', wave);
  requireInteger('encodeWav', 'sampleRate', wave.sampleRate, 1, MAX_SAMPLE_RATE);
  const samples = Int16Array.from(wave.samples, (v) =>
    Math.min(32767, Math.max(-32768, Math.round(v * 32768))),
  );
  const WaveFile = waveFileClass(wavefileModule);
  const file = new WaveFile();
  file.fromScratch(1, wave.sampleRate, '16', samples);
  return file.toBuffer();
}

const PCM = 1;
const FLOAT = 3;
const EXTENSIBLE = 0xfffe;

/** Walks the RIFF chunks and checks every size before the decoder sees the file. */
function readLayout(bytes: Uint8Array): WavLayout {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 12 || tag(bytes, 0) !== 'RIFF' || tag(bytes, 8) !== 'WAVE') {
    throw refuse('not a RIFF/WAVE file: give the bytes of an uncompressed .wav');
  }
  const end = 8 + view.getUint32(4, true);
  if (end > bytes.length) {
    throw refuse(`truncated: the header promises ${end} bytes, the file has ${bytes.length}`);
  }
  let format: Omit<WavLayout, 'frames'> | undefined;
  for (let at = 12; at + 8 <= end; ) {
    const name = tag(bytes, at);
    const size = view.getUint32(at + 4, true);
    const start = at + 8;
    if (start + size > end) {
      throw refuse(
        `truncated: chunk "${printable(name)}" promises ${size} bytes, ${end - start} are left`,
      );
    }
    if (name === 'fmt ') format = readFormat(view, start, size);
    if (name === 'data') {
      if (format === undefined) throw refuse('the data chunk comes before the fmt chunk');
      const frameBytes = (format.channels * format.bits) / 8;
      if (size % frameBytes !== 0) {
        throw refuse(
          `the data chunk has ${size} bytes, not a multiple of a frame of ${frameBytes}`,
        );
      }
      return { ...format, frames: size / frameBytes };
    }
    at = start + size + (size % 2);
  }
  throw refuse(`no ${format === undefined ? 'fmt' : 'data'} chunk`);
}

function readFormat(view: DataView, start: number, size: number): Omit<WavLayout, 'frames'> {
  if (size < 16) throw refuse(`the fmt chunk has ${size} bytes, at least 16 are needed`);
  const declared = view.getUint16(start, true);
  if (declared === EXTENSIBLE && size < 26) throw refuse('the extensible fmt chunk is too short');
  const encoding = declared === EXTENSIBLE ? view.getUint16(start + 24, true) : declared;
  const channels = view.getUint16(start + 2, true);
  const sampleRate = view.getUint32(start + 4, true);
  const blockAlign = view.getUint16(start + 12, true);
  const bits = view.getUint16(start + 14, true);
  const widths = encoding === PCM ? [8, 16, 24, 32] : encoding === FLOAT ? [32, 64] : [];
  if (!widths.includes(bits)) {
    throw refuse(
      `encoding ${encoding} with ${bits} bits is not supported: convert to 16-bit PCM first`,
    );
  }
  if (channels < 1 || channels > 64) throw refuse(`${channels} channels, expected 1 to 64`);
  if (sampleRate < 1 || sampleRate > MAX_SAMPLE_RATE) {
    throw refuse(`sample rate ${sampleRate} is outside [1, ${MAX_SAMPLE_RATE}]`);
  }
  if (blockAlign !== (channels * bits) / 8) {
    throw refuse(`block size ${blockAlign} does not fit ${channels} channels of ${bits} bits`);
  }
  return { channels, sampleRate, bits, float: encoding === FLOAT };
}

function tag(bytes: Uint8Array, at: number): string {
  return String.fromCharCode(...bytes.subarray(at, at + 4));
}

function printable(name: string): string {
  return name.replace(/[^ -~]/g, '?');
}

function refuse(what: string): TokenizerError {
  return new TokenizerError('format', 'decodeWav', what);
}
