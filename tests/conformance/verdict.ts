/** What was found out about one case. */
import type { Precision, Tolerance, Tolerances } from './format';
import type { Vector } from './safetensors';

export interface Got {
  readonly shape: readonly number[];
  readonly data: ArrayLike<number>;
}

/** Says which wanted value may be another one, documented. */
export type Exception = (index: number, got: number, want: number) => boolean;

/** null when every value is within tolerance of the one wanted, else the worst miss. NaN matches NaN. */
export function mismatch(
  got: ArrayLike<number>,
  want: ArrayLike<number>,
  [rtol, atol]: readonly [number, number],
  excepted: Exception = () => false,
): string | null {
  if (got.length !== want.length) return `${got.length} values, want ${want.length}`;
  let worst: string | null = null;
  let ratio = 0;
  for (let i = 0; i < want.length; i++) {
    const [g, w] = [Number(got[i]), Number(want[i])];
    if (g === w || (Number.isNaN(g) && Number.isNaN(w))) continue;
    const off = Math.abs(g - w);
    const allowed = Number.isFinite(w) ? atol + rtol * Math.abs(w) : 0;
    if (off <= allowed || excepted(i, g, w)) continue;
    const r = Number.isFinite(off) && allowed > 0 ? off / allowed : Infinity;
    if (worst === null || r > ratio) {
      ratio = r;
      worst = `[${i}] is ${g}, want ${w}: off by ${off}, allowed ${allowed}`;
    }
  }
  return worst;
}

/** Collects the comparisons of a case. */
export class Verdict {
  readonly problems: string[] = [];
  readonly precision: Precision;
  /** The device is a GPU: its list of exceptions counts. */
  readonly onGpu: boolean;
  /** Why elements were excepted, with their number. */
  readonly excepted = new Map<string, number>();
  private compared = 0;
  private skipped = 0;

  constructor(precision: Precision, onGpu = false) {
    this.precision = precision;
    this.onGpu = onGpu;
  }

  /** Counts an element that may be another than the one wanted. */
  except(reason: string): void {
    this.excepted.set(reason, (this.excepted.get(reason) ?? 0) + 1);
  }

  /** Nothing of the case exists in this precision. */
  get notApplicable(): boolean {
    return this.compared === 0 && this.skipped > 0 && this.problems.length === 0;
  }

  /** Why the case failed; empty when it passed. */
  get reasons(): readonly string[] {
    const untested = this.compared === 0 && this.skipped === 0 && this.problems.length === 0;
    return untested ? ['nothing was compared'] : this.problems;
  }

  that(ok: boolean, problem: string): void {
    this.compared++;
    if (!ok) this.problems.push(problem);
  }

  /** Compares under the tolerance of this run's precision. */
  values(
    name: string,
    got: Got,
    want: Pick<Vector, 'shape' | 'data'>,
    tolerances: Tolerances | undefined,
    excepted?: Exception,
  ): void {
    const tolerance: Tolerance | undefined = tolerances?.[this.precision];
    if (tolerance === null) {
      this.skipped++;
      return;
    }
    if (tolerance === undefined) {
      this.that(false, `${name}: the case gives no tolerance for ${this.precision}`);
      return;
    }
    if (got.shape.join() !== want.shape.join()) {
      this.that(false, `${name}: shape [${got.shape.join(',')}], want [${want.shape.join(',')}]`);
      return;
    }
    const exact = tolerance[0] === 0 && tolerance[1] === 0;
    // an exact result of a float32 run is the float32 rounding of the value given
    const wanted = exact && this.precision === 'f32' ? Float32Array.from(want.data) : want.data;
    const miss = mismatch(got.data, wanted, tolerance, excepted);
    this.that(miss === null, `${name}${miss ?? ''}`);
  }

  /** Values that this precision has no claim on. */
  skip(): void {
    this.skipped++;
  }
}
