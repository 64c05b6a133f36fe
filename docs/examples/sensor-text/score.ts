/** How often a translator is right, in both directions. */
import { hostRandom } from '@loretta-ts/core';
import { describe, EVENTS, eventOf, record } from './series';
import type { Translator } from './train';

/** The event of the real recording that is nearest. */
function nearest(
  series: Float32Array,
  known: readonly (readonly [number, Float32Array])[],
): number {
  const distance = (x: Float32Array): number =>
    x.reduce((sum, v, i) => sum + (v - series[i]!) ** 2, 0);
  return known.reduce((best, one) => (distance(one[1]) < distance(best[1]) ? one : best))[0];
}

/** Shares of `n` new recordings and `n` new sentences that are translated right. */
export async function score(translator: Translator, n: number, seed: number) {
  const random = hostRandom(seed);
  const events = Array.from({ length: n }, (_, i) => i % EVENTS.length);
  const said = await translator.say(events.map((event) => record(event, random)));
  const felt = await translator.feel(events.map((event) => describe(event, random)));
  const known = Array.from({ length: 120 }, (_, i) => {
    const event = i % EVENTS.length;
    return [event, record(event, random)] as const;
  });
  const share = (right: (event: number, i: number) => boolean): number =>
    events.filter(right).length / n;
  return {
    toText: share((event, i) => eventOf(said[i]!) === event),
    toSensor: share((event, i) => nearest(felt[i]!, known) === event),
  };
}
