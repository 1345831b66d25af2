/**
 * The options of a node and of a gossip instance: what each means, its default and its check.
 *
 * Invariants
 *  1. Defaults stand here and nowhere else; what the transport has defaults for itself is only handed on.
 *  2. Every violation is reported at once.
 *
 * Source: docs/algorithm.md, the table of options.
 */

import {
  fillOptions,
  hasHidden,
  hybrid,
  isBoolean,
  isPlainUrl,
  type Membership,
  type OptionCheck,
  type OptionRule,
  type OptionRules,
  optionsObject,
  type Protocol,
  show,
  throwViolations,
  type Violation,
  wholeNumber,
} from '@grapevine/core';
import {
  createWebSocketTransport,
  exposures,
  type ListenOptions,
  readSecurity,
  type ResolvedSecurity,
  type SecurityOptions,
  type Transport,
  type TransportOptions,
} from '@grapevine/transport';

import { urlProblem } from './discovery/node-url.ts';
import type { Handler, PushMessage } from './push.ts';
import { type Logger, silent } from './kernel/logger.ts';
import type { Ref } from './kernel/nact.ts';
import { swim } from './swim.ts';
import { time } from './kernel/time.ts';

export interface ResolvedNodeOptions {
  /** Unique in the cluster, and the same at every start: 1 to 128 bytes. Required. */
  readonly name: string;
  /**
   * Where to listen; port 0 takes a free one, and keeps it over crashes. `null`: dial only. The default host is
   * 127.0.0.1: name another where peers are on other machines.
   * @default null
   */
  readonly listen: ListenOptions | null;
  /** The URL under which peers dial this node. @default where it listens */
  readonly advertise: string | null;
  /** Nodes of another label are refused: keeps test from production. @default 'default' */
  readonly cluster: string;
  /** Who is there, and whom to dial. @default swim() */
  readonly membership: Membership;
  /** What is logged, and where; a pino logger fits. @default silent */
  readonly logger: Logger;
  /**
   * After how many milliseconds an origin that is gone and has nothing live is forgotten. Longer costs some tens of bytes
   * for each former start of each node; shorter makes a node that slept longer rejoin empty.
   * @default 86400000
   */
  readonly forgetAfter: number;
  /** How many milliseconds a peer's clock may be ahead before its updates are held back. @default 60000 */
  readonly maxDriftMs: number;
  /**
   * Where this node remembers the addresses of all members that it knew, and looks for them at its next start beside its
   * seeds; a path whose directory exists. `null`: nowhere.
   * @default null
   */
  readonly stateFile: string | null;
  /**
   * The most open connections; who dials beyond them is refused, and tries on. Membership that chooses its
   * connections (`swim`) stays far below.
   * @default 1024
   */
  readonly maxConnections: number;
  /** The most of them from one address, of those that others dialled; an IPv6 network of 64 bits is one. @default 512 */
  readonly maxConnectionsPerAddress: number;
  /** The most that were accepted and whose peer has not settled yet who it is; further ones are refused at once. @default 256 */
  readonly maxHandshakes: number;
  /**
   * The most updates in a second from one peer, those that it asks for among them, every message counting as one more. Who
   * brings more is not read for a while, and loses nothing; two seconds' worth may come at once. Fewer keep a peer that
   * floods from slowing down the others; more let a peer that joins be filled faster.
   * @default 250000
   */
  readonly maxUpdatesPerSecond: number;
  /** The same for bytes. @default 67108864 */
  readonly maxBytesPerSecond: number;
  /**
   * A peer for which frames wait and that has taken none of them for so many milliseconds is cut off, and caught up when
   * it is back. Longer forgives longer stalls, and keeps what waits for as long.
   * @default 30000
   */
  readonly stallTimeout: number;
  /** The largest frame in bytes, the same on all nodes. @default 2097152 */
  readonly maxFrameBytes: number;
  /** How long a peer may be silent before it is pinged, in milliseconds; given up after three times that. @default 10000 */
  readonly pingIntervalMs: number;
  /** The first wait before a peer is dialled again, in milliseconds; it doubles. @default 100 */
  readonly redialMinMs: number;
  /** The longest wait, in milliseconds. @default 10000 */
  readonly redialMaxMs: number;
  /**
   * Who may speak with this node: keys that all nodes share, and certificates. Without either it speaks with nodes of this
   * machine alone, unless `insecure` says otherwise.
   * @default nobody is asked, and no other machine spoken with
   */
  readonly security: ResolvedSecurity;
  /** Makes the transport; called anew after a crash of it. @default createWebSocketTransport */
  readonly transport: (options: TransportOptions) => Transport;
  /** Wall-clock milliseconds: stamps, and when values expire. @default () => Date.now() */
  readonly clock: () => number;
  /** Uniform in [0, 1). @default Math.random */
  readonly random: () => number;
}

