/**
 * The transport: keeps one session with every peer that is dialled or dials, over whichever medium.
 *
 * Invariants
 *  1. At most one session per peer name is open; a predecessor is told `closed` before its successor is `opened`.
 *  2. `opened` and `closed` come in pairs, and nothing is told once `close` has resolved.
 *  3. An idle transport holds one timer for all its sessions.
 *
 * Source: docs/architecture.md and docs/wire.md.
 */
import { GossipError } from '@grapevine/core';
import { type CloseInfo, closeCodes, closeInfo } from './close-codes.ts';
import { Handshake, type HandshakeEnd } from './handshake.ts';
import { helloOf, type ResolvedOptions } from './options.ts';
import { judge, type Refused, type Rival, settle } from './pairing.ts';
import { Redial, type Target } from './redial.ts';
import { Link, type Peer, type Session } from './session.ts';
import type { Medium, Socket } from './socket.ts';

/** A hello that was refused. */
export interface Refusal {
  /** The URL that we dialled; null when the peer dialled us. */
  readonly url: string | null;
  readonly by: 'us' | 'peer';
  /** The peer's name, where it was told. */
  readonly peer: string | null;
  readonly error: GossipError;
}

/** What the transport tells its owner. Calls may come from inside the methods that cause them. */
export interface TransportEvents {
  /** Set `session.onFrames` inside. */
  opened(session: Session): void;
  /** Once per opened session. What had arrived before has been handed over. */
  closed(session: Session, info: CloseInfo): void;
  refused?(refusal: Refusal): void;
  /** `nextAttemptInMs` is null when it is not dialled again, because the URL is none that can be. */
  dialFailed?(url: string, error: GossipError, nextAttemptInMs: number | null): void;
}

export interface Transport {
  /**
   * Starts to listen, if asked to, and to dial. Once.
   * @returns the URL that peers are told; null when this node only dials
   * @throws GossipError PORT_IN_USE, ADDRESS_UNAVAILABLE; the transport is closed then
   */
  start(events: TransportEvents): Promise<{ readonly url: string | null }>;
  /**
   * Says which URLs are to be kept connected, in place of those of the former call. Before `start` they are kept for it.
   * A URL that cannot be dialled is told by `dialFailed`. Sessions of URLs no longer listed stay.
   */
  dial(urls: readonly string[]): void;
  /** The open sessions, one per peer. */
  sessions(): Iterable<Session>;
  /** Sends what waits, closes every session as GOING_AWAY, and stops; after `closeTimeoutMs` by force. May be called again. */
  close(reason?: string): Promise<void>;
}

/** A peer is given up after so many silent ticks of the keep-alive. */
const silentTicks = 3;

export class MediumTransport implements Transport {
  readonly #options: ResolvedOptions;
  readonly #medium: Medium;
  readonly #links = new Map<string, Link>();
  readonly #openedAt = new Map<Link, number>();
  readonly #handshakes = new Set<Handshake>();
  readonly #redial: Redial;
  #state: 'new' | 'starting' | 'running' | 'closed' = 'new';
  #events: TransportEvents = { opened: () => {}, closed: () => {} };
  #wanted: readonly string[] = [];
  #url: string | null = null;
  #lastId = 0;
  #cancelKeepAlive: () => void = () => {};
  #closing: Promise<void> | null = null;

