/** Gaussian noise on the host. */

/** A standard normal number from two uniform ones (Box and Muller 1958). */
export function standardNormal(random: { uniform(): number }): number {
  const radius = Math.sqrt(-2 * Math.log(1 - random.uniform()));
  return radius * Math.cos(2 * Math.PI * random.uniform());
}
