/** Working memory of this instance: each thread has an instance, and memory, of its own. */

export const KC: i32 = 256;
export const MC: i32 = 128;
export const NC: i32 = 1024;

/** Packed B, packed A and one tile of a product. */
export let packedB: usize = 0;
export let packedA: usize = 0;
export let edge: usize = 0;
/** For everything else: 640 KiB. */
export let workspace: usize = 0;

/** Takes 1.13 MiB for products from address p on, and the workspace behind it. */
export function setScratch(p: usize): void {
  packedB = p;
  packedA = p + KC * NC * 4;
  edge = packedA + MC * KC * 4;
  workspace = edge + 128;
}
