/**
 * Who may speak: the options that say it, and what is too open to be started without a word.
 *
 * Invariants
 *  1. No message bears a value of these options: they are secrets, or lead to them.
 *  2. What goes over plain WebSockets to or from another machine needs keys, or the word `insecure`.
 */
import { constants } from 'node:crypto';
import { createSecureContext, DEFAULT_MAX_VERSION, type ConnectionOptions, type TlsOptions } from 'node:tls';
import type { KeyObject } from 'node:crypto';
import { isBoolean, show, unknownOption, type Violation } from '@grapevine/core';
import { type KeyMaterial, readKeys } from './keys.ts';
import { type Runtime, thisRuntime } from './runtime.ts';

/** Given to the https server that listens and to the dials of `wss:` URLs alike. */
export type TransportTls = Pick<
  TlsOptions & ConnectionOptions,
  | 'ca'
  | 'cert'
  | 'key'
  | 'passphrase'
  | 'pfx'
  | 'rejectUnauthorized'
  | 'requestCert'
  | 'servername'
  | 'minVersion'
  | 'maxVersion'
  | 'ciphers'
> & {
  /**
   * Whether the certificate of every peer must bear the name that its hello says, as a DNS name or as its common name, so
   * that a member cannot take the name of another. Needs `requestCert`, and a certificate for each node.
   * @default false
   */
  readonly checkNames?: boolean;
};

export interface SecurityOptions {
  /**
   * Secrets that all nodes of the cluster share, at least 16 random bytes each. The first proves this node to its peers; a
   * peer that proves itself by any of them is let in. Without keys nobody is asked who he is, unless by certificates.
   * @default none
   */
  readonly keys?: readonly KeyMaterial[] | undefined;
  /** Encrypts: listens on `wss:` instead of `ws:`, and dials `wss:` with these. @default none */
  readonly tls?: TransportTls | undefined;
  /**
   * Plain `ws:` to and from other machines without keys: whoever reaches the port takes part, and whoever is on the way
   * reads and writes. For networks where everybody is trusted, and for tests.
   * @default false
   */
  readonly insecure?: boolean | undefined;
  /**
   * Whether a node with `tls` also dials `ws:` URLs of other machines. Such a connection is not encrypted. For the time in
   * which a cluster is moved to TLS node by node. Does not apply without `tls`.
   * @default false
   */
  readonly allowPlaintext?: boolean | undefined;
  /**
   * Whether a proof counts only for the TLS connection that it was made on, so that nobody who ends TLS on the way can pass
   * it on. Needs TLS 1.3. `false`, on all nodes, where a proxy of yours does end TLS, and where nodes run on Bun or Deno.
   * @default true
   */
  readonly channelBinding?: boolean | undefined;
  /**
   * Which addresses are dialled that peers alone tell. `public`: none that is private, loopback, link-local, multicast or
   * special otherwise, in the URL or as a name resolves at that moment, so that a member cannot have this node knock at
   * services of its own network. What this node's options and sources name is dialled in any case.
   * @default 'any'
   */
  readonly peerAddresses?: PeerAddresses | undefined;
}

export type PeerAddresses = 'any' | 'public';

export interface ResolvedSecurity {
  readonly keys: readonly KeyObject[];
  readonly tls: TransportTls | null;
  readonly insecure: boolean;
  readonly allowPlaintext: boolean;
  readonly channelBinding: boolean;
  readonly peerAddresses: PeerAddresses;
}

const known = ['keys', 'tls', 'insecure', 'allowPlaintext', 'channelBinding', 'peerAddresses'];
/** What stays as it was at the start. */
const rulesOfTls = ['requestCert', 'rejectUnauthorized', 'checkNames'] as const;
const knownOfTls: readonly string[] = [
  'key',
  'cert',
  'pfx',
  'passphrase',
  'ca',
  'servername',
  'minVersion',
  'maxVersion',
  'ciphers',
  ...rulesOfTls,
];

