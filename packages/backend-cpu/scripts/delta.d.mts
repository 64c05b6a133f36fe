/** The difference of `target` from `base`. */
export function makeDelta(base: Buffer, target: Buffer): Buffer;
