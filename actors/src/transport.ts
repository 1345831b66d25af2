/**
 * The transport: owns the listening socket and the connections, and has a link for each.
 *
 * Invariants
 *  1. `node.lines` has a connection from the moment it opens to the moment it closes, and the membership hears of both.
 *  2. Started again, it listens where it listened before, whatever port was free then.
 *  3. A node that never could listen stops; one that has tries again for ever.
 *
 * Source: docs/architecture.md and docs/wire.md.
 */

import { type DialEnd, type GossipError, isGossipError, type UrlSource } from '@grapevine/core';
import type { CloseInfo, Refusal, Session, Transport, TransportEvents, TransportOptions } from '@grapevine/transport';
import { closeCodes, isInsecure, renewedTls } from '@grapevine/transport';

import { stopTree, tell } from './kernel/actor.ts';
import type { ActorSpec, Behaviour, Self } from './kernel/behaviour.ts';
import type { Ref } from './kernel/nact.ts';
import { Line } from './line.ts';
import { linkSpec } from './link.ts';
import { memberOf } from './membership.ts';
import type { RenewTls, RotateKeys, SecurityReply } from './messages.ts';
import type { Node } from './node.ts';
import type { TransportMessage } from './transport-messages.ts';
import { time } from './kernel/time.ts';

const relistenMinMs = 100;
const relistenMaxMs = 10_000;
/** More than the transport itself takes to close by force. */
const shutdownMs = 6000;

export function transportSpec(node: Node): ActorSpec<TransportMessage> {
  return { name: 'transport', shutdownMs, start: (self) => new TransportActor(node, self) };
}

/** Ends of dials that trying again does not mend. */
const forPeople: ReadonlySet<string> = new Set(['CERTIFICATE_REFUSED', 'PLAINTEXT_REFUSED', 'ADDRESS_REFUSED']);
/** More different ones are told of again. */
const REFUSALS_REMEMBERED = 1000;

class TransportActor implements Behaviour<TransportMessage>, TransportEvents {
  readonly #node: Node;
  readonly #self: Self<TransportMessage>;
  #transport: Transport;
  #wanted: { readonly urls: readonly string[]; readonly source: UrlSource } = { urls: [], source: 'peers' };
  /** Single dials that have not ended. */
  readonly #singles = new Map<string, UrlSource>();
  #relistenMs = relistenMinMs;
  /** Of its open sessions: a successor of this actor may have put another one in the place of a name. */
  readonly #lines = new Map<Session, Line>();
  /** What could not be dialled since it was last connected: said aloud once, not at every try. */
  readonly #unreachable = new Set<string>();
  /** Refusals that have been told of. */
  readonly #refusals = new Set<string>();

  constructor(node: Node, self: Self<TransportMessage>) {
    this.#node = node;
    this.#self = self;
    this.#transport = this.#listen();
  }