/** What `spawnGrapevine` takes: all but the name has a default. */
export type NodeOptions = Pick<ResolvedNodeOptions, 'name'> & {
  readonly [Option in Exclude<keyof ResolvedNodeOptions, 'security'>]?: ResolvedNodeOptions[Option] | undefined;
} & { readonly security?: SecurityOptions | undefined };

export interface ResolvedGossipOptions {
  /** Instances of one name on different nodes gossip with each other: 1 to 255 bytes, not beginning with `$`. @default 'grapevine' */
  readonly name: string;
  /** @default hybrid() */
  readonly protocol: Protocol;
  /** Judges what arrives; an object with a function `push`, or an actor that answers `push` messages. @default keep all */
  readonly handler: Handler | Ref<PushMessage> | null;
  /** How long the handler may take for what it is given at a time, in milliseconds; then it is asked again, with half as much. @default 5000 */
  readonly handlerTimeout: number;
  /** How often the handler is given an update alone that it fails on, before that becomes a dead letter. @default 3 */
  readonly handlerRetries: number;
  /**
   * Whether the handler also judges what this node writes itself, before it is stored: what it does not keep fails as
   * WRITE_REFUSED. Each write then waits for its verdict. Without a handler it does not apply.
   * @default false
   */
  readonly judgeWrites: boolean;
  /** Whether members that come and go are added as updates. @default false */
  readonly announce: boolean;
  /** After how many milliseconds announcements expire. @default 30000 */
  readonly announceTtl: number;
  /** The largest update, id and encoded value, in bytes; the same on all nodes. @default 1048576 */
  readonly maxUpdateBytes: number;
  /**
   * The most ids with a value, and the most tombstones. An `add` beyond fails as STORE_FULL; updates of others beyond are
   * refused until there is room. Below what a Map of V8 holds at most, which is four times the default. The same on all
   * nodes, or the smallest stays behind the others.
   * @default 4194304
   */
  readonly maxIds: number;
  /** The most bytes of their ids and encoded values, in the same way; the heap of Node must have room for it. @default 1073741824 */
  readonly maxBytes: number;
  /**
   * The most origins (starts of nodes) that are taken up from others. More bridges more restarts within `forgetAfter`;
   * fewer bounds what a liar can make this node remember.
   * @default 16384
   */
  readonly maxOrigins: number;
}

/** What `spawnGossip` takes. */
export type GossipOptions = {
  readonly [Option in keyof ResolvedGossipOptions]?: ResolvedGossipOptions[Option] | undefined;
};

const longestMs = 2 ** 31 - 1;
const utf8 = new TextEncoder();

function textOf(maxBytes: number): OptionCheck {
  return (value) =>
    typeof value === 'string' && value !== '' && utf8.encode(value).length <= maxBytes
      ? undefined
      : `must be a text of 1 to ${maxBytes} bytes`;
}

/** Names and labels end in logs and in terminals. */
function labelOf(maxBytes: number): OptionCheck {
  return (value) =>
    textOf(maxBytes)(value) ??
    (hasHidden(value as string)
      ? 'must be without control characters, separators of lines and invisible characters'
      : undefined);
}

const isUrl: OptionCheck = (value) =>
  labelOf(2048)(value) ?? (URL.canParse(value as string) ? undefined : "must be a URL such as 'ws://10.0.0.5:7001'");

function orNull(check: OptionCheck): OptionCheck {
  return (value) => {
    const problem = value === null ? undefined : check(value);
    return problem === undefined ? undefined : `${problem}, or null`;
  };
}

/** An object that has these functions. */
function objectWith(what: string, ...functions: readonly string[]): OptionCheck {
  return (value) =>
    typeof value === 'object' &&
    value !== null &&
    functions.every((name) => typeof (value as Record<string, unknown>)[name] === 'function')
      ? undefined
      : `must be ${what}, an object with ${functions.join(', ')}`;
}

