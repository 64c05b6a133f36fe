/** Which steps fill in what is missing. */
import { ValueError } from '@loretta-ts/core';
import type { ModalityGraph } from '../graph';
import type { ChainStep } from './chain';
import type { SamplingFilters } from './decode';
import type { GuidanceSetting } from './guidance';

/** Steps, and the targets among them that were asked for. */
export interface ImputationPlan {
  readonly steps: readonly ChainStep[];
  readonly wanted: readonly string[];
}

/** What a plan depends on. */
export interface PlanOptions extends SamplingFilters {
  readonly route: 'direct' | 'chain';
  /** Scale of every condition. */
  readonly guidance: number;
  /** All targets of a chain in one plan, rather than one for each. */
  readonly together: boolean;
}

/**
 * Steps for every missing target. A direct step sees all that is present. A hop of a chain sees those of its neighbours
 * in the graph that are present or were made before it: pairs that training had. Several conditions weigh as a product
 * of branches, for which the model need never have seen them all in one sequence.
 * @throws ValueError when no chain of observed pairs leads to a target
 */
export function planImputation(
  graph: ModalityGraph,
  present: readonly string[],
  targets: readonly string[],
  { route, guidance, together, temperature, topK, topP, minP }: PlanOptions,
): readonly ImputationPlan[] {
  const filters = {
    ...(temperature === undefined ? {} : { temperature }),
    ...(topK === undefined ? {} : { topK }),
    ...(topP === undefined ? {} : { topP }),
    ...(minP === undefined ? {} : { minP }),
  };
  const missing = graph.modalities.filter((m) => targets.includes(m) && !present.includes(m));
  const step = (target: string, from: readonly string[]): ChainStep => ({
    ...filters,
    target,
    from,
    guidance: productOf(from, guidance),
  });
  if (route === 'direct') {
    return missing.map((target) => ({ steps: [step(target, present)], wanted: [target] }));
  }
  const hops = graph.completion(present);
  for (const target of missing) {
    if (hops.some((hop) => hop.modality === target)) continue;
    throw new ValueError(
      'impute',
      `no chain of observed pairs leads from ${present.join(', ')} to ${target}: use route 'direct', or add a pair set that links them`,
    );
  }
  /** What must be made for the wanted ones, in the order of the hops. */
  const planOf = (wanted: readonly string[]): ImputationPlan => {
    const needed = new Set<string>(wanted);
    for (const hop of [...hops].reverse()) if (needed.has(hop.modality)) needed.add(hop.from);
    const made: string[] = [...present];
    const steps = hops
      .filter((hop) => needed.has(hop.modality))
      .map(({ modality }) => {
        const near = graph.neighbours(modality);
        const from = made.filter((name) => near.includes(name));
        made.push(modality);
        return step(modality, from);
      });
    return { steps, wanted };
  };
  if (missing.length === 0) return [];
  return together ? [planOf(missing)] : missing.map((target) => planOf([target]));
}

/** One condition is guided as such; of several, each is a branch. */
function productOf(from: readonly string[], scale: number): GuidanceSetting {
  return from.length > 1 ? from.map((name) => ({ given: [name], scale })) : scale;
}
