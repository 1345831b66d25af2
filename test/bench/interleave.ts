/**
 * Rounds of several contestants in turn: A B C, B C A, C A B.
 *
 * A machine drifts by up to one and a half times within minutes; what is measured right after each other shares the
 * drift. So every ratio is one of the same round, and what is reported is the median of those. Each round begins with
 * another contestant, so that none is always the one that follows the idle moment before a round.
 */
import { canRun, floor, type Entrant } from './crew.ts';
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

  /** Of the entrant's figure to another's, round by round. @param to @default the floor */
  ratio(entrant: Entrant, figure: string, to: Entrant = floor): Spread {
    return spread(ratios(this.values(entrant, figure), this.values(to, figure)));
  }
}

/** Contestants that cannot run here have no figures. */
export async function interleave(
  runs: number,
  entrants: readonly Entrant[],
  measure: (entrant: Entrant, run: number) => Promise<Sample>,
): Promise<Results> {
  const results = new Results();
  const able = entrants.filter(canRun);
  for (let run = 0; run < runs; run++) {
    const first = run % able.length;
    for (const entrant of [...able.slice(first), ...able.slice(0, first)])
      results.push(entrant, await measure(entrant, run));
  }
  return results;
}