  receive(message: TransportMessage): void {
    switch (message.type) {
      case 'dial':
        this.#wanted = message;
        this.#node.arrival.dialling(message.urls);
        this.#transport.dial(message.urls, message.source);
        return;
      case 'connect':
        this.#singles.set(message.url, message.source);
        this.#node.arrival.dialling([message.url]);
        this.#transport.connect(message.url, message.source);
        return;
      case 'renew':
        this.#self.exit();
        return;
      case 'rotate-keys':
        this.#rotateKeys(message);
        return;
      case 'renew-tls':
        this.#renewTls(message);
        return;
      case 'listening':
        if (message.transport === this.#transport) this.#listening(message.url);
        return;
      case 'not-listening':
        if (message.transport === this.#transport) this.#notListening(message.error);
        return;
      case 'listen':
        this.#transport = this.#listen();
        return;
      default:
        message satisfies never;
    }
  }

  async stopped(): Promise<void> {
    await this.#transport.close();
  }

  // Listening

  #listen(): Transport {
    const transport = this.#node.options.transport(this.#transportOptions());
    transport.dial(this.#wanted.urls, this.#wanted.source);
    // Of one that could not listen nothing more is heard.
    for (const [url, source] of this.#singles) transport.connect(url, source);
    const { ref } = this.#self;
    transport.start(this).then(
      ({ url }) => tell(ref, { type: 'listening', transport, url }),
      (error: unknown) => tell(ref, { type: 'not-listening', transport, error: error as GossipError }),
    );
    return transport;
  }

  #transportOptions(): TransportOptions {
    const { options, epoch, port } = this.#node;
    const { name, cluster, listen, advertise, maxFrameBytes, pingIntervalMs, redialMinMs, redialMaxMs, random } =
      options;
    const { maxConnections, maxConnectionsPerAddress, maxHandshakes, stallTimeout } = options;
    const { keys, tls, insecure, allowPlaintext, channelBinding, peerAddresses } = this.#node.security;
    return {
      name,
      epoch,
      cluster,
      advertise,
      maxFrameBytes,
      pingIntervalMs,
      redialMinMs,
      redialMaxMs,
      maxConnections,
      maxConnectionsPerAddress,
      maxHandshakes,
      stallTimeoutMs: stallTimeout,
      random,
      listen: listen === null || port === null ? listen : { ...listen, port },
      security: {
        keys: keys.length === 0 ? undefined : keys,
        tls: tls ?? undefined,
        insecure,
        allowPlaintext,
        channelBinding,
        peerAddresses,
      },
    };
  }

  #listening(url: string | null): void {
    const node = this.#node;
    node.url = url;
    if (!node.hasListened) this.#warnOfOpenDoors();
    node.hasListened = true;
    this.#relistenMs = relistenMinMs;
    const { listen, advertise, name } = node.options;
    if (listen?.port === 0 && advertise === null && url !== null) node.port = Number(new URL(url).port) || null;
    this.#self.logger.info({ node: name, url }, url === null ? 'node dials only' : `node listens as ${url}`);
    node.ready.resolve({ url });
    if (node.trackerRef !== null) tell(node.trackerRef, { type: 'listening' });
  }

  /** Said once, as a node that is started again is no less open. */
  #warnOfOpenDoors(): void {
    const node = this.#node;
    const { logger } = this.#self;
    const { keys, tls } = node.security;
    const fields = { node: node.options.name };
    if (isInsecure(node.security))
      logger.warn(
        fields,
        'insecure: whoever reaches this node, or is on the way to it, can take part; give security.keys',
      );
    else if (tls !== null && keys.length === 0 && tls.requestCert !== true && node.options.listen !== null)
      logger.warn(
        fields,
        'TLS without keys or requestCert: whoever reaches this node can take part; give security.keys',
      );
  }

  // Keys and certificates

