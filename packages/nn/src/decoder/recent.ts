/** Things that are costly to make, kept for the next use. */

/**
 * Keeps what its owner gave back last, by key. Who takes a thing has it alone until it is given back, so two users of
 * one key at the same time have two things.
 */
export class Recent<T extends Disposable> {
  private readonly limit: number;
  /** The one given back last is at the end. */
  private readonly kept: { readonly key: string; readonly thing: T }[] = [];
  private closed = false;

  /** @param limit things that are kept at most */
  constructor(limit: number) {
    this.limit = limit;
  }

  /** Things that are kept now. */
  get size(): number {
    return this.kept.length;
  }

  /** The thing of this key that was given back last; null where there is none. */
  take(key: string): T | null {
    const at = this.kept.findLastIndex((entry) => entry.key === key);
    return at < 0 ? null : this.kept.splice(at, 1)[0]!.thing;
  }

  /** Keeps a thing; frees the oldest where there are more than the limit, and this one after `dispose`. */
  give(key: string, thing: T): void {
    if (this.closed) {
      thing[Symbol.dispose]();
      return;
    }
    this.kept.push({ key, thing });
    if (this.kept.length > this.limit) this.kept.shift()!.thing[Symbol.dispose]();
  }

  /** Frees what is kept, and from now on what is given back. */
  dispose(): void {
    this.closed = true;
    for (const { thing } of this.kept.splice(0)) thing[Symbol.dispose]();
  }
}