const isFunction: OptionCheck = (value) => (typeof value === 'function' ? undefined : 'must be a function');

const isListen: OptionCheck = (value) => {
  const { port, host = '127.0.0.1' } = (value ?? {}) as Partial<Record<keyof ListenOptions, unknown>>;
  const isPort = Number.isInteger(port) && (port as number) >= 0 && (port as number) <= 65_535;
  return isPort && typeof host === 'string' && host !== ''
    ? undefined
    : 'must be { port, host } with a port from 0 to 65535 and a host that is an address or a name';
};

const isInstanceName: OptionCheck = (value) =>
  labelOf(255)(value) ??
  ((value as string).startsWith('$') ? "must not begin with '$', which the node keeps for itself" : undefined);

const isHandlerOrRef: OptionCheck = (value) =>
  typeof value === 'object' &&
  value !== null &&
  (typeof (value as Partial<Handler>).push === 'function' || 'path' in value)
    ? undefined
    : 'must be an object with a function push, or the reference of an actor';

export const nodeRules: OptionRules<ResolvedNodeOptions> = {
  name: { check: labelOf(128), default: '' },
  listen: { check: orNull(isListen), default: null },
  advertise: { check: orNull(isUrl), default: null },
  cluster: { check: labelOf(128), default: 'default' },
  membership: { check: objectWith('a membership', 'accepts', 'create'), default: swim() },
  logger: { check: objectWith('a logger', 'debug', 'info', 'warn', 'error'), default: silent },
  forgetAfter: { check: wholeNumber('milliseconds', 1), default: 86_400_000 },
  maxDriftMs: { check: wholeNumber('milliseconds', 0), default: 60_000 },
  stateFile: { check: orNull(textOf(4096)), default: null },
  maxConnections: { check: wholeNumber('connections', 2), default: 1024 },
  maxConnectionsPerAddress: { check: wholeNumber('connections', 1), default: 512 },
  maxHandshakes: { check: wholeNumber('connections', 1), default: 256 },
  maxUpdatesPerSecond: { check: wholeNumber('updates', 1000), default: 250_000 },
  maxBytesPerSecond: { check: wholeNumber('bytes', 65_536), default: 64 * 1024 * 1024 },
  stallTimeout: { check: wholeNumber('milliseconds', 1, longestMs), default: 30_000 },
  maxFrameBytes: { check: wholeNumber('bytes', 16_384, 2 ** 30), default: 2 * 1024 * 1024 },
  pingIntervalMs: { check: wholeNumber('milliseconds', 1, longestMs), default: 10_000 },
  redialMinMs: { check: wholeNumber('milliseconds', 1, longestMs), default: 100 },
  redialMaxMs: { check: wholeNumber('milliseconds', 1, longestMs), default: 10_000 },
  // Checked where no value is shown.
  security: { check: () => undefined, default: readSecurity(undefined, []) },
  transport: { check: isFunction, default: createWebSocketTransport },
  clock: { check: isFunction, default: time.wallMs },
  random: { check: isFunction, default: Math.random },
};

export const gossipRules: OptionRules<ResolvedGossipOptions> = {
  name: { check: isInstanceName, default: 'grapevine' },
  protocol: { check: objectWith('a protocol', 'accepts', 'create'), default: hybrid() },
  handler: { check: orNull(isHandlerOrRef), default: null },
  handlerTimeout: { check: wholeNumber('milliseconds', 1, longestMs), default: 5000 },
  handlerRetries: { check: wholeNumber('tries', 1), default: 3 },
  judgeWrites: { check: isBoolean, default: false },
  announce: { check: isBoolean, default: false },
  announceTtl: { check: wholeNumber('milliseconds', 1, longestMs), default: 30_000 },
  maxUpdateBytes: { check: wholeNumber('bytes', 1), default: 1024 * 1024 },
  maxIds: { check: wholeNumber('ids', 1, 2 ** 24), default: 4 * 1024 * 1024 },
  maxBytes: { check: wholeNumber('bytes', 1), default: 1024 * 1024 * 1024 },
  maxOrigins: { check: wholeNumber('origins', 1, 2 ** 17), default: 16_384 },
};

/** @throws GossipError OPTIONS_INVALID that lists every violation */
export function resolveNodeOptions(given: NodeOptions): ResolvedNodeOptions {
  const violations: Violation[] = [];
  const options = readNodeOptions(given, violations);
  throwViolations(violations);
  const { clock } = given;
  // Epochs, stamps and expiries are whole numbers, to peers as well.
  return clock === undefined ? options : { ...options, clock: () => Math.floor(clock()) };
}

