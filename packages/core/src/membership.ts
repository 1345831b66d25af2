/**
 * What a membership module is to the rest: a state machine that says whom to connect with and who is there.
 *
 * Invariants
 *  1. As for protocols: no I/O, clock or randomness of its own; effects are asked for.
 *  2. What it publishes lists every node that it knows of, without this node itself, each name once.
 *  3. A module is given by value; there is no registry.
 */

import type { GossipError } from './errors.ts';
import { show, type Violation } from './options.ts';
import type { Random } from './random.ts';

/** What a node says of itself: a few words for others, such as its zone or its version. */
export type Meta = Readonly<Record<string, string | number | boolean>>;

/** A node as the membership knows it. */
export interface Member {
  readonly name: string;
  readonly epoch: number;
  /** Where it can be dialled; `null` where nobody knows. */
  readonly url: string | null;
  /** What it says of itself; nothing at all where the module does not carry it. */
  readonly meta?: Meta;
}

/**
 * `alive`; `suspect`: it does not answer, and may yet refute; `down`: it did not; `left`: it said goodbye.
 * Who is alive or suspect is there; the others are remembered for a while.
 */
export type MemberState = 'alive' | 'suspect' | 'down' | 'left';

export interface MemberStatus extends Member {
  /** @default 'alive' */
  readonly state?: MemberState;
  /** Counts what the node has said of itself in this epoch: of two reports the one with more is newer. @default 0 */
  readonly incarnation?: number;
  /** Since when it is in this state, as the clock of the module's inputs says. @default always */
  readonly sinceMs?: number;
}

/** Whether a member is there: can be gossiped with, as far as is known. */
export function isThere({ state = 'alive' }: MemberStatus): boolean {
  return state === 'alive' || state === 'suspect';
}

/** A place that knows URLs of nodes: a name service, a file, a cloud's interface. Run by the shell, never by a module. */
export interface Discovery {
  /** What it is, for logs: `dns grapevine.default.svc`. */
  readonly name: string;
  /** Asked anew at every attempt to join. May reject: it is asked again. */
  find(): Promise<readonly string[]>;
  /** Calls `changed` when it would find something else now. @returns how to stop that */
  watch?(changed: () => void): () => void;
}

/** How a single dial ended. */
export interface DialEnd {
  /** As it was asked for. */
  readonly url: string;
  /**
   * `connected`: by this dial. `duplicate`: the node there is connected by another. `self`: it leads to this node.
   * `refused`: one side wants no connection with the other. `failed`: nobody answered in time.
   */
  readonly outcome: 'connected' | 'duplicate' | 'self' | 'refused' | 'failed';
  /** Who answered there; `null` where nobody said. */
  readonly peer: { readonly name: string; readonly epoch: number } | null;
  /** Why; with `self`, `refused` and `failed` only. */
  readonly error?: GossipError;
}

/**
 * Whether a peer may tell this as the URL of a node: a scheme, a host and perhaps a port; no user, no query, and no path but `/`
 * or `/grapevine`. Else a member could have others send requests of its choice to another service.
 */
