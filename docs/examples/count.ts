/** Reads an argument that has to be a positive whole number; anything else ends the program in one line. */
export function count(name: string, text: string): number {
  const n = Number(text);
  if (Number.isInteger(n) && n > 0) return n;
  console.error(`${name} is ${JSON.stringify(text)}: give a positive whole number`);
  process.exit(2);
}