/** @returns the options, complete; what is wrong, or cannot be had on this runtime, is added to `violations`, under `security` */
export function readSecurity(
  given: unknown,
  violations: Violation[],
  runtime: Runtime = thisRuntime,
): ResolvedSecurity {
  const none: ResolvedSecurity = {
    keys: [],
    tls: null,
    insecure: false,
    allowPlaintext: false,
    channelBinding: true,
    peerAddresses: 'any',
  };
  if (given === undefined || given === null) return none;
  if (typeof given !== 'object' || Array.isArray(given)) {
    violations.push({ path: 'security', problem: `must be an object of ${known.join(', ')}` });
    return none;
  }
  for (const name of Object.keys(given)) {
    if (!known.includes(name)) violations.push({ path: `security.${name}`, problem: unknownOption(name, known) });
  }
  const { keys, tls, insecure, allowPlaintext, channelBinding, peerAddresses } = given as {
    readonly [name in keyof SecurityOptions]?: unknown;
  };
  if (allowPlaintext === true && (tls === undefined || tls === null))
    violations.push({
      path: 'security.allowPlaintext',
      problem: 'does not apply without security.tls (--tls-cert, --tls-ca): remove it (--allow-plaintext)',
    });
  const addresses = peerAddresses ?? none.peerAddresses;
  if (addresses !== 'any' && addresses !== 'public')
    violations.push({ path: 'security.peerAddresses', problem: `must be 'any' or 'public', not ${show(addresses)}` });
  const security: ResolvedSecurity = {
    keys: keys === undefined ? [] : readKeys(keys, 'security.keys', violations),
    tls: readTls(tls, violations),
    insecure: readFlag(insecure, 'insecure', none.insecure, violations),
    allowPlaintext: readFlag(allowPlaintext, 'allowPlaintext', none.allowPlaintext, violations),
    channelBinding: readFlag(channelBinding, 'channelBinding', none.channelBinding, violations),
    peerAddresses: addresses === 'public' ? 'public' : 'any',
  };
  violations.push(...lacks(security, runtime));
  return security;
}

/** What is asked for and cannot be had, as far as that can be known before a connection is there. */
export function lacks(
  { keys, tls, channelBinding, peerAddresses }: ResolvedSecurity,
  runtime: Runtime = thisRuntime,
): Violation[] {
  const violations: Violation[] = [];
  if (peerAddresses === 'public' && !runtime.takesLookup)
    violations.push({
      path: 'security.peerAddresses',
      problem: `cannot be 'public' on ${runtime.name}, which resolves names by itself: leave it out (--peer-addresses), or run on Node.js`,
    });
  if (tls === null) return violations;
  const doWithout = 'give channelBinding: false (--no-channel-binding) on all nodes';
  if (keys.length > 0 && channelBinding) {
    const { maxVersion = DEFAULT_MAX_VERSION } = tls;
    if (!runtime.exportsKeyingMaterial)
      violations.push({
        path: 'security.channelBinding',
        problem: `cannot be had on ${runtime.name}, which does not tell what is unique to a TLS connection: ${doWithout}, or run on Node.js`,
      });
    else if (maxVersion !== undefined && maxVersion !== 'TLSv1.3')
      violations.push({
        path: 'security.tls.maxVersion',
        problem: `is ${maxVersion}, and keys are bound to connections of TLSv1.3 alone: allow that, or ${doWithout}`,
      });
  }
  if (tls.checkNames === true && !runtime.readsCertificates)
    violations.push({
      path: 'security.tls.checkNames',
      problem: `cannot be had on ${runtime.name}, which does not show the certificate of a peer: leave it out (--tls-names), or run on Node.js`,
    });
  return violations;
}

function readFlag(given: unknown, name: string, otherwise: boolean, violations: Violation[]): boolean {
  const problem = given === undefined ? undefined : isBoolean(given);
  if (problem !== undefined) violations.push({ path: `security.${name}`, problem });
  return typeof given === 'boolean' ? given : otherwise;
}

