/**
 * Discovery by name: the records of a name are the nodes. A headless service of Kubernetes is the case it is built for.
 *
 * Invariants
 *  1. Every find asks anew, with a resolver of its own: nothing is remembered between two finds.
 *  2. A name that does not exist, or has no such records, finds nothing: the first pod asks before there is any.
 *     Whatever else goes wrong is an error, since then nobody knows.
 *  3. A find ends within `timeoutMs`.
 *
 * Names with a dot are asked of the name server directly: its answer says whether the name is absent or the server is
 * out of order, which the system's `getaddrinfo` does not tell apart reliably, and it takes no thread of the pool that
 * files share. A name that the name server does not know, or for which it fails or refuses, is looked up by the system,
 * which knows /etc/hosts and the search domains (`grapevine.default.svc`); names without a dot, such as localhost, can only
 * be known there, and are looked up at once. With `server` given, that server alone is asked.
 *
 * Source: RFC 1035; RFC 2782 for SRV; Kubernetes, "DNS for Services and Pods".
 */

import { lookup, Resolver } from 'node:dns/promises';
import { isIP } from 'node:net';

import {
  type Discovery,
  fillOptions,
  GossipError,
  isBoolean,
  oneOf,
  type OptionCheck,
  type OptionRules,
  optionsObject,
  throwViolations,
  type Violation,
  wholeNumber,
} from '@grapevine/core';

import { systemClock } from '../kernel/clock.ts';

export interface ResolvedDnsOptions {
  /** The name whose records are the nodes: `grapevine.default.svc.cluster.local`. Required. */
  readonly name: string;
  /**
   * Which records: `A` and `AAAA` are the addresses of nodes; `SRV` bears hosts and ports, and so needs no `port`.
   * @default 'A'
   */
  readonly type: 'A' | 'AAAA' | 'SRV';
  /** The port of every node. Required with `A` and `AAAA`; an error with `SRV`. @default null */
  readonly port: number | null;
  /** The path of every node's URL, where a proxy needs another than the transport's. @default '' */
  readonly path: string;
  /** Whether the URLs are `wss:`. A certificate must then bear the addresses, or the hosts of `SRV`. @default false */
  readonly tls: boolean;
  /**
   * How long one find may take, in milliseconds, repeated questions included. Longer forgives a slow name server, shorter
   * says sooner that it is out of order.
   * @default 3000
   */
  readonly timeoutMs: number;
  /** The name server to ask in place of the system's, `address` or `address:port`. @default null */
  readonly server: string | null;
}

/** What `dns` takes. */
export type DnsOptions = Pick<ResolvedDnsOptions, 'name'> & {
  readonly [Option in keyof ResolvedDnsOptions]?: ResolvedDnsOptions[Option] | undefined;
};

const isName: OptionCheck = (value) => {
  if (typeof value !== 'string' || value.length > 254 || !/^[\w-]+(\.[\w-]+)*\.?$/.test(value))
    return "must be a host name such as 'grapevine.default.svc.cluster.local'";
  return isIP(value) === 0 ? undefined : 'must be a name; an address is a seed by itself';
};

const isServer: OptionCheck = (value) => {
  try {
    if (typeof value !== 'string') throw new TypeError('no text');
    new Resolver().setServers([value]);
    return undefined;
  } catch {
    return "must be the address of a name server, such as '10.96.0.10' or '127.0.0.1:5353'";
  }
};

