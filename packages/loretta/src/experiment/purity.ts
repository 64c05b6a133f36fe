/** Purity of pseudo-pairs: how often a generated block is of its row's class. */
import type { Judge } from '../evaluate/judge';
import type { StepReport } from '../train/trainer';
import type { Vocabulary } from '../vocabulary';

/** Judges what a step generated; null when it generated nothing. */
export async function judgeGenerated(
  report: StepReport,
  vocab: Vocabulary,
  judges: Readonly<Record<string, Judge>>,
): Promise<{ right: number; total: number } | null> {
  if (report.generated.length === 0) return null;
  let right = 0;
  let total = 0;
  for (const { modality, ids, labels } of report.generated) {
    const n = labels.length;
    const length = ids.length / n;
    const [from] = vocab.content(modality);
    const lengths = Int32Array.from({ length: n }, (_, i) => {
      const short = ids.subarray(i * length, (i + 1) * length).findIndex((id) => id < from);
      return short < 0 ? length : short;
    });
    const local = ids.map((id) => Math.max(0, id - from));
    const found = await judges[modality]!.classify(local, lengths);
    found.forEach((c, i) => {
      if (c === labels[i]) right++;
    });
    total += n;
  }
  return { right, total };
}
