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
import { type DialEnd, GossipError, throwViolations, type UrlSource, type Violation } from '@grapevine/core';
import { type CloseInfo, closeCodes, closeInfo, fullReason, shortReason } from './close-codes.ts';
import { type DialResult, type DialTask, resultOf, startDial } from './dial.ts';
import { Gate } from './gate.ts';
import { Handshake, type HandshakeEnd } from './handshake.ts';
import type { KeyObject } from 'node:crypto';
import { type KeyMaterial, readKeys } from './keys.ts';
import { Keyring } from './keyring.ts';
import { helloOf, type ResolvedOptions } from './options.ts';
import { type Refused, settle } from './pairing.ts';
import { Redial, type Target } from './redial.ts';
import { Link, type Peer, type Session } from './session.ts';
import { checkRenewal, lacks, readTls, renewedTls, type TransportTls } from './security.ts';
import { SingleDials } from './single-dials.ts';
import type { Medium, Socket } from './socket.ts';

/** A hello that was refused. */
export interface Refusal {
  /** The URL that we dialled; null when the peer dialled us. */
  readonly url: string | null;
  readonly by: 'us' | 'peer';
  /** The peer's name, where it was told. */
  readonly peer: string | null;
  /** The network address of the other side; null where the medium has none. Of an IPv6 address, its network of 64 bits. */
  readonly address: string | null;
  readonly error: GossipError;
}

/** What the transport tells its owner. Calls may come from inside the methods that cause them. */
export interface TransportEvents {
  /** Set `session.onFrames` inside. */
  opened(session: Session): void;
  /**
   * Once per opened session. What had arrived before has been handed over. The code `closeCodes.RELEASED` means that one
   * side needs the connection no more.
   */
  closed(session: Session, info: CloseInfo): void;
  refused?(refusal: Refusal): void;
  /** `nextAttemptInMs` is null when it is not dialled again, because the URL is none that can be. */
  dialFailed?(url: string, error: GossipError, nextAttemptInMs: number | null): void;
  /** How a dial that `connect` asked for has ended: once for each. `opened` comes before `connected`. */
  dialEnded?(end: DialEnd): void;
  /**
   * How one of the dials has ended that `dial` asked for and that are repeated. The URL of the node itself is not dialled, and
   * ends as `self` at once.
   */
  redialled?(end: DialEnd): void;
}

export interface RotateOptions {
  /** Whether sessions stay whose peer has proven itself by a key that is not listed any more. @default false */
  readonly keepSessions?: boolean | undefined;
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
   * @param source how these URLs are known; by default `peers`
   */
  dial(urls: readonly string[], source?: UrlSource): void;
  /**
   * One dial, now, never repeated, answered by one `dialEnded`: from inside this call where the node at the URL is
   * connected already or the URL is none. Before `start` has finished it is kept for then; after `close` nothing is
   * told. URLs of `dial` may be connected with too.
   * @param source how this URL is known; by default `peers`
   */
  connect(url: string, source?: UrlSource): void;
  /**
   * Replaces the keys, for every handshake that is not over. Sessions stay, but for those whose peer has proven itself by a
   * key that is not listed any more: they are closed as KEY_WITHDRAWN, and may come again with another key.
   * @param keys the first is the one to prove this node with
   * @returns how many sessions were closed
   * @throws GossipError OPTIONS_INVALID, state unchanged, with what is wrong, also where the transport began without keys
   */
  rotateKeys(keys: readonly KeyMaterial[], options?: RotateOptions): number;
  /**
   * Replaces options of TLS for every connection to come; open connections stay. An option that is not given stays as it is.
   * `requestCert`, `rejectUnauthorized` and `checkNames` cannot be changed.
   * @throws GossipError OPTIONS_INVALID, state unchanged, with what is wrong, also where the transport began without TLS
   */
  renewTls(tls: TransportTls): void;
  /** The open sessions, one per peer. */
  sessions(): Iterable<Session>;
  /** Sends what waits, closes every session as GOING_AWAY, and stops; after `closeTimeoutMs` by force. May be called again. */
  close(reason?: string): Promise<void>;
}

interface SessionRecord {
  readonly openedAt: number;
  readonly canonicalUrl: string | null;
  /** The key by which the peer has proven itself; null without keys. */
  readonly provenBy: KeyObject | null;
}

/** A peer is given up after so many silent ticks of the keep-alive. */
const silentTicks = 3;