  /** What it is started with again after a crash is what it has now. */
  #rotateKeys({ keys, keepSessions, replyTo }: RotateKeys): void {
    const node = this.#node;
    this.#secure(replyTo, () => {
      const closed = this.#transport.rotateKeys(keys, { keepSessions });
      node.security = { ...node.security, keys };
      this.#self.logger.info({ node: node.options.name, keys: keys.length, closed }, 'keys replaced');
      return closed;
    });
  }

  #renewTls({ tls, replyTo }: RenewTls): void {
    const node = this.#node;
    this.#secure(replyTo, () => {
      this.#transport.renewTls(tls);
      node.security = { ...node.security, tls: renewedTls(node.security.tls, tls) };
      this.#self.logger.info({ node: node.options.name }, 'certificates replaced');
      return 0;
    });
  }

  #secure(replyTo: Ref<SecurityReply> | undefined, change: () => number): void {
    try {
      const closed = change();
      if (replyTo !== undefined) tell(replyTo, { ok: true, closed });
    } catch (error) {
      if (!isGossipError(error)) throw error;
      if (replyTo !== undefined) tell(replyTo, { ok: false, error });
      else this.#self.logger.error({ err: error, node: this.#node.options.name }, error.message);
    }
  }

  #notListening(error: GossipError): void {
    const node = this.#node;
    const { logger } = this.#self;
    if (!node.hasListened) {
      const level = node.isReadyAwaited ? 'debug' : 'error';
      logger[level]({ err: error, node: node.options.name }, `the node cannot listen and stops: ${error.message}`);
      node.ready.reject(error);
      if (node.rootRef !== null) void stopTree(node.rootRef);
      return;
    }
    logger.error(
      { err: error, node: node.options.name, retryInMs: this.#relistenMs },
      `cannot listen: ${error.message}`,
    );
    this.#self.schedule(this.#relistenMs, { type: 'listen' });
    this.#relistenMs = Math.min(2 * this.#relistenMs, relistenMaxMs);
  }

  // Connections

  opened(session: Session): void {
    const node = this.#node;
    const { peer } = session;
    const line = new Line(session);
    node.lines.set(peer.name, line);
    node.totals.opened(line);
    this.#lines.set(session, line);
    try {
      const link = this.#self.spawn(linkSpec(node, line));
      node.links.set(line, link);
      node.place(['transport', `link ${peer.name}`], link);
    } catch {
      // This incarnation is over, and the transport about to close.
      session.close(closeCodes.GOING_AWAY, 'the transport is being restarted');
      return;
    }
    this.#self.logger.info(
      { node: node.options.name, peer: peer.name, url: peer.url, dialled: session.dialled },
      'connection opened',
    );
    this.#warnOfOpenSession(session);
    if (peer.url !== null) this.#unreachable.delete(peer.url);
    const member = memberOf(peer);
    if (node.trackerRef !== null && member !== null) tell(node.trackerRef, { type: 'connected', member });
  }

  /** Said once a minute of each peer, as refusals are. */
  #warnOfOpenSession({ peer, isSealed }: Session): void {
    const node = this.#node;
    const { keys, tls } = node.security;
    if (keys.length === 0 || tls !== null || isSealed) return;
    if (!node.saidOfRefusals.isNew(`unsealed ${peer.name}`, time.monotonicMs())) return;
    this.#self.logger.warn(
      { node: node.options.name, peer: peer.name, version: peer.version },
      `${peer.name} speaks protocol version ${peer.version}, which seals nothing: whoever is on the way reads and writes; upgrade it`,
    );
  }

  closed(session: Session, info: CloseInfo): void {
    const node = this.#node;
    const { name } = session.peer;
    const own = this.#lines.get(session);
    this.#lines.delete(session);
    if (own !== undefined) node.totals.closed(own);
    const line = node.lines.get(name);
    if (line?.session !== session) return;
    node.lines.delete(name);
    const link = node.links.get(line);
    if (link !== undefined) tell(link, { type: 'closed', info });
    this.#expelled(session, info);
    const released = info.code === closeCodes.RELEASED;
    if (node.trackerRef !== null) tell(node.trackerRef, { type: 'disconnected', name, session: session.id, released });
  }

  /** A peer that had let this node in has found out that another of its name lives, and has sent it away. */
  #expelled({ peer, dialled }: Session, { code, error }: CloseInfo): void {
    if (code !== closeCodes.NAME_TAKEN || error === undefined || this.#node.expelling.delete(peer.name)) return;
    const { url, name } = peer;
    this.#node.refused({ error, by: 'peer', peer: name, url: dialled ? url : null, address: null }, true);
    if (url !== null) this.#node.arrival.ended({ url, outcome: 'refused', peer, error });
  }

  redialled(end: DialEnd): void {
    this.#node.arrival.ended(end);
  }

  dialEnded(end: DialEnd): void {
    this.#singles.delete(end.url);
    this.#node.arrival.ended(end);
    const { url, error } = end;
    // What trying again does not mend, a person must hear of, whoever asked for the dial.
    if (error !== undefined && forPeople.has(error.code))
      this.refused({ url, by: 'us', peer: null, address: null, error });
    const { trackerRef } = this.#node;
    if (trackerRef !== null) tell(trackerRef, { type: 'dial-ended', end });
  }

  /** Told once as a warning; the same again, as the peer dials on, or too many at once, are for who looks closely. */
  refused({ url, by, peer, address, error }: Refusal): void {
    const fields = { err: error, node: this.#node.options.name, url, by, peer, address };
    const what = `${error.code} ${by} ${peer ?? url}`;
    const text = `connection refused: ${error.message}`;
    const isNew = !this.#refusals.has(what) && this.#node.saidOfRefusals.isNew(what, time.monotonicMs());
    this.#self.logger[isNew ? 'warn' : 'debug'](fields, text);
    if (this.#refusals.size >= REFUSALS_REMEMBERED) this.#refusals.clear();
    this.#refusals.add(what);
    this.#node.refused({ error, by, peer, url, address }, isNew);
  }

  dialFailed(url: string, error: GossipError, nextAttemptInMs: number | null): void {
    const { logger } = this.#self;
    const fields = { err: error, node: this.#node.options.name, url, nextAttemptInMs };
    if (nextAttemptInMs === null) logger.error(fields, error.message);
    else if (this.#unreachable.has(url)) logger.debug(fields, error.message);
    else logger.warn(fields, `${error.message}; it is dialled on`);
    if (this.#unreachable.size >= REFUSALS_REMEMBERED) this.#unreachable.clear();
    this.#unreachable.add(url);
  }
}
