/**
 * The network between the agents: a proxy in front of each, through which all others must go.
 *
 * An agent listens on 127.0.0.2 and tells others the same port of 127.0.0.1, where its proxy is: it outlives the agent.
 * Who dials is learned from the hello, so that pairs can be told apart.
 *
 * Invariant: what a rule does ends with the rule; a reset and a swallowed stream are for ever, for that connection.
 */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';

import { Link, type Weather } from './link.ts';

/** Where agents listen behind their proxies. */
export const innerHost = '127.0.0.2';

export interface Rule {
  readonly applies: (a: string, b: string) => boolean;
  /** `refused`: connections are reset, and new ones too. `silent`: nothing comes through, and comes later. */
  readonly weather: 'refused' | 'silent' | { readonly delayMs: number };
}

export class Network {
  readonly #servers = new Map<string, Server>();
  readonly #links = new Set<Link>();
  readonly #rules = new Set<Rule>();

  /** @returns the port of a new proxy: where others dial this node, and where it is to listen on `innerHost` */
  async listen(name: string): Promise<number> {
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      const link = new Link(
        { listener: name, socket, port: (server.address() as AddressInfo).port, host: innerHost },
        {
          named: () => link.set(this.#weather(link)),
          closed: () => void this.#links.delete(link),
        },
      );
      this.#links.add(link);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    this.#servers.set(name, server);
    return (server.address() as AddressInfo).port;
  }

  /** Resets the connections between two, or all of one. @returns how many there were */
  reset(a: string, b: string | null): number {
    return this.#each(a, b, (link) => link.reset());
  }

  /** Makes the connections between two half-open: what these send is lost. @returns how many there were */
  swallow(a: string, b: string, from: readonly string[]): number {
    return this.#each(a, b, (link) => from.forEach((name) => link.swallowFrom(name)));
  }

  /** @returns how to end it */
  add(rule: Rule): () => void {
    this.#rules.add(rule);
    this.#apply();
    return () => {
      this.#rules.delete(rule);
      this.#apply();
    };
  }

  async close(): Promise<void> {
    const servers = [...this.#servers.values()];
    const closed = servers.map((server) => once(server, 'close'));
    for (const server of servers) server.close();
    for (const link of this.#links) link.reset();
    await Promise.all(closed);
  }

  #each(a: string, b: string | null, act: (link: Link) => void): number {
    const hit = [...this.#links].filter((link) =>
      b === null ? link.dialler === a || link.listener === a : link.connects(a, b),
    );
    hit.forEach(act);
    return hit.length;
  }

  #apply(): void {
    for (const link of this.#links) if (link.dialler !== null) link.set(this.#weather(link));
  }

  #weather({ dialler, listener }: Link): Weather {
    let [holds, delayMs] = [false, 0];
    for (const { applies, weather } of this.#rules) {
      if (!applies(dialler as string, listener)) continue;
      if (weather === 'refused') return 'refused';
      if (weather === 'silent') holds = true;
      else delayMs += weather.delayMs;
    }
    return { holds, delayMs };
  }
}
