/**
 * What a transport can be told, the defaults, and the check of both.
 *
 * Invariants
 *  1. Defaults stand here and nowhere else.
 *  2. Every violation is reported at once, each with its path, the value and what would be right.
 */
import {
  fillOptions,
  isText,
  type OptionCheck,
  type OptionRules,
  throwViolations,
  type Violation,
  wholeNumber,
} from '@grapevine/core';
import { type Hello, helloProblems, leastFrameBytes, protocolVersions, type VersionRange } from '@grapevine/wire';
import { readSecurity, type ResolvedSecurity, type SecurityOptions } from './security.ts';

export interface ListenOptions {
  /** 0 takes a free one. */
  readonly port: number;
  /**
   * The address to listen on. Others reach the node only at an address that they can reach, so name one, or `0.0.0.0`
   * or `::` for all, in which case `advertise` should say the URL for others.
   * @default '127.0.0.1'
   */
  readonly host?: string;
}

/** The capability of a program that connects to look on and is no member: membership modules do not list it. */
export const observerCapability = 'observer';

export interface TransportOptions {
  /** The name of this node, unique in its cluster: 1 to 128 bytes. */
  readonly name: string;
  /** New and higher at every start of this node. */
  readonly epoch: number;
  /** Only nodes of the same label talk to each other. @default 'default' */
  readonly cluster?: string;
  /** Told to peers in the hello. @default [] */
  readonly capabilities?: readonly string[];
  /** The protocol versions that this node speaks. @default what @grapevine/wire speaks */
  readonly versions?: VersionRange;
  /** Where to listen; null to dial only. @default null */
  readonly listen?: ListenOptions | null;
  /** The URL under which others dial this node, told in the hello. @default where it listens */
  readonly advertise?: string | null;
  /** Who may speak: keys, certificates. @default nobody is asked, and no other machine spoken with */
  readonly security?: SecurityOptions;
  /** The largest frame that is accepted, in bytes. It is told to peers, and no larger one is sent either. @default 2 MiB */
  readonly maxFrameBytes?: number;
  /** Above so many waiting bytes a session is not `writable`. @default 1 MiB */
  readonly softQueueBytes?: number;
  /**
   * Above so many waiting bytes rumors are dropped, and replies end the session.
   * @default 16 MiB, or twice maxFrameBytes where that is more
   */
  readonly hardQueueBytes?: number;
  /** The same in frames: a small frame costs far more memory than its bytes. @default 32768 */
  readonly hardQueueFrames?: number;
  /** How long a connection may take from the dial to the end of the hellos, in milliseconds. @default 5000 */
  readonly handshakeTimeoutMs?: number;
  /**
   * The most connections with peers. A dial above it is refused, and none is made; both say so. A peer that comes to
   * replace its broken connection is not refused. Each connection costs memory and a file descriptor.
   * @default 1024
   */
  readonly maxConnections?: number;
  /**
   * The most connections from one address, of those that others dialled. An IPv6 network of 64 bits counts as one. More
   * lets more nodes live on one machine or behind one gateway; fewer leaves more room for others. @default 512
   */
  readonly maxConnectionsPerAddress?: number;
  /** The most connections that were accepted and whose hellos are not complete. A further one is refused. @default 256 */
  readonly maxHandshakes?: number;
  /**
   * A peer for which frames wait, and that has taken nothing for so long, is cut off as TOO_SLOW, in milliseconds.
   * @default 30000
   */
  readonly stallTimeoutMs?: number;
  /**
   * How long a connected peer has to show that it lives when another node comes with its name and a higher epoch, in
   * milliseconds. Shorter lets a node that crashed and came back at another address in sooner; longer lets a living one
   * be slow. At most `handshakeTimeoutMs`, and less than that of others, who wait for it.
   * @default 500, or half of handshakeTimeoutMs where that is less
   */
  readonly rivalTimeoutMs?: number;
  /** How long a close may take, flushing included, in milliseconds. @default 5000 */
  readonly closeTimeoutMs?: number;
  /**
   * A peer that was not heard for so long is pinged, in milliseconds; after three times that it is given up. Shorter
   * finds broken connections sooner; longer costs less and forgives stalls.
   * @default 10000
   */
  readonly pingIntervalMs?: number;
  /** The backoff after the first failed dial lies between 0 and this, in milliseconds; it doubles with every further one. @default 100 */
  readonly redialMinMs?: number;
  /** The longest backoff, in milliseconds. @default 10000 */
  readonly redialMaxMs?: number;
  /** A session that stood so long, in milliseconds, lets the backoff start anew. @default 5000 */
  readonly stableAfterMs?: number;
  /** Uniform in [0, 1). @default Math.random */
  readonly random?: () => number;
  /** Milliseconds that never run back. @default performance.now */
  readonly now?: () => number;
  /** Runs once, later. @returns a function that cancels it. @default setTimeout */
  readonly setTimer?: (delayMs: number, run: () => void) => () => void;
}

export type ResolvedOptions = Required<Omit<TransportOptions, 'listen' | 'advertise' | 'security'>> & {
  readonly listen: Required<ListenOptions> | null;
  readonly advertise: string | null;
  readonly security: ResolvedSecurity;
};

/** The longest that a Node.js timer can wait. */
const longestMs = 2 ** 31 - 1;
const mebi = 1024 * 1024;

