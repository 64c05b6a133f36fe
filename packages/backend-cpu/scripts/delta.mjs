// One build of the kernels as its difference from another: what src/wasm/delta.ts puts together again.

/** Bytes that have to agree before they are copied. */
const LEAST = 6;

function leb(value, out) {
  let rest = value;
  do {
    const low = rest & 127;
    rest >>>= 7;
    out.push(rest === 0 ? low : low | 128);
  } while (rest !== 0);
}

const zigzag = (value) => (value < 0 ? -2 * value - 1 : 2 * value);

/** Greedy: runs of literal bytes, and of bytes of the base at the longest match, nearest to where the last ended. */
export function makeDelta(base, target) {
  const places = new Map();
  for (let i = 0; i + LEAST <= base.length; i++) {
    const word = base.toString('latin1', i, i + LEAST);
    const list = places.get(word);
    if (list === undefined) places.set(word, [i]);
    else list.push(i);
  }
  const out = [];
  let literal = [];
  let last = 0;
  let at = 0;
  while (at < target.length) {
    let length = 0;
    let from = 0;
    for (const i of places.get(target.toString('latin1', at, at + LEAST)) ?? []) {
      let n = LEAST;
      while (at + n < target.length && i + n < base.length && base[i + n] === target[at + n]) n++;
      if (n > length || (n === length && Math.abs(i - last) < Math.abs(from - last))) {
        length = n;
        from = i;
      }
    }
    if (length === 0) {
      literal.push(target[at++]);
      continue;
    }
    leb(literal.length, out);
    out.push(...literal);
    leb(length, out);
    leb(zigzag(from - last), out);
    literal = [];
    last = from + length;
    at += length;
  }
  leb(literal.length, out);
  out.push(...literal);
  return Buffer.from(out);
}
