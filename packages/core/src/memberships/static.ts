/**
 * The membership of a list: dial these, and whoever is connected is there.
 *
 * Invariants
 *  1. The view is exactly the set of open connections, whoever dialled.
 *  2. It sends nothing: a list needs no messages.
 */

import { fillOptions, type OptionRules, throwViolations, type Violation } from '../options.ts';
import {
  type Member,
  type Membership,
  type MembershipEnvironment,
  type MembershipMachine,
  urlViolations,
} from '../membership.ts';

export interface StaticOptions {
  /**
   * URLs of peers to dial for ever, `ws://host:port` or `wss://host:port`. An edge is enough once: a connection serves
   * both ends.
   * @default []
   */
  readonly peers: readonly string[];
}

const rules: OptionRules<StaticOptions> = {
  peers: {
    check: (value) =>
      Array.isArray(value) && value.every((peer) => typeof peer === 'string' && /^[a-z]+:\/\/./.test(peer))
        ? undefined
        : "must be an array of URLs such as 'ws://10.0.0.2:7001'",
    default: [],
  },
};

/** @throws GossipError OPTIONS_INVALID that lists every violation */
export function staticMembership(options: Partial<StaticOptions> = {}): Membership {
  const violations: Violation[] = [];
  const { peers } = fillOptions('', options, rules, violations);
  throwViolations(violations);
  return {
    name: 'static',
    seeks: peers.length > 0,
    violations: (node) => urlViolations('peers', peers, node),
    accepts: () => false,
    create: (environment) => new StaticMachine(environment, peers),
  };
}

class StaticMachine implements MembershipMachine {
  readonly #environment: MembershipEnvironment;
  readonly #peers: readonly string[];
  readonly #connected = new Map<string, Member>();

  constructor(environment: MembershipEnvironment, peers: readonly string[]) {
    this.#environment = environment;
    this.#peers = peers;
  }

  start(): void {
    this.#environment.effects.dial(this.#peers, 'configuration');
  }

  connected(member: Member): void {
    this.#connected.set(member.name, member);
    this.#publish();
  }

  disconnected(name: string): void {
    if (this.#connected.delete(name)) this.#publish();
  }

  receive(): void {
    // `accepts` lets nothing in.
  }

  tick(): void {
    // No timer is ever set.
  }

  leave(): void {
    // The closing of the connections says it.
  }

  #publish(): void {
    this.#environment.effects.view([...this.#connected.values()]);
  }
}