const milliseconds = wholeNumber('milliseconds', 1, longestMs);
/** Checked with the hello, of which they are parts, or, of secrets, where no value is shown. */
const elsewhere: OptionCheck = () => undefined;
const isFunction: OptionCheck = (value) => (typeof value === 'function' ? undefined : 'must be a function');
const isObject: OptionCheck = (value) =>
  typeof value === 'object' && !Array.isArray(value) ? undefined : 'must be an object or null';

const listenRules: OptionRules<Required<ListenOptions>> = {
  port: { check: wholeNumber('a port', 0, 65_535), default: -1 },
  host: { check: isText, default: '127.0.0.1' },
};

const rules: OptionRules<ResolvedOptions> = {
  name: { check: elsewhere, default: '' },
  epoch: { check: elsewhere, default: -1 },
  cluster: { check: elsewhere, default: 'default' },
  capabilities: { check: elsewhere, default: [] },
  versions: { check: elsewhere, default: protocolVersions },
  listen: { check: isObject, default: null },
  advertise: { check: elsewhere, default: null },
  security: { check: elsewhere, default: readSecurity(undefined, []) },
  maxFrameBytes: { check: wholeNumber('bytes', leastFrameBytes, 1024 * mebi), default: 2 * mebi },
  softQueueBytes: { check: wholeNumber('bytes', 1), default: mebi },
  hardQueueBytes: { check: wholeNumber('bytes', 1), default: 16 * mebi },
  hardQueueFrames: { check: wholeNumber('frames', 1), default: 32_768 },
  handshakeTimeoutMs: { check: milliseconds, default: 5000 },
  maxConnections: { check: wholeNumber('connections', 1), default: 1024 },
  maxConnectionsPerAddress: { check: wholeNumber('connections', 1), default: 512 },
  maxHandshakes: { check: wholeNumber('connections', 1), default: 256 },
  stallTimeoutMs: { check: milliseconds, default: 30_000 },
  rivalTimeoutMs: { check: milliseconds, default: 500 },
  closeTimeoutMs: { check: milliseconds, default: 5000 },
  pingIntervalMs: { check: milliseconds, default: 10_000 },
  redialMinMs: { check: milliseconds, default: 100 },
  redialMaxMs: { check: milliseconds, default: 10_000 },
  stableAfterMs: { check: wholeNumber('milliseconds', 0, longestMs), default: 5000 },
  random: { check: isFunction, default: Math.random },
  now: { check: isFunction, default: () => now() },
  setTimer: { check: isFunction, default: setTimer },
};

/**
 * Defaults, then what was given, then the rules between them.
 * @throws GossipError OPTIONS_INVALID, with every violation in its message and its context
 */
export function resolveOptions(given: TransportOptions): ResolvedOptions {
  const violations: Violation[] = [];
  const options = fillOptions<ResolvedOptions>('', given, rules, violations);
  for (const { path, right } of helloProblems({ ...helloOf(options, options.advertise), maxFrameBytes: undefined })) {
    violations.push({ path: path === 'url' ? 'advertise' : path, problem: `must be ${right}` });
  }
  const security = readSecurity(given.security, violations);
  const { handshakeTimeoutMs, softQueueBytes, maxFrameBytes, redialMinMs, redialMaxMs } = options;
  const hardQueueBytes = given.hardQueueBytes ?? Math.max(options.hardQueueBytes, 2 * maxFrameBytes);
  if (hardQueueBytes < Math.max(softQueueBytes, maxFrameBytes)) {
    violations.push({ path: 'hardQueueBytes', problem: 'must be at least softQueueBytes and maxFrameBytes' });
  }
  if (redialMaxMs < redialMinMs) violations.push({ path: 'redialMaxMs', problem: 'must be at least redialMinMs' });
  if (options.rivalTimeoutMs > handshakeTimeoutMs && given.rivalTimeoutMs !== undefined)
    violations.push({ path: 'rivalTimeoutMs', problem: 'must be at most handshakeTimeoutMs' });
  const rivalTimeoutMs = given.rivalTimeoutMs ?? Math.min(options.rivalTimeoutMs, Math.ceil(handshakeTimeoutMs / 2));
  const listen = isObject(options.listen) === undefined ? options.listen : null;
  const resolved = {
    ...options,
    hardQueueBytes,
    rivalTimeoutMs,
    security,
    listen: listen && fillOptions('listen', listen, listenRules, violations),
  };
  if (resolved.listen?.port === -1)
    violations.push({ path: 'listen.port', problem: 'must be given; 0 takes a free one' });
  throwViolations(violations);
  return resolved;
}

/** What this node says of itself. */
export function helloOf(
  { versions, cluster, name, epoch, capabilities, maxFrameBytes }: ResolvedOptions,
  url: string | null,
): Hello {
  return { versions, cluster, name, epoch, url, capabilities, maxFrameBytes };
}

// As they were when this module was loaded: fake timers of a test replace the globals, and would stop every connection.
const { setTimeout, clearTimeout, performance } = globalThis;
const now: () => number = performance.now.bind(performance);

function setTimer(delayMs: number, run: () => void): () => void {
  const timer = setTimeout(run, delayMs);
  return () => clearTimeout(timer);
}
