/**
 * Runs of several contestants in turn: A B A B.
 *
 * A machine drifts by up to one and a half times within minutes; what is measured right after each other shares the
 * drift. So every ratio is one of the same run, and what is reported is the median of those.
 */
import { floor, type Entrant } from './crew.ts';
import { ratios, spread, type Spread } from './statistics.ts';

/** One measurement: figures by name. */
export type Sample = Readonly<Record<string, number>>;

export class Results {
  readonly #samples = new Map<string, Sample[]>();

  push(entrant: Entrant, sample: Sample): void {
    const samples = this.#samples.get(entrant.label);
    if (samples === undefined) this.#samples.set(entrant.label, [sample]);
    else samples.push(sample);
  }

  values(entrant: Entrant, figure: string): number[] {
    return (this.#samples.get(entrant.label) ?? []).map((sample) => sample[figure] ?? NaN);
  }

  spread(entrant: Entrant, figure: string): Spread {
    return spread(this.values(entrant, figure));
  }

  /** Of the entrant's figure to the floor's, run by run. */
  ratio(entrant: Entrant, figure: string): Spread {
    return spread(ratios(this.values(entrant, figure), this.values(floor, figure)));
  }
}

export async function interleave(
  runs: number,
  entrants: readonly Entrant[],
  measure: (entrant: Entrant, run: number) => Promise<Sample>,
): Promise<Results> {
  const results = new Results();
  for (let run = 0; run < runs; run++)
    for (const entrant of entrants) results.push(entrant, await measure(entrant, run));
  return results;
}