export function isPlainUrl(url: string): boolean {
  return /^[a-z][a-z0-9+.-]*:\/\/[^/?#@\\\s]+(?:\/|\/grapevine)?$/i.test(url);
}

/**
 * How this node knows a URL. `configuration`: its options or one of its sources name it. `peers`: others tell it, or told it a
 * former process, and it may lead to wherever they like: `security.peerAddresses` applies.
 */
export type UrlSource = 'configuration' | 'peers';

/** What a membership module can ask for. Asking has no effect on the machine before its next input. */
export interface MembershipEffects {
  /** These URLs shall be kept connected, and dialled for ever; replaces the former list. @param source by default `peers` */
  dial(urls: readonly string[], source?: UrlSource): void;
  /** One dial, now; answered by `dialEnded`, once. @param source by default `peers` */
  connect(url: string, source?: UrlSource): void;
  /** The connection with this node is needed no more here: closed once what waits has been sent. */
  hangUp(name: string): void;
  /**
   * The connection with this node is closed, for this reason, which it is told: another of its name lives.
   * @param epoch of the one to be closed: meanwhile the other may be connected in its place. @default whichever is connected
   */
  expel(name: string, reason: string, epoch?: number): void;
  /**
   * Others remember a later life of this node than this one, which is over: its clock is behind. Or `epoch` is that of this very
   * node, and another node has it too. It shall take a higher epoch than that, and begin anew.
   */
  outlive(epoch: number): void;
  /** Every node that is known, and how. Published to the transport and the instances and, as differences, to subscribers. */
  view(members: readonly MemberStatus[]): void;
  /** Plain data to the same module on another node, over its open connection; lost if there is none. */
  send(to: string | readonly string[], body: unknown): void;
  /** Ask the sources of `Membership.sources` anew; what they find comes as `discovered`, source by source. */
  discover(): void;
  /** URLs that shall be known at the next start of this node, most useful first; replaces the former list. */
  remember(urls: readonly string[]): void;
  /** The input `tick` with this name after so many milliseconds. Replaces a timer of the same name. */
  setTimer(timer: string, delayMs: number): void;
  report(error: GossipError): void;
}

export interface MembershipEnvironment {
  readonly self: Member;
  readonly effects: MembershipEffects;
  readonly random: Random;
  /** What a former machine of this very process had published: it is taken up, so that a crash is no news. @default [] */
  readonly inherited?: readonly MemberStatus[];
  /** What a former process of this node remembered: URLs to try beside the seeds. @default [] */
  readonly remembered?: readonly string[];
  /** The most connections that this node may have. @default no bound */
  readonly maxConnections?: number;
  /** How long nodes that are gone are remembered, in milliseconds. @default a day */
  readonly forgetAfterMs?: number;
}

/** One node's membership. Times are milliseconds that never run back, from any beginning. */
export interface MembershipMachine {
  /** Once, before any other input. */
  start(nowMs: number): void;
  /** A connection with this node is up. */
  connected(member: Member, nowMs: number): void;
  /** It is down: a hint, not a verdict. @param released whether one side said that it needs it no more */
  disconnected(name: string, nowMs: number, released: boolean): void;
  /**
   * A message that passed the module's check.
   * @param more whether another follows at once, which came at the same time: a view may wait for the last. @default false
   */
  receive(from: string, body: unknown, nowMs: number, more?: boolean): void;
  tick(timer: string, nowMs: number): void;
  /** This node is about to go: say so to whom it concerns. */
  leave(nowMs: number): void;
  /** How a dial that `connect` asked for has ended. Left out by modules that never ask. */
  dialEnded?(end: DialEnd, nowMs: number): void;
  /** What the source of this index found, in place of what it found before. Left out by modules without sources. */
  discovered?(source: number, urls: readonly string[], nowMs: number): void;
  /** This process stood still for so long, until now: comes before whatever that delayed. */
  stalled?(forMs: number, nowMs: number): void;
  /** What this node says of itself from now on. Left out by modules that carry none. */
  describe?(meta: Meta, nowMs: number): void;
}

/** What a node says of itself to judge the options of its membership. */
export interface MembershipLimits {
  /** What is wrong with a text as a URL that this node dials; it reads on from the text. Nothing, if it can be dialled. */
  readonly urlProblem: (url: string) => string | undefined;
}

/** The URLs of an option that cannot be dialled, one violation each. */
export function urlViolations(
  option: string,
  urls: readonly unknown[],
  { urlProblem }: MembershipLimits,
): readonly Violation[] {
  return urls.flatMap((url, index) => {
    const problem = typeof url === 'string' ? urlProblem(url) : undefined;
    return problem === undefined ? [] : [{ path: `${option}[${index}]`, problem: `${problem}, not ${show(url)}` }];
  });
}

export interface Membership {
  readonly name: string;
  /** Asked where `discover` says so. @default none */
  readonly sources?: readonly Discovery[];
  /**
   * Whether it was given others to find: addresses or sources. Without, a node may be alone, and waits for nobody.
   * @default true
   */
  readonly seeks?: boolean;
  /** What a node with this module says of itself at first. @default nothing */
  readonly meta?: Meta;
  /**
   * The violations that the module cannot find alone, each by its path among the module's options. A node asks once, at its start.
   * @default none
   */
  violations?(node: MembershipLimits): readonly Violation[];
  /** Whether a peer's message is one of this module's: anything else costs its sender the connection. */
  accepts(body: unknown): boolean;
  /**
   * Which rule a body breaks that `accepts` refuses, for the log of both nodes: the end of a sentence that begins with what the
   * body is, as in `has no array of records as news`. @default the log says that the body breaks a rule, and not which
   */
  problem?(body: unknown): string | null;
  create(environment: MembershipEnvironment): MembershipMachine;
}
