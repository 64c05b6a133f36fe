/** Working memory of this instance: each thread has an instance, and memory, of its own. */

export const KC: i32 = 256;
export const MC: i32 = 128;
export const NC: i32 = 1024;

/** Bytes that `setScratch` takes. */
const TOTAL: usize = 2 * 1024 * 1024;
const EDGE: usize = 128;

/** One tile of a product. */
export let edge: usize = 0;
/** Packed B and packed A of a product. */
export let packedB: usize = 0;
export let packedA: usize = 0;
/** Everything but the tile, for kernels that call no product that packs: `workspaceBytes`. */
export let workspace: usize = 0;
export const workspaceBytes: usize = TOTAL - EDGE;

/** Takes 2 MiB from address p on. */
export function setScratch(p: usize): void {
  edge = p;
  workspace = p + EDGE;
  packedB = workspace;
  packedA = packedB + KC * NC * 4;
}