export class MediumTransport implements Transport {
  readonly #options: ResolvedOptions;
  readonly #medium: Medium;
  readonly #links = new Map<string, Link>();
  readonly #records = new Map<Link, SessionRecord>();
  readonly #handshakes = new Set<Handshake>();
  /** Sessions that were closed here and whose connections are still there. */
  readonly #closingLinks = new Set<Link>();
  readonly #keyring: Keyring | null;
  /** The options of TLS as they are now. */
  #tls: TransportTls | null;
  readonly #gate: Gate;
  readonly #redial: Redial;
  readonly #singleDials: SingleDials;
  #state: 'new' | 'starting' | 'running' | 'closed' = 'new';
  #events: TransportEvents = { opened: () => {}, closed: () => {} };
  #wanted: { readonly urls: readonly string[]; readonly source: UrlSource } = { urls: [], source: 'peers' };
  #url: string | null = null;
  #lastId = 0;
  #cancelKeepAlive: () => void = () => {};
  #closing: Promise<void> | null = null;

  constructor(medium: Medium, options: ResolvedOptions) {
    this.#medium = medium;
    this.#options = options;
    this.#tls = options.security.tls;
    const canonical = (url: string): string | null => medium.canonical(url);
    const [first, ...older] = options.security.keys;
    this.#keyring = first === undefined ? null : new Keyring([first, ...older]);
    this.#gate = new Gate({
      options,
      links: this.#links,
      handshakes: this.#handshakes,
      closing: this.#closingLinks,
      canonical,
    });
    this.#redial = new Redial({
      minMs: options.redialMinMs,
      maxMs: options.redialMaxMs,
      random: options.random,
      setTimer: options.setTimer,
      isConnected: (name) => this.#links.has(name),
      dial: (target) => {
        const { url, canonicalUrl, source } = target;
        return this.#dial({ url, canonicalUrl, source, target, ended: (result) => this.#redialled(target, result) });
      },
    });
    this.#singleDials = new SingleDials({
      place: (url, source) => this.#place(url, source),
      connectedAt: (canonicalUrl) => this.#peerAt(canonicalUrl),
      dial: (task) => this.#dial(task),
      ended: (end) => this.#events.dialEnded?.(end),
    });
  }

  async start(events: TransportEvents): Promise<{ readonly url: string | null }> {
    if (this.#state !== 'new') throw new Error('a transport is started once');
    this.#state = 'starting';
    this.#events = events;
    this.#url = this.#options.advertise;
    try {
      const url = await this.#medium.listen(
        (socket) => this.#accepted(socket),
        (error, address) => this.#events.refused?.({ url: null, by: 'us', peer: null, address, error }),
      );
      this.#url ??= url;
    } catch (error) {
      await this.close();
      throw error;
    }
    if (this.#state === 'starting') {
      this.#state = 'running';
      this.#keepAlive();
      this.dial(this.#wanted.urls, this.#wanted.source);
      this.#singleDials.start();
    }
    return { url: this.#url };
  }

  dial(urls: readonly string[], source: UrlSource = 'peers'): void {
    this.#wanted = { urls, source };
    if (this.#state !== 'running') return;
    const targets: Target[] = [];
    // A list may be the same for all nodes, and so name this one: it is told, and not dialled.
    const own = this.#url === null ? null : this.#medium.canonical(this.#url);
    for (const url of new Set(urls)) {
      const place = this.#place(url, source);
      if (place === own) {
        const { name, epoch } = this.#options;
        this.#events.redialled?.({ url, outcome: 'self', peer: { name, epoch } });
        continue;
      }
      if (typeof place === 'string')
        targets.push({ url, canonicalUrl: place, source, leadsTo: this.#peerAt(place)?.name ?? null });
      else this.#events.dialFailed?.(url, place, null);
    }
    this.#redial.replace(targets);
  }

  connect(url: string, source: UrlSource = 'peers'): void {
    this.#singleDials.connect(url, source);
  }

  rotateKeys(keys: readonly KeyMaterial[], { keepSessions = false }: RotateOptions = {}): number {
    const violations: Violation[] = [];
    const [first, ...older] = readKeys(keys, 'keys', violations);
    const keyring = this.#keyring;
    if (keyring === null)
      violations.push({
        path: 'keys',
        problem: 'mean nothing to a node that began without: start it with security.keys',
      });
    throwViolations(violations);
    if (keyring === null || first === undefined) return 0;
    keyring.replace([first, ...older]);
    const isWithdrawn = (key: KeyObject | null): boolean => key !== null && !keyring.has(key);
    const reason = 'the key that proved the peer was withdrawn: it may come with another';
    for (const handshake of this.#handshakes)
      if (isWithdrawn(handshake.provenBy)) handshake.refuse(closeCodes.KEY_WITHDRAWN, reason);
    if (keepSessions) return 0;
    const withdrawn = [...this.#records].filter(([, { provenBy }]) => isWithdrawn(provenBy));
    for (const [link] of withdrawn) link.close(closeCodes.KEY_WITHDRAWN, reason);
    return withdrawn.length;
  }

  renewTls(tls: TransportTls): void {
    const violations: Violation[] = [];
    const before = this.#tls;
    if (before === null)
      violations.push({
        path: 'tls',
        problem: 'means nothing to a node that began without: start it with security.tls',
      });
    if (typeof tls !== 'object' || tls === null || Array.isArray(tls))
      violations.push({ path: 'tls', problem: 'must be an object such as { key, cert, ca }' });
    throwViolations(violations);
    checkRenewal(before as TransportTls, tls, violations);
    const renewed = readTls(renewedTls(before, tls), violations);
    violations.push(...lacks({ ...this.#options.security, tls: renewed }));
    throwViolations(violations);
    if (renewed === null) return;
    this.#medium.renewTls(renewed);
    this.#tls = renewed;
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
    this.#singleDials.stop();
    const stopped = this.#medium.stop();
    for (const handshake of this.#handshakes) handshake.refuse(closeCodes.GOING_AWAY, reason);
    for (const link of this.#links.values()) link.drain(closeCodes.GOING_AWAY, reason);
    const cancel = this.#options.setTimer(this.#options.closeTimeoutMs, () => {
      for (const link of this.#links.values()) link.close(closeCodes.GOING_AWAY, reason);
      this.#medium.terminate();
    });
    await stopped;
    cancel();
  }

  // ── connections ────────────────────────────────────────────────────────────────────────────────────────────────────

  #accepted(socket: Socket): void {
    if (this.#state === 'closed') {
      socket.terminate();
      return;
    }
    const refused = this.#gate.atDoor(socket.address);
    const handshake = this.#handshake(socket, null);
    // Refused as others are, so that it counts until it is closed.
    if (refused !== null) handshake.refuse(refused.code, refused.reason);
  }

  #dial(task: DialTask): () => void {
    const { handshakeTimeoutMs, setTimer } = this.#options;
    const refused = this.#gate.beforeDial();
    if (refused !== null) {
      const message = `${task.url} is not dialled: ${fullReason(refused.reason)}`;
      const error = new GossipError('TOO_MANY_CONNECTIONS', message, { context: { url: task.url } });
      return setTimer(0, () => task.ended({ outcome: 'failed', peer: null, error }));
    }
    const shake = (socket: Socket): Handshake => this.#handshake(socket, task);
    return startDial(task, { medium: this.#medium, handshakeTimeoutMs, setTimer, shake });
  }

  /** @param task the dial that made the connection, null where the peer dialled */
  #handshake(socket: Socket, task: DialTask | null): Handshake {
    const { security } = this.#options;
    const handshake = new Handshake(socket, {
      ours: helloOf(this.#options, this.#url),
      keyring: this.#keyring,
      channelBinding: security.channelBinding,
      checkNames: security.tls?.checkNames === true,
      maker: (nonce) => this.#maker(nonce),
      dialled: task !== null,
      timeoutMs: this.#options.handshakeTimeoutMs,
      setTimer: this.#options.setTimer,
      judge: (step, peer, decide) => this.#gate.judge(step, peer, decide),
      settled: (settled, peer) => this.#settled(settled, peer, task),
      ended: (ended, end) => this.#ended(ended, end, task),
      gone: (gone) => this.#handshakes.delete(gone),
    });
    this.#handshakes.add(handshake);
    return handshake;
  }

  #settled(handshake: Handshake, peer: Peer, task: DialTask | null): void {
    this.#handshakes.delete(handshake);
    const step = task === null ? 'commit' : 'welcome';
    for (const reservation of this.#gate.reservations(peer.name)) {
      const end = settle(step, peer, { epoch: reservation.peer.epoch, state: 'reserved' });
      if (end !== null) reservation.refuse(end.code, end.reason);
    }
    const former = this.#links.get(peer.name);
    if (former !== undefined) {
      const end = settle(step, peer, { epoch: former.peer.epoch, state: 'open' }) as Refused;
      former.close(end.code, shortReason(end.reason));
    }
    const closed = (link: Link, info: CloseInfo): void => this.#lost(link, info);
    const link = new Link(handshake.socket, {
      id: ++this.#lastId,
      peer,
      dialled: task !== null,
      isSealed: handshake.isSealed,
      limits: this.#options,
      setTimer: this.#options.setTimer,
      closed,
      gone: (gone) => this.#closingLinks.delete(gone),
    });
    this.#links.set(peer.name, link);
    const canonicalUrl = peer.url === null ? null : this.#medium.canonical(peer.url);
    this.#records.set(link, { openedAt: this.#options.now(), canonicalUrl, provenBy: handshake.provenBy });
    const canonicalUrls = [task?.canonicalUrl, canonicalUrl].filter((url) => typeof url === 'string');
    this.#redial.connected({ name: peer.name, canonicalUrls }, task?.target ?? null);
    this.#events.opened(link);
    link.readOrPause();
    task?.ended({ outcome: 'connected', peer: { name: peer.name, epoch: peer.epoch } });
  }

  #lost(link: Link, info: CloseInfo): void {
    const stoodMs = this.#options.now() - (this.#records.get(link)?.openedAt ?? 0);
    this.#links.delete(link.peer.name);
    this.#records.delete(link);
    if (link.isClosing) this.#closingLinks.add(link);
    this.#redial.lost(link.peer.name, stoodMs >= this.#options.stableAfterMs);
    this.#events.closed(link, info);
  }

  #ended(handshake: Handshake, end: HandshakeEnd, task: DialTask | null): void {
    if (this.#state === 'closed') return;
    const { by, code, reason, cause } = end;
    const peer = handshake.peer?.name ?? null;
    const url = task?.url ?? null;
    const { address } = handshake.socket;
    const { error } = closeInfo(code, reason, { peer, url, address }, cause);
    const isRefusal = error !== undefined && code !== closeCodes.CONNECTION_LOST;
    // Without a hello, a connection that breaks is a port scan or a health check, nothing to tell of.
    if (isRefusal) this.#events.refused?.({ url, by, peer, address, error });
    if (task === null) return;
    const result = resultOf(end, {
      url: task.url,
      self: this.#options,
      peer: handshake.peer,
      proves: this.#keyring !== null,
    });
    if (result !== null) task.ended(result);
  }

  /** How one of the dials that are repeated has ended. */
  #redialled(target: Target, result: DialResult): void {
    this.#events.redialled?.({ url: target.url, ...result });
    const { outcome, peer, error } = result;
    switch (outcome) {
      case 'connected':
        // `Redial` knew before the session was opened.
        return;
      case 'duplicate':
        if (peer === null) this.#redial.failed(target);
        else this.#redial.superfluous(target, peer.name);
        return;
      case 'refused':
        this.#redial.failed(target);
        return;
      case 'self':
      case 'failed': {
        const nextAttemptInMs = this.#redial.failed(target);
        // A hello that did not come was told as a refusal.
        if (error?.code === 'HELLO_TIMEOUT' || error === undefined) return;
        this.#events.dialFailed?.(target.url, error, nextAttemptInMs);
        return;
      }
      default:
        outcome satisfies never;
    }
  }

  /** The hello with this nonce, where a handshake of this node made it; null: none did. */
  #maker(nonce: Uint8Array): Uint8Array | null {
    for (const { nonce: ours, hello } of this.#handshakes)
      if (ours !== null && Buffer.compare(ours, nonce) === 0) return hello;
    return null;
  }

  /** The canonical spelling of a URL, or why it is not dialled. */
  #place(url: string, source: UrlSource): string | GossipError {
    const canonicalUrl = this.#medium.canonical(url);
    if (canonicalUrl === null) return new GossipError('OPTIONS_INVALID', `"${url}" is no URL that can be dialled`);
    return this.#medium.objection(canonicalUrl, source) ?? canonicalUrl;
  }

  /** Who is connected and can be dialled there. */
  #peerAt(canonicalUrl: string): Peer | null {
    for (const [{ peer }, record] of this.#records) if (record.canonicalUrl === canonicalUrl) return peer;
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
