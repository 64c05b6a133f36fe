import { requireIds, requireInteger, TokenizerError } from './errors';
import type { Tokenizer } from './tokenizer';

/** Number of levels of a {@link MuLawTokenizer}. */
export interface MuLawConfig {
  /** 2…65,536. Default 256, as in G.711 and WaveNet. */
  readonly levels?: number;
}

/**
 * One token per audio sample by µ-law companding (WaveNet, van den Oord et al. 2016, eq. 3):
 * f(x) = sign(x) · ln(1 + µ|x|) / ln(1 + µ) with µ = levels − 1, then rounded to `levels` values.
 */
export class MuLawTokenizer implements Tokenizer<Float32Array> {
  /** Number of levels. */
  readonly vocabSize: number;

  /** Throws TokenizerError when `levels` is out of range. */
  constructor(config: MuLawConfig = {}) {
    const levels = config.levels ?? 256;
    requireInteger('MuLawTokenizer', 'levels', levels, 2, 65536);
    this.vocabSize = levels;
  }

  /** Level of every sample, `[n]`. Samples beyond [-1, 1] are clipped; NaN throws TokenizerError. */
  encode(samples: Float32Array): Int32Array {
    const mu = this.vocabSize - 1;
    const bad = samples.findIndex((v) => Number.isNaN(v));
    if (bad >= 0)
      throw new TokenizerError('input', 'MuLawTokenizer.encode', `sample ${bad} is NaN`);
    return Int32Array.from(samples, (sample) => {
      const x = Math.min(1, Math.max(-1, sample));
      const companded = (Math.sign(x) * Math.log1p(mu * Math.abs(x))) / Math.log1p(mu);
      return Math.floor(((companded + 1) / 2) * mu + 0.5);
    });
  }

  /** The samples in [-1, 1] the levels stand for. Throws TokenizerError for an id out of range. */
  decode(ids: ArrayLike<number>): Float32Array {
    requireIds('MuLawTokenizer.decode', ids, this.vocabSize);
    const mu = this.vocabSize - 1;
    return Float32Array.from(ids, (id) => {
      const y = (2 * id) / mu - 1;
      return (Math.sign(y) * Math.expm1(Math.abs(y) * Math.log1p(mu))) / mu;
    });
  }
}
