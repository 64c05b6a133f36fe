/** Pickles (PyTorch's `.pt`, `.pkl`, `pytorch_model.bin`): reading one runs the code in it, so none is read. */

const NAMES = /^pytorch_model.*\.bin$|\.(pt|pth|pkl|pickle)$/;

/** Whether a file of this name is a pickle, as PyTorch's tools name them. */
export function isPickleName(name: string): boolean {
  return NAMES.test(name);
}

/** Whether bytes that are no safetensors file begin as a pickle, or as PyTorch's zip of one. */
export function looksLikePickle(bytes: Uint8Array): boolean {
  const [a, b, c, d] = bytes;
  const zip = a === 0x50 && b === 0x4b && c === 3 && d === 4;
  // its protocol, then an opcode
  return zip || (a === 0x80 && b !== undefined && b >= 2 && b <= 5 && c !== 0);
}

/** What a message of refused bytes adds when they look like a pickle; else ''. */
export function pickleHint(bytes: Uint8Array): string {
  return looksLikePickle(bytes) ? `; it looks like a pickle: ${WAY_OUT}` : '';
}

/** For a file that is refused by its name. */
export function pickleRefusal(name: string): string {
  return `'${name}' is a pickle: ${WAY_OUT}`;
}

const WAY_OUT = 'reading one runs its code, so save the model as safetensors and give that';
