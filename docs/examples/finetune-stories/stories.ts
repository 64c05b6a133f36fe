/** Short stories about a robot that the pretrained model has never heard of. */
import { hostRandom } from '@loretta-ts/core';

const choices = {
  place: ['garden', 'kitchen', 'forest', 'park', 'barn', 'cave'],
  colour: ['red', 'blue', 'green', 'big', 'tiny', 'shiny'],
  thing: ['ball', 'box', 'key', 'kite', 'bell', 'lamp'],
  friend: ['Tom', 'Lily', 'Ben', 'Mia', 'Sam', 'Sue'],
  mood: ['happy', 'sad', 'scared', 'proud', 'tired', 'excited'],
} as const;

/** `n` stories; another seed gives others. */
export function robotStories(n: number, seed: number): string[] {
  const random = hostRandom(seed);
  const pick = (kind: keyof typeof choices): string => {
    const words: readonly string[] = choices[kind];
    return words[random.int(words.length)]!;
  };
  return Array.from({ length: n }, () => {
    const [place, colour, thing, friend, mood] = [
      pick('place'),
      pick('colour'),
      pick('thing'),
      pick('friend'),
      pick('mood'),
    ];
    return (
      `Once upon a time, there was a little robot named Zip. Zip lived in a ${place}. ` +
      `One day, Zip found a ${colour} ${thing}. ${friend} was ${mood}. ` +
      `"Beep, beep! You can have my ${thing}," said Zip. ${friend} and Zip played all day.`
    );
  });
}
