/**
 * The options of `createGrapevine`: those of a node, and the short ones for who has no actor system.
 *
 * Invariants
 *  1. Every violation is reported at once, whoever owns the option: the front door, the membership or the node.
 *  2. A violation bears the path that the caller wrote: `seeds[0]`, and not `membership.seeds[0]`.
 */
import { type Membership, type Meta, type NodeOptions, nodeViolations, type Seed, swim } from '@grapevine/actors';
import { gatherViolations, optionsObject, staticMembership, throwViolations, type Violation } from '@grapevine/core';

import { type LoggerChoice, loggerOf, loggerProblem } from './logger.ts';

export interface GrapevineOptions extends Omit<NodeOptions, 'logger'> {
  /**
   * Where to find others: URLs, `dns({ … })`, `file({ … })`, functions. One that leads to a living node is enough; they are
   * tried for ever, and naming this node itself is harmless. Short for `membership: swim({ seeds, meta })`.
   * @default []
   */
  readonly seeds?: readonly Seed[];
  /** What this node says of itself to all others: texts, numbers and booleans, 512 bytes of JSON at most. @default {} */
  readonly meta?: Meta;
  /**
   * URLs of all the others, dialled for ever: a list for those who know it, in place of `seeds` and of the failure detector.
   * Short for `membership: staticMembership({ peers })`.
   * @default none
   */
  readonly peers?: readonly string[];
  /**
   * Options for pino, a logger of your own, or `false` for none.
   * @default pino at level 'warn' to standard error
   */
  readonly logger?: LoggerChoice;
}

/** Beside those of the node. */
const own = ['seeds', 'meta', 'peers'];

/**
 * @returns the options of the node that is to be started
 * @throws GossipError OPTIONS_INVALID that lists every violation
 */
export function readOptions(given: GrapevineOptions): NodeOptions {
  const violations: Violation[] = [];
  const options = optionsObject('', given, ['name', 'listen', 'and others'], violations) as Partial<GrapevineOptions>;
  const { seeds, meta, peers, logger: choice = {}, membership, ...node } = options;
  const ofLogger = loggerProblem(choice);
  if (ofLogger !== undefined) violations.push({ path: 'logger', problem: ofLogger });
  const nodeOptions = {
    ...node,
    membership: membershipOf({ seeds, meta, peers, membership }, violations),
  };
  const isShort = membership === undefined;
  for (const { path, problem } of nodeViolations(nodeOptions, own))
    violations.push({ path: isShort ? path.replace(/^membership\./, '') : path, problem });
  throwViolations(violations);
  const logger = loggerOf(choice, given.name);
  return { ...nodeOptions, name: given.name, ...(logger === undefined ? {} : { logger }) };
}

type Given = { readonly [Option in 'seeds' | 'meta' | 'peers' | 'membership']: GrapevineOptions[Option] | undefined };

/** @returns a membership in any case; what is wrong is appended to `violations` */
function membershipOf({ seeds, meta, peers, membership }: Given, violations: Violation[]): Membership {
  const needless = (option: string, beside: string, cure: string): void => {
    violations.push({ path: option, problem: `does not apply beside '${beside}'; ${cure}` });
  };
  if (membership !== undefined) {
    for (const [option, value] of Object.entries({ seeds, peers, meta }))
      if (value !== undefined) needless(option, 'membership', 'give it to the membership');
    return membership;
  }
  if (peers === undefined) {
    const given = { ...(seeds === undefined ? {} : { seeds }), ...(meta === undefined ? {} : { meta }) };
    // What is wrong beside the seeds has been told: the node judges whether they can be dialled.
    return (
      gatherViolations(violations, () => swim(given)) ??
      gatherViolations([], () => swim({ seeds: seeds ?? [] })) ??
      swim()
    );
  }
  if (seeds !== undefined)
    needless('seeds', 'peers', 'peers is a list of all the others, seeds are a few through whom all are found');
  if (meta !== undefined) needless('meta', 'peers', 'a list carries none; give seeds instead');
  return gatherViolations(violations, () => staticMembership({ peers })) ?? swim();
}