/**
 * Judges the options of a node without starting one.
 * @param also names of options that the caller takes itself
 * @returns every violation; none where `spawnGrapevine` would take them
 */
export function nodeViolations(given: unknown, also: readonly string[] = []): readonly Violation[] {
  const violations: Violation[] = [];
  readNodeOptions(given, violations, also);
  return violations;
}

/** @returns the options, complete; violations are appended to `violations` */
function readNodeOptions(stated: unknown, violations: Violation[], also: readonly string[] = []): ResolvedNodeOptions {
  const given = optionsObject('', stated, [...Object.keys(nodeRules), ...also], violations);
  const options = {
    ...fillOptions('', given, nodeRules, violations, also),
    security: readSecurity(given['security'], violations),
  };
  // Others may lead through no network at all, and know what is open and what is dialled themselves.
  if (options.transport === createWebSocketTransport) {
    if (violations.every(({ path }) => path !== 'listen')) violations.push(...exposures(options));
    if (options.advertise !== null && violations.every(({ path }) => path !== 'advertise')) {
      const problem =
        urlProblem(options.advertise) ??
        (isPlainUrl(options.advertise)
          ? undefined
          : 'must be scheme, host and port alone (the path may be / or /grapevine): peers refuse another (--advertise)');
      if (problem !== undefined)
        violations.push({ path: 'advertise', problem: `${problem}, not ${show(options.advertise)}` });
    }
    if (violations.every(({ path }) => path !== 'membership'))
      for (const { path, problem } of options.membership.violations?.({ urlProblem }) ?? [])
        violations.push({ path: `membership.${path}`, problem });
  }
  if (given['name'] === undefined) violations.push({ path: 'name', problem: 'is required: a text of 1 to 128 bytes' });
  if (options.redialMaxMs < options.redialMinMs)
    violations.push({ path: 'redialMaxMs', problem: `must be at least redialMinMs (${options.redialMinMs})` });
  return options;
}

/** @throws GossipError OPTIONS_INVALID that lists every violation */
export function resolveGossipOptions(
  given: GossipOptions,
  node: Pick<ResolvedNodeOptions, 'maxFrameBytes' | 'forgetAfter'>,
): ResolvedGossipOptions {
  const violations: Violation[] = [];
  const options = readGossipOptions(given, node, violations);
  throwViolations(violations);
  return options;
}

/**
 * Judges the options of a gossip instance without starting one.
 * @param node the options of its node; those that are wrong count as not given
 * @returns every violation; none where `spawnGossip` would take them
 */
export function gossipViolations(
  given: unknown,
  node: { readonly maxFrameBytes?: unknown; readonly forgetAfter?: unknown } = {},
): readonly Violation[] {
  const violations: Violation[] = [];
  const { maxFrameBytes, forgetAfter } = nodeRules;
  readGossipOptions(
    given,
    {
      maxFrameBytes: soundOr(maxFrameBytes, node.maxFrameBytes),
      forgetAfter: soundOr(forgetAfter, node.forgetAfter),
    },
    violations,
  );
  return violations;
}

function soundOr(rule: OptionRule<number>, value: unknown): number {
  return value === undefined || rule.check(value) !== undefined ? rule.default : (value as number);
}

/** @returns the options, complete; violations are appended to `violations` */
function readGossipOptions(
  given: unknown,
  { maxFrameBytes, forgetAfter }: Pick<ResolvedNodeOptions, 'maxFrameBytes' | 'forgetAfter'>,
  violations: Violation[],
): ResolvedGossipOptions {
  const options = fillOptions('', given, gossipRules, violations);
  if (options.maxUpdateBytes > maxFrameBytes - frameReserveBytes)
    violations.push({
      path: 'maxUpdateBytes',
      problem: `must leave room in a frame: at most ${maxFrameBytes - frameReserveBytes}, which is maxFrameBytes less ${frameReserveBytes}`,
    });
  if (violations.every(({ path }) => path !== 'protocol'))
    for (const { path, problem } of options.protocol.violations?.({ forgetAfterMs: forgetAfter }) ?? [])
      violations.push({ path: `protocol.${path}`, problem });
  return options;
}

/** What a frame holds beside an update. */
const frameReserveBytes = 4096;