  constructor(medium: Medium, options: ResolvedOptions) {
    this.#medium = medium;
    this.#options = options;
    this.#redial = new Redial({
      minMs: options.redialMinMs,
      maxMs: options.redialMaxMs,
      random: options.random,
      setTimer: options.setTimer,
      isConnected: (name) => this.#links.has(name),
      dial: (target) => this.#dial(target),
    });
  }

  async start(events: TransportEvents): Promise<{ readonly url: string | null }> {
    if (this.#state !== 'new') throw new Error('a transport is started once');
    this.#state = 'starting';
    this.#events = events;
    this.#url = this.#options.advertise;
    try {
      const url = await this.#medium.listen((socket) => this.#accepted(socket));
      this.#url ??= url;
    } catch (error) {
      await this.close();
      throw error;
    }
    if (this.#state === 'starting') {
      this.#state = 'running';
      this.#keepAlive();
      this.dial(this.#wanted);
    }
    return { url: this.#url };
  }

  dial(urls: readonly string[]): void {
    this.#wanted = urls;
    if (this.#state !== 'running') return;
    const targets: Target[] = [];
    for (const url of new Set(urls)) {
      const canonicalUrl = this.#medium.canonical(url);
      if (canonicalUrl !== null) targets.push({ url, canonicalUrl, leadsTo: this.#nameAt(canonicalUrl) });
      else
        this.#events.dialFailed?.(
          url,
          new GossipError('OPTIONS_INVALID', `"${url}" is no URL that can be dialled`),
          null,
        );
    }
    this.#redial.replace(targets);
  }

  *sessions(): Iterable<Session> {
    yield* this.#links.values();
  }

  close(reason = 'the node leaves'): Promise<void> {
    this.#closing ??= this.#close(reason);
    return this.#closing;
  }

  async #close(reason: string): Promise<void> {
    this.#state = 'closed';
    this.#cancelKeepAlive();
    this.#redial.stop();
    const stopped = this.#medium.stop();
    for (const handshake of this.#handshakes) handshake.refuse(closeCodes.GOING_AWAY, reason);
    for (const link of this.#links.values()) link.drain(reason);
    const cancel = this.#options.setTimer(this.#options.closeTimeoutMs, () => {
      for (const link of this.#links.values()) link.close(closeCodes.GOING_AWAY, reason);
      this.#medium.terminate();
    });
    await stopped;
    cancel();
  }

  // ── connections ────────────────────────────────────────────────────────────────────────────────────────────────────

  #accepted(socket: Socket): void {
    if (this.#state === 'closed') socket.terminate();
    else this.#handshake(socket, null);
  }

  #dial(target: Target): () => void {
    const { handshakeTimeoutMs, setTimer } = this.#options;
    let handshake: Handshake | null = null;
    const giveUp = this.#medium.dial(target.canonicalUrl, {
      opened: (socket) => {
        cancelTimer();
        handshake = this.#handshake(socket, target);
      },
      failed: (cause) => {
        cancelTimer();
        this.#unreachable(target, `${target.url} cannot be reached: ${sentenceOf(cause)}`, cause);
      },
    });
    const cancelTimer = setTimer(handshakeTimeoutMs, () => {
      giveUp();
      this.#unreachable(target, `${target.url} did not answer within ${handshakeTimeoutMs} ms`);
    });
    return () => {
      cancelTimer();
      if (handshake === null) giveUp();
      else handshake.refuse(closeCodes.GOING_AWAY, 'no longer wanted');
    };
  }

  #handshake(socket: Socket, target: Target | null): Handshake {
    const handshake = new Handshake(socket, {
      ours: helloOf(this.#options, this.#url),
      dialled: target !== null,
      timeoutMs: this.#options.handshakeTimeoutMs,
      setTimer: this.#options.setTimer,
      judge: (step, peer) => this.#judge(step, peer),
      settled: (settled, peer) => this.#settled(settled, peer, target),
      ended: (ended, end) => this.#ended(ended, end, target),
    });
    this.#handshakes.add(handshake);
    return handshake;
  }

  #judge(step: 'hello' | 'welcome' | 'commit', peer: Peer): Refused | null {
    const rivals: Rival[] = this.#reservations(peer.name).map(({ peer: { epoch } }) => ({ epoch, state: 'reserved' }));
    const open = this.#links.get(peer.name);
    if (open !== undefined) rivals.push({ epoch: open.peer.epoch, state: 'open' });
    return judge(step, { self: this.#options, peer, rivals });
  }

  #settled(handshake: Handshake, peer: Peer, target: Target | null): void {
    this.#handshakes.delete(handshake);
    const step = target === null ? 'commit' : 'welcome';
    for (const reservation of this.#reservations(peer.name)) {
      const end = settle(step, peer, { epoch: reservation.peer.epoch, state: 'reserved' });
      if (end !== null) reservation.refuse(end.code, end.reason);
    }
    const former = this.#links.get(peer.name);
    if (former !== undefined) {
      const end = settle(step, peer, { epoch: former.peer.epoch, state: 'open' }) as Refused;
      former.close(end.code, end.reason);
    }
    const closed = (link: Link, info: CloseInfo): void => this.#lost(link, info);
    const link = new Link(handshake.socket, {
      id: ++this.#lastId,
      peer,
      dialled: target !== null,
      limits: this.#options,
      closed,
    });
    this.#links.set(peer.name, link);
    this.#openedAt.set(link, this.#options.now());
    const canonicalUrl = peer.url === null ? null : this.#medium.canonical(peer.url);
    this.#redial.connected({ name: peer.name, canonicalUrl }, target);
    this.#events.opened(link);
    link.readOrPause();
  }

  #lost(link: Link, info: CloseInfo): void {
    const stoodMs = this.#options.now() - (this.#openedAt.get(link) ?? 0);
    this.#links.delete(link.peer.name);
    this.#openedAt.delete(link);
    this.#redial.lost(link.peer.name, stoodMs >= this.#options.stableAfterMs);
    this.#events.closed(link, info);
  }

  #ended(handshake: Handshake, { by, code, reason, cause }: HandshakeEnd, target: Target | null): void {
    this.#handshakes.delete(handshake);
    const peer = handshake.peer?.name ?? null;
    const { error } = closeInfo(code, reason, { peer, url: target?.url ?? null }, cause);
    const isRefusal = error !== undefined && code !== closeCodes.CONNECTION_LOST;
    // Without a hello, a connection that breaks is a port scan or a health check, nothing to tell of.
    if (isRefusal && this.#state !== 'closed') this.#events.refused?.({ url: target?.url ?? null, by, peer, error });
    if (target === null || this.#state === 'closed') return;
    if (code === closeCodes.SELF) this.#redial.failed(target, { rarely: true });
    else if (code === closeCodes.DUPLICATE && peer !== null) this.#redial.superfluous(target, peer);
    else if (isRefusal || code === closeCodes.DUPLICATE) this.#redial.failed(target);
    else if (by === 'peer')
      this.#unreachable(
        target,
        `${target.url} closed the connection before its hello: ${reason || 'no reason given'}`,
        cause,
      );
  }

  #unreachable(target: Target, message: string, cause?: unknown): void {
    const nextAttemptInMs = this.#redial.failed(target);
    const error = new GossipError('PEER_UNREACHABLE', message, { context: { url: target.url }, cause });
    this.#events.dialFailed?.(target.url, error, nextAttemptInMs);
  }

  /** The accepted dials of a peer that wait for its commit. */
  #reservations(name: string): (Handshake & { readonly peer: Peer })[] {
    const found: (Handshake & { readonly peer: Peer })[] = [];
    for (const handshake of this.#handshakes) {
      if (handshake.isReservation && handshake.peer?.name === name)
        found.push(handshake as Handshake & { readonly peer: Peer });
    }
    return found;
  }

  #nameAt(canonicalUrl: string): string | null {
    for (const { peer } of this.#links.values()) {
      if (peer.url !== null && this.#medium.canonical(peer.url) === canonicalUrl) return peer.name;
    }
    return null;
  }

  // ── keep-alive ─────────────────────────────────────────────────────────────────────────────────────────────────────

  #keepAlive(): void {
    this.#cancelKeepAlive = this.#options.setTimer(this.#options.pingIntervalMs, () => {
      this.#keepAlive();
      for (const link of this.#links.values()) link.tick(silentTicks);
    });
  }
}

function sentenceOf(cause: unknown): string {
  const { message, code } = (cause ?? {}) as { readonly message?: string; readonly code?: string };
  // An attempt on several addresses fails with an AggregateError, whose message is empty.
  return message || code || String(cause);
}
