/** Playing, recording, reading: Web Audio on one side, waves on the other. */
import type { Sound } from './protocol';

/** Longest recording in seconds: a digit is one word. */
const LONGEST = 2;

/** Plays recordings one at a time. */
export class Player {
  #context: AudioContext | null = null;
  #playing: AudioBufferSourceNode | null = null;

  async play({ sampleRate, samples }: Sound): Promise<void> {
    this.#context ??= new AudioContext();
    const context = this.#context;
    if (context.state === 'suspended') await context.resume();
    this.#playing?.stop();
    const buffer = context.createBuffer(1, samples.length, sampleRate);
    buffer.copyToChannel(Float32Array.from(samples), 0);
    const source = context.createBufferSource();
    source.buffer = buffer;
    source.connect(context.destination);
    source.start();
    this.#playing = source;
  }
}

/** A sound file of any kind that the browser can decode, as mono. */
export async function decodeFile(file: Blob): Promise<Sound> {
  const context = new AudioContext();
  try {
    const decoded = await context.decodeAudioData(await file.arrayBuffer());
    const { sampleRate, numberOfChannels, length } = decoded;
    const samples = new Float32Array(length);
    for (let c = 0; c < numberOfChannels; c++) {
      decoded.getChannelData(c).forEach((v, i) => {
        samples[i]! += v / numberOfChannels;
      });
    }
    return { sampleRate, samples };
  } finally {
    await context.close();
  }
}

/** A recording under way. */
export interface Recording {
  /** Ends it early. */
  stop(): void;
  readonly sound: Promise<Sound>;
}

/** Records from the microphone for two seconds at most. @throws DOMException when it is not allowed or not there */
export async function record(): Promise<Recording> {
  // absent on pages that are neither https nor local
  const devices = navigator.mediaDevices as MediaDevices | undefined;
  if (devices === undefined) throw new Error('the browser gives a microphone to https pages only');
  const stream = await devices.getUserMedia({ audio: { channelCount: 1 } });
  const recorder = new MediaRecorder(stream);
  const parts: Blob[] = [];
  recorder.addEventListener('dataavailable', ({ data }) => parts.push(data));
  const ended = new Promise<void>((done) => {
    recorder.addEventListener('stop', () => done());
  });
  const timer = setTimeout(() => recorder.stop(), 1000 * LONGEST);
  recorder.start();
  const sound = ended.then(() => {
    clearTimeout(timer);
    for (const track of stream.getTracks()) track.stop();
    return decodeFile(new Blob(parts, { type: recorder.mimeType }));
  });
  return { stop: () => recorder.state === 'recording' && recorder.stop(), sound };
}
