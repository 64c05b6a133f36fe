/** Purity of pseudo-pairs: how often a generated block is of its row's class. */
import type { Judge } from '../evaluate/judge';
import { fromBlock } from '../train/data';
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
    const local = fromBlock(vocab, modality, ids);
    const found = await judges[modality]!.classify(local.ids, local.lengths);
    found.forEach((c, i) => {
      if (c === labels[i]) right++;
    });
    total += labels.length;
  }
  return { right, total };
}