const isPath: OptionCheck = (value) =>
  value === '' || (typeof value === 'string' && /^\/[^\s#]*$/.test(value)) ? undefined : "must begin with '/'";

export const dnsRules: OptionRules<ResolvedDnsOptions> = {
  name: { check: isName, default: '' },
  type: { check: oneOf('A', 'AAAA', 'SRV'), default: 'A' },
  port: { check: wholeNumber('a port', 1, 65_535), default: null },
  path: { check: isPath, default: '' },
  tls: { check: isBoolean, default: false },
  timeoutMs: { check: wholeNumber('milliseconds', 1, 2 ** 31 - 1), default: 3000 },
  server: { check: isServer, default: null },
};

/**
 * Nodes by the records of a name, resolved anew at every find.
 * @returns a source whose `find` rejects with GossipError DISCOVERY_FAILED when no name server answers in time, or one
 *   answers that it cannot; a question under way keeps the process alive, for at most `timeoutMs`
 * @throws GossipError OPTIONS_INVALID that lists every violation
 */
export function dns(stated: DnsOptions): Discovery {
  const violations: Violation[] = [];
  const given = optionsObject('', stated, Object.keys(dnsRules), violations);
  const options = fillOptions('', given, dnsRules, violations);
  if (given['name'] === undefined) violations.push({ path: 'name', problem: 'is required: the name to resolve' });
  if (options.type === 'SRV' && options.port !== null)
    violations.push({ path: 'port', problem: "means nothing with type 'SRV', whose records bear the port" });
  if (options.type !== 'SRV' && (given['port'] === undefined || given['port'] === null))
    violations.push({ path: 'port', problem: `is required with type '${options.type}', whose records bear none` });
  throwViolations(violations);
  return { name: `dns ${options.type} ${options.name}`, find: () => new Find(options).run() };
}

/** One host with its port, as a URL has it. */
interface Place {
  readonly host: string;
  readonly port: number;
}

/** One find: its questions share a resolver and a deadline. */
class Find {
  readonly #options: ResolvedDnsOptions;
  readonly #resolver: Resolver;

  constructor(options: ResolvedDnsOptions) {
    this.#options = options;
    // A datagram may be lost, so each server is asked twice; the second wait is twice as long as the first.
    this.#resolver = new Resolver({ timeout: Math.ceil(options.timeoutMs / 3), tries: 2 });
    if (options.server !== null) this.#resolver.setServers([options.server]);
  }

  async run(): Promise<readonly string[]> {
    const { name, type, timeoutMs } = this.#options;
    let cancel = (): void => {};
    const deadline = new Promise<never>((_resolve, reject) => {
      cancel = systemClock.after(timeoutMs, () => {
        reject(this.#failed(`no answer within ${timeoutMs} ms`));
        this.#resolver.cancel();
      });
    });
    try {
      return this.#urls(await Promise.race([this.#places(name, type), deadline]));
    } catch (error) {
      if (error instanceof GossipError) throw error;
      throw this.#failed(reasonOf(error), error);
    } finally {
      cancel();
    }
  }

  async #places(name: string, type: ResolvedDnsOptions['type']): Promise<Place[]> {
    if (type === 'SRV') return this.#services(name);
    const port = this.#options.port as number;
    const hosts = await this.#addresses(name, type === 'A' ? 4 : 6);
    return hosts.map((host) => ({ host, port }));
  }

  /**
   * The hosts of SRV records stay names, which certificates bear, and which a pod keeps when its address changes. Only
   * where one server was named, and no certificate needs the names, are they resolved there: nobody else may know them.
   */
  async #services(name: string): Promise<Place[]> {
    const records = await orNothing(this.#resolver.resolveSrv(name));
    // A target of '.' says that the service is not offered (RFC 2782).
    const offered = records.filter((record) => record.name !== '' && record.name !== '.');
    offered.sort((a, b) => a.priority - b.priority || b.weight - a.weight);
    const { server, tls } = this.#options;
    if (server === null || tls) return offered.map((record) => ({ host: record.name, port: record.port }));
    const resolved = await Promise.all(
      offered.map(async (record) => {
        const families = await Promise.all([this.#addresses(record.name, 4), this.#addresses(record.name, 6)]);
        return families.flat().map((host) => ({ host, port: record.port }));
      }),
    );
    return resolved.flat();
  }

  async #addresses(name: string, family: 4 | 6): Promise<string[]> {
    const onlyHere = this.#options.server !== null;
    if (!onlyHere && !name.slice(0, -1).includes('.')) return lookUp(name, family);
    const asked = family === 4 ? this.#resolver.resolve4(name) : this.#resolver.resolve6(name);
    if (onlyHere) return orNothing(asked);
    try {
      return await asked;
    } catch (error) {
      if (isAbsent(error)) return lookUp(name, family);
      // The hosts file may know the name although no name server answers for it.
      const known = await lookUp(name, family).catch(() => []);
      if (known.length === 0) throw error;
      return known;
    }
  }

  #urls(places: readonly Place[]): readonly string[] {
    const { tls, path } = this.#options;
    const scheme = tls ? 'wss' : 'ws';
    const urls = places
      // The zone of a link-local address (`fe80::1%eth0`) has no place in a URL.
      .filter(({ host }) => !host.includes('%'))
      .map(({ host, port }) => `${scheme}://${isIP(host) === 6 ? `[${host}]` : host}:${port}${path}`);
    return [...new Set(urls)];
  }

  #failed(reason: string, cause?: unknown): GossipError {
    const { name, type, server } = this.#options;
    const where = server === null ? 'the name servers of this system' : `the name server ${server}`;
    return new GossipError(
      'DISCOVERY_FAILED',
      `Resolving ${type} ${name} failed: ${reason}. Asked: ${where}; it is asked again.`,
      {
        context: { name, type, server, dnsCode: codeOf(cause) },
        ...(cause === undefined ? {} : { cause }),
      },
    );
  }
}

/** What the system knows of a name, from its files as well. It has no deadline of its own: that of the find bounds it. */
async function lookUp(name: string, family: 4 | 6): Promise<string[]> {
  const found = await orNothing(lookup(name, { all: true, family }));
  return found.map(({ address }) => address);
}

async function orNothing<T>(asked: Promise<T[]>): Promise<T[]> {
  try {
    return await asked;
  } catch (error) {
    if (isAbsent(error)) return [];
    throw error;
  }
}

function codeOf(error: unknown): string | undefined {
  return (error as { code?: string } | undefined)?.code;
}

/** The name does not exist, or has no records of that kind. */
function isAbsent(error: unknown): boolean {
  const code = codeOf(error);
  return code === 'ENOTFOUND' || code === 'ENODATA';
}

function reasonOf(error: unknown): string {
  switch (codeOf(error)) {
    case 'ESERVFAIL':
      return 'the name server says that it cannot answer (SERVFAIL)';
    case 'EREFUSED':
      return 'the name server refuses to answer (REFUSED)';
    case 'ETIMEOUT':
      return 'no answer in time';
    case 'ECONNREFUSED':
      return 'no name server listens there';
    case 'EAI_AGAIN':
      return 'the system cannot say at the moment (EAI_AGAIN)';
    default:
      return (error as Partial<Error> | null | undefined)?.message ?? String(error);
  }
}