/** Also what OpenSSL says of the certificates, before anything is started with them. */
export function readTls(given: unknown, violations: Violation[]): TransportTls | null {
  if (given === undefined || given === null) return null;
  const path = 'security.tls';
  if (typeof given !== 'object' || Array.isArray(given)) {
    violations.push({ path, problem: 'must be an object such as { key, cert, ca }' });
    return null;
  }
  for (const name of Object.keys(given))
    if (!knownOfTls.includes(name))
      violations.push({ path: `${path}.${name}`, problem: `means nothing here; known are ${knownOfTls.join(', ')}` });
  const tls = given as TransportTls;
  try {
    createSecureContext(tls);
  } catch (error) {
    violations.push({ path, problem: `does not serve: ${(error as Error).message}` });
  }
  if (tls.checkNames === true && tls.requestCert !== true)
    violations.push({
      path: `${path}.checkNames`,
      problem: 'needs requestCert: who dials shows no certificate unasked',
    });
  if (tls.requestCert === true && !listsAuthorities(tls))
    violations.push({
      path: `${path}.requestCert`,
      problem:
        'needs security.tls.ca (--tls-ca with --tls-clients or --tls-names): without it, Node.js takes a certificate of any ' +
        'public authority. List the authority of your nodes',
    });
  return tls;
}

function listsAuthorities({ ca }: TransportTls): boolean {
  const listed = [ca ?? []].flat();
  return listed.length > 0 && listed.every((one) => one.length > 0);
}

/**
 * The options of TLS after `given` replaces some of them. An option that is not given stays as it was. Key, certificate and
 * PKCS #12 file replace each other as one.
 */
export function renewedTls(before: TransportTls | null, given: TransportTls): TransportTls {
  const renewed: Record<string, unknown> = { ...before };
  if (given.pfx !== undefined) for (const name of ['key', 'cert']) delete renewed[name];
  if (given.key !== undefined || given.cert !== undefined) delete renewed['pfx'];
  for (const [name, value] of Object.entries(given)) if (value !== undefined) renewed[name] = value;
  return renewed;
}

/** Adds to `violations` each option of TLS that only a start can change, where `given` says otherwise than `before`. */
export function checkRenewal(before: TransportTls, given: TransportTls, violations: Violation[]): void {
  const defaults = { requestCert: false, rejectUnauthorized: true, checkNames: false };
  for (const rule of rulesOfTls) {
    const is = before[rule] ?? defaults[rule];
    if (given[rule] === undefined || given[rule] === is) continue;
    const problem = `is ${is} since the start and cannot be changed in a running node: leave it out, or restart the node`;
    violations.push({ path: `security.tls.${rule}`, problem });
  }
}

/**
 * The options as `node:tls` is given them: without tickets. A session that is resumed by a ticket shows no certificate again,
 * so that it would outlive the certificate that it began with.
 */
export function withoutTickets(tls: TransportTls): TransportTls & { readonly secureOptions: number } {
  return { ...tls, secureOptions: constants.SSL_OP_NO_TICKET };
}

/** What is too open; the same for every door by which a node is made. */
export function exposures({
  listen,
  security,
}: {
  readonly listen: { readonly host?: string } | null;
  readonly security: ResolvedSecurity;
}): Violation[] {
  const { keys, tls, insecure } = security;
  if (keys.length > 0 || insecure) return [];
  const cure = 'give security.keys, or insecure: true where everybody who can reach it is trusted';
  if (tls?.rejectUnauthorized === false)
    return [{ path: 'security.tls.rejectUnauthorized', problem: `must not be false without keys: ${cure}` }];
  if (listen === null || tls !== null || isLoopback(listen.host ?? '127.0.0.1')) return [];
  return [{ path: 'listen.host', problem: `is open to other machines without keys or TLS: ${cure}` }];
}

/** Whether nobody is asked who he is, although he may come from another machine: said aloud once. */
export function isInsecure({ keys, insecure }: ResolvedSecurity): boolean {
  return insecure && keys.length === 0;
}

/**
 * Whether this canonical URL leads to another machine without encryption, and the options do not allow that: keys without
 * TLS allow it, `insecure` does, and `allowPlaintext` does.
 */
export function isExposed(url: string, { keys, tls, insecure, allowPlaintext }: ResolvedSecurity): boolean {
  if (insecure || allowPlaintext || (keys.length > 0 && tls === null)) return false;
  const { protocol, hostname } = new URL(url);
  return protocol === 'ws:' && !isLoopback(hostname);
}

/** Names other than these may lead anywhere. */
export function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[(.*)\]$/, '$1').toLowerCase();
  return (
    bare === 'localhost' ||
    bare.endsWith('.localhost') ||
    bare === '::1' ||
    /^(::ffff:)?127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(bare) ||
    /^::ffff:7f[0-9a-f]{2}:[0-9a-f]{1,4}$/.test(bare)
  );
}
