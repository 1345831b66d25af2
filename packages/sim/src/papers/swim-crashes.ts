/**
 * How soon a dead node is found out, and when everybody knows.
 *
 * Times are counted from the death, in milliseconds:
 *  - `pinged`: somebody first picks the dead node as a target; `null`: nobody did, its connections were closed before. It is
 *    what SWIM's e/(e − 1) periods are about.
 *  - `unanswered`: somebody's question has gone without an answer for its timeout (or the dial that a closed connection
 *    started has failed), and others are asked to ask: the failure detector has found it.
 *  - `suspected`: the others have not had an answer either, and the first suspicion is raised.
 *  - `downFirst`, `downLast`: declared down by the first, known by the last.
 *
 * Source: Das, Gupta, Motivala, "SWIM", 2002, sections 3.1 and 5.
 */

import type { SwimOptions } from '@grapevine/core';
import { type Range, pick, stream, within } from '../chance.ts';
import { SwimWorld } from '../swim/swim-world.ts';

export interface CrashSetup {
  readonly nodes: number;
  readonly seed: number;
  /** So many die, one after the other. */
  readonly victims: number;
  /** `lose`: the machine is gone and says nothing. `crash`: the process is over, and its connections close. */
  readonly how: 'lose' | 'crash';
  /** Between two deaths. @default long enough for the connections of the last to be given up */
  readonly gapMs?: Range;
  readonly options?: Partial<SwimOptions>;
}

export interface Death {
  readonly pinged: number | null;
  readonly unanswered: number;
  readonly suspected: number;
  readonly downFirst: number;
  readonly downLast: number;
}

/** Until everybody has found its neighbours, and dead connections are given up. */
const WARM_MS = 20_000;
const GAP_MS: Range = [35_000, 45_000];
const LONGEST_MS = 300_000;
const PING = 0;
const ASK = 2;

/** @throws RangeError if a death is not known to everybody in the end */
export function watchCrashes({ nodes, seed, victims, how, gapMs = GAP_MS, options = {} }: CrashSetup): Death[] {
  const world = new SwimWorld({ nodes, seed, options });
  const random = stream(seed, 7);
  const deaths: Death[] = [];
  let victim = '';
  let atMs = 0;
  const first = { pinged: Infinity, unanswered: Infinity, suspected: Infinity, downFirst: Infinity };
  let downs = 0;
  let downLast = 0;
  const note = (key: keyof typeof first): void => {
    first[key] = Math.min(first[key], world.nowMs - atMs);
  };
  world.onSent((_from, to, body) => {
    const [kind, , name] = body as readonly unknown[];
    if (to === victim && kind === PING) note('pinged');
    else if (kind === ASK && name === victim) note('unanswered');
  });
  world.onBelief(({ subject, state }) => {
    if (subject.name !== victim) return;
    if (state === 'suspect') note('suspected');
    else if (state === 'down') {
      note('downFirst');
      downs += 1;
      downLast = world.nowMs - atMs;
    }
  });
  world.run(WARM_MS);
  for (let death = 0; death < victims; death++) {
    world.run(within(random, gapMs));
    const dead = pick(random, world.up);
    victim = dead.name;
    atMs = world.nowMs;
    first.pinged = first.unanswered = first.suspected = first.downFirst = Infinity;
    downs = 0;
    world[how](dead);
    const others = world.up.length;
    if (world.runUntil(() => downs >= others, LONGEST_MS) === undefined)
      throw new RangeError(`${victim} is down for ${downs} of ${others}`);
    deaths.push({ ...first, pinged: first.pinged === Infinity ? null : first.pinged, downLast });
  }
  return deaths;
}
