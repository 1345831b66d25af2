/**
 * The WebSocket medium: frames as binary messages of `ws`, subprotocol `grapevine.1`, path `/grapevine`.
 *
 * Invariants
 *  1. A frame sent alone leaves at once; those sent after it in the same turn leave together, in one write.
 *  2. No buffer of a caller is masked in place: `framing` masks a copy, and so does `ws` (tests hold both to that).
 *  3. What is no upgrade to our path and subprotocol gets an HTTP answer with a sentence, and its connection closed.
 *
 * Source: RFC 6455; ws 8.23.
 */
import { createServer, type IncomingMessage, type Server, type ServerOptions, STATUS_CODES } from 'node:http';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https';
import type { AddressInfo, Socket as NetSocket } from 'node:net';
import { networkInterfaces } from 'node:os';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import { GossipError, printable, throwViolations, type UrlSource } from '@grapevine/core';
import { WebSocket, WebSocketServer } from 'ws';
import {
  acceptFailure,
  dialFailure,
  rememberAddress,
  shownCertificate,
  type ShownCertificate,
} from './certificates.ts';
import { closeCodes } from './close-codes.ts';
import { addressOf, Doorstep } from './address.ts';
import { type ResolvedOptions, resolveOptions, type TransportOptions } from './options.ts';
import { assertNetworkAllowed } from './permission.ts';
import { lookupPublic, objectionToAddress } from './peer-addresses.ts';
import { sealBytes } from './seal.ts';
import { exposures, isExposed, type TransportTls, withoutTickets } from './security.ts';
import { Framing } from './framing.ts';
import { thisRuntime } from './runtime.ts';
import {
  type ChannelBinding,
  type Dial,
  type Medium,
  type Socket,
  type SocketEvents,
  unprovenBytes,
} from './socket.ts';
import { MediumTransport, type Transport } from './transport.ts';

// As they were when this module was loaded: fake timers of a test replace them.
const { setImmediate } = globalThis;
const nextTick = process.nextTick.bind(process);

/** Close codes from here on are errors of the peer: what it still sends is not waited for. */
const firstCodeOfError = 4400;
/** A peer for which so many bytes wait hears from us without an answer to its pings. */
const mostBeforePong = 65_536;

const subprotocol = 'grapevine.1';
const path = '/grapevine';
/**
 * RFC 9266, section 2: the channel binding `tls-exporter`. With TLS 1.2 it needs the extended master secret, of which Node.js
 * does not tell whether it was agreed on: so only TLS 1.3 counts.
 */
const bindingLabel = 'EXPORTER-Channel-Binding';

/** A frame in very many pieces would take far more memory than its bytes. Nodes send theirs in one. */
const pieces = { maxFragments: 64, maxBufferedChunks: 16_384 };
/**
 * No text is taken anyhow: who sends one is told so, and not that it was no UTF-8. Pings are answered here: `ws` answers each, which a
 * peer that does not read could have fill the memory.
 */
const reading = { ...pieces, skipUTF8Validation: true, autoPong: !thisRuntime.hasStreams };

/**
 * A transport over WebSockets. It does nothing before `start`.
 * @throws GossipError OPTIONS_INVALID, with every violation
 */
export function createWebSocketTransport(options: TransportOptions): Transport {
  const resolved = resolveOptions(options);
  throwViolations(exposures(resolved));
  return new MediumTransport(new WebSocketMedium(resolved), resolved);
}

class WebSocketMedium implements Medium {
  readonly #options: ResolvedOptions;
  readonly #sockets = new Set<WebSocket>();
  #server: Server | TlsServer | null = null;
  /** For connections to come. */
  #tls: TransportTls | null;
  #emptied: () => void = () => {};
  #stopped = false;
  readonly #framing = new Framing();

  constructor(options: ResolvedOptions) {
    this.#options = options;
    this.#tls = options.security.tls;
  }

  /** By so much a frame may be longer on the wire. */
  get #sealBytes(): number {
    return this.#options.security.keys.length > 0 ? sealBytes : 0;
  }

  canonical(url: string): string | null {
    if (!URL.canParse(url)) return null;
    const parsed = new URL(url);
    if (parsed.protocol !== 'ws:' && parsed.protocol !== 'wss:') return null;
    parsed.hash = '';
    if (parsed.pathname === '/') parsed.pathname = path;
    return parsed.href;
  }

  objection(url: string, source: UrlSource): GossipError | null {
    if (!isExposed(url, this.#options.security)) return this.#isJudged(source) ? objectionToAddress(url) : null;
    const { keys } = this.#options.security;
    const cure =
      keys.length > 0
        ? 'this node has security.tls: give a URL of wss:, or security.allowPlaintext (--allow-plaintext)'
        : 'give security.keys (--key-file), a URL of wss:, or security.insecure (--insecure)';
    const message = `${url} leads in the clear to another machine: ${cure}`;
    return new GossipError('PLAINTEXT_REFUSED', message, { context: { url } });
  }

  /** Whether addresses of such URLs must be public. */
  #isJudged(source: UrlSource): boolean {
    return source === 'peers' && this.#options.security.peerAddresses === 'public';
  }

  renewTls(tls: TransportTls): void {
    const server = this.#server;
    if (server !== null && 'setSecureContext' in server) server.setSecureContext(withoutTickets(tls));
    this.#tls = tls;
  }

  async listen(
    accepted: (socket: Socket) => void,
    refused: (error: GossipError, address: string | null) => void,
  ): Promise<string | null> {
    assertNetworkAllowed();
    const { listen, maxFrameBytes, handshakeTimeoutMs } = this.#options;
    const tls = this.#tls;
    if (listen === null) return null;
    const timeouts = {
      headersTimeout: handshakeTimeoutMs,
      requestTimeout: handshakeTimeoutMs,
      connectionsCheckingInterval: handshakeTimeoutMs,
    };
    const server = makeServer(timeouts, handshakeTimeoutMs, tls);
    this.#server = server;
    const doorstep = new Doorstep(this.#options);
    const upgrader = new WebSocketServer({
      noServer: true,
      maxPayload: maxFrameBytes + this.#sealBytes,
      ...reading,
      clientTracking: false,
      handleProtocols: () => subprotocol,
    });
    if (tls !== null) {
      server.on('connection', rememberAddress);
      // Without tickets and without a store of sessions there is none to resume. Should there be one, it ends here.
      server.prependListener('secureConnection', (stream: Duplex) => {
        if (stream instanceof TLSSocket && stream.isSessionReused()) stream.destroy();
      });
    }
    server.on('tlsClientError', (error: Error, socket: TLSSocket) => {
      const failure = acceptFailure(error, socket);
      if (failure !== null) refused(failure, (failure.context['address'] as string | undefined) ?? null);
    });
    server.on('request', (request, response) => {
      const { status, sentence } = refusalOf(request) ?? { status: 426, sentence: 'this path speaks WebSocket only' };
      response.writeHead(status, { Connection: 'close', 'Content-Type': 'text/plain' }).end(`${sentence}\n`);
    });
    server.on('upgrade', (request: IncomingMessage, stream: Duplex, head: Buffer) => {
      const refusal = refusalOf(request);
      if (refusal !== null) return refuseUpgrade(stream, refusal);
      doorstep.passed(stream as NetSocket);
      upgrader.handleUpgrade(request, stream, head, (webSocket) => accepted(this.#adopt(webSocket, stream)));
    });
    doorstep.watch(server);
    await listening(server, listen);
    // Later errors are of single connections, such as too many open files: who was not accepted dials again.
    server.on('error', () => {});
    const { address, port } = server.address() as AddressInfo;
    if (this.#stopped) server.close();
    const host = reachable(address);
    return `${tls === null ? 'ws' : 'wss'}://${host.includes(':') ? `[${host}]` : host}:${port}`;
  }

  dial(url: string, { opened, failed }: Dial, source: UrlSource): () => void {
    const { maxFrameBytes } = this.#options;
    // An agent would keep connections and their resolved addresses; without one each dial resolves anew.
    const webSocket = new WebSocket(url, subprotocol, {
      ...(this.#tls === null ? {} : withoutTickets(this.#tls)),
      ...(this.#isJudged(source) ? { lookup: lookupPublic(url) } : {}),
      agent: false,
      perMessageDeflate: false,
      maxPayload: maxFrameBytes + this.#sealBytes,
      ...reading,
    });
    let stream: Duplex | null = null;
    let over = false;
    this.#track(webSocket);
    const fail = (cause: unknown): void => {
      if (over) return;
      over = true;
      failed(dialFailure(url, cause) ?? cause);
    };
    webSocket.on('upgrade', (response: IncomingMessage) => {
      stream = response.socket;
    });
    webSocket.on('error', fail);
    webSocket.on('unexpected-response', (_request, response: IncomingMessage) => {
      webSocket.terminate();
      fail(new Error(`HTTP status ${response.statusCode} instead of a WebSocket: is this a Grapevine node?`));
    });
    webSocket.on('open', () => {
      if (over) return;
      over = true;
      webSocket.off('error', fail);
      opened(this.#socketOver(webSocket, { stream, isTls: url.startsWith('wss:'), isServer: false }));
    });
    return () => {
      over = true;
      webSocket.terminate();
    };
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    const server = this.#server;
    const closed = server?.listening === true ? new Promise((resolve) => server.close(resolve)) : undefined;
    server?.closeIdleConnections();
    await new Promise<void>((resolve) => {
      this.#emptied = resolve;
      if (this.#sockets.size === 0) resolve();
    });
    server?.closeAllConnections();
    await closed;
  }

  terminate(): void {
    for (const webSocket of this.#sockets) webSocket.terminate();
    this.#server?.closeAllConnections();
  }

  #adopt(webSocket: WebSocket, stream: Duplex): Socket {
    this.#track(webSocket);
    return this.#socketOver(webSocket, { stream, isTls: this.#tls !== null, isServer: true });
  }

  #socketOver(webSocket: WebSocket, connection: Connection): WebSocketSocket {
    return new WebSocketSocket(webSocket, connection, this.#framing, this.#options);
  }

  #track(webSocket: WebSocket): void {
    this.#sockets.add(webSocket);
    webSocket.on('close', () => {
      this.#sockets.delete(webSocket);
      if (this.#stopped && this.#sockets.size === 0) this.#emptied();
    });
  }
}

const noEvents: SocketEvents = {
  frame: () => {},
  malformed: () => {},
  heard: () => {},
  drained: () => {},
  closed: () => {},
};

interface Connection {
  /** Below the WebSocket; null where the runtime does not show it. */
  readonly stream: Duplex | null;
  readonly isTls: boolean;
  /** Whether the peer dialled: a server masks nothing. */
  readonly isServer: boolean;
}

class WebSocketSocket implements Socket {
  events: SocketEvents = noEvents;
  readonly address: string | null;
  readonly #webSocket: WebSocket;
  /** Null where the runtime does not show it. */
  readonly #stream: Duplex | null;
  readonly #isTls: boolean;
  readonly #isServer: boolean;
  readonly #framing: Framing;
  readonly #setTimer: ResolvedOptions['setTimer'];
  readonly #closeTimeoutMs: number;
  #corked = false;
  /** The last ping that is not yet answered. */
  #ping: Buffer | null = null;
  /** How many bytes may still come: see `unprovenBytes`. */
  #mayBring = Infinity;
  #error: (Error & { readonly code?: string }) | undefined;

  constructor(
    webSocket: WebSocket,
    { stream, isTls, isServer }: Connection,
    framing: Framing,
    { setTimer, closeTimeoutMs }: ResolvedOptions,
  ) {
    this.address = stream === null ? null : addressOf(stream as NetSocket);
    this.#webSocket = webSocket;
    this.#stream = thisRuntime.hasStreams ? stream : null;
    this.#isTls = isTls;
    this.#isServer = isServer;
    this.#framing = framing;
    this.#setTimer = setTimer;
    this.#closeTimeoutMs = closeTimeoutMs;
    webSocket.on('message', (data, isBinary) => {
      if (isBinary) this.events.frame(data as Buffer);
      else this.events.malformed('a text frame came, only binary frames are spoken');
    });
    webSocket.on('ping', (data: Buffer) => {
      this.#answerSoon(data);
      this.events.heard('ping');
    });
    webSocket.on('pong', () => this.events.heard('pong'));
    webSocket.on('error', (error) => {
      this.#error = error;
    });
    webSocket.on('close', (code, reason) => this.#ended(code, printable(reason.toString())));
    this.#stream?.on('drain', () => this.events.drained());
    this.#bound();
  }

  get bufferedBytes(): number {
    return this.#webSocket.bufferedAmount;
  }

  binding(): ChannelBinding {
    if (!this.#isTls) return 'none';
    const stream = this.#stream;
    if (!thisRuntime.exportsKeyingMaterial || !(stream instanceof TLSSocket)) return 'unavailable';
    try {
      if (stream.getProtocol() !== 'TLSv1.3') return 'unavailable';
      return stream.exportKeyingMaterial(32, bindingLabel, Buffer.alloc(0));
    } catch {
      // A connection that has just broken has no keys any more.
      return 'unavailable';
    }
  }

  certificate(): ShownCertificate | null {
    const stream = this.#stream;
    return stream instanceof TLSSocket && stream.authorized ? shownCertificate(stream.getPeerCertificate()) : null;
  }

  send(frame: Uint8Array): void {
    const webSocket = this.#webSocket;
    const stream = this.#stream;
    if (stream === null) return webSocket.send(frame, this.#sent);
    if (webSocket.readyState !== WebSocket.OPEN) return;
    // Without extensions `ws` keeps nothing back, so what is written beside it is in its place among what it writes itself.
    const framed = this.#isServer ? this.#framing.plain(frame) : this.#framing.masked(frame);
    // The callback tells that frames have left where the stream has no event of its own: for small ones.
    if (webSocket.bufferedAmount === 0) stream.write(framed);
    else stream.write(framed, this.#sent);
    if (this.#corked) return;
    // The first frame of a turn has left; what follows in this turn is gathered.
    this.#corked = true;
    stream.cork();
    nextTick(this.#uncork);
  }

  ping(): void {
    if (this.#webSocket.readyState === WebSocket.OPEN) this.#webSocket.ping();
  }

  pause(): void {
    this.#webSocket.pause();
  }

  resume(): void {
    this.#webSocket.resume();
  }

  admit(): void {
    this.#mayBring = Infinity;
    this.#stream?.off('data', this.#count);
  }

  close(code: number, reason: string): void {
    this.#webSocket.close(code, reason);
    if (code >= firstCodeOfError) this.#bound();
    const cancel = this.#setTimer(this.#closeTimeoutMs, () => this.#webSocket.terminate());
    this.#webSocket.on('close', cancel);
  }

  terminate(): void {
    this.#webSocket.terminate();
  }

  /** From now on only so much may come. Not where the runtime has no stream: there a frame of `maxFrameBytes` may come. */
  #bound(): void {
    if (this.#mayBring !== Infinity) return;
    this.#mayBring = unprovenBytes;
    this.#stream?.on('data', this.#count);
  }

  /** Hears of every chunk after `ws`, which has taken the whole frames out of it by then. */
  readonly #count = (chunk: Uint8Array): void => {
    this.#mayBring -= chunk.length;
    if (this.#mayBring >= 0) return;
    this.#stream?.off('data', this.#count);
    // Later, when `ws` has said what it finds wrong with the frame itself.
    this.#stream?.pause();
    setImmediate(this.#tooMuch);
  };

  readonly #tooMuch = (): void => {
    if (this.#webSocket.readyState === WebSocket.OPEN)
      this.events.malformed(`more than ${unprovenBytes} bytes came before the end of the hellos`);
    this.#webSocket.terminate();
  };

  /** Only the last ping of a turn is answered (RFC 6455, section 5.5.3), and none while much waits to be sent. */
  #answerSoon(data: Buffer): void {
    if (!thisRuntime.hasStreams) return;
    if (this.#ping === null) nextTick(this.#answer);
    this.#ping = data;
  }

  readonly #answer = (): void => {
    const ping = this.#ping ?? undefined;
    this.#ping = null;
    const webSocket = this.#webSocket;
    if (webSocket.readyState === WebSocket.OPEN && webSocket.bufferedAmount < mostBeforePong) webSocket.pong(ping);
  };

  readonly #sent = (): void => {
    if (this.#webSocket.bufferedAmount === 0) this.events.drained();
  };

  readonly #uncork = (): void => {
    this.#corked = false;
    this.#stream?.uncork();
  };

  #ended(code: number, reason: string): void {
    const error = this.#error;
    if (error === undefined) this.events.closed(code, reason);
    else if (error.code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH') {
      this.events.closed(
        closeCodes.FRAME_TOO_LARGE,
        'the peer sent a frame over maxFrameBytes: give all nodes the same',
        error,
      );
    } else if (error.code?.startsWith('WS_ERR_') === true) {
      this.events.closed(
        closeCodes.PROTOCOL_ERROR,
        `the peer sent what is no WebSocket frame: ${error.message}`,
        error,
      );
    } else this.events.closed(closeCodes.CONNECTION_LOST, `the connection broke: ${error.message}`, error);
  }
}

interface HttpRefusal {
  readonly status: number;
  readonly sentence: string;
}

function refusalOf({ url = '', headers }: IncomingMessage): HttpRefusal | null {
  if (url.split('?', 1)[0] !== path) return { status: 404, sentence: `Grapevine listens at ${path}` };
  if (headers.upgrade === undefined) return null;
  // Any page could otherwise reach a node on the same machine and pose as a peer. Nodes send no origin.
  if (headers.origin !== undefined) return { status: 403, sentence: 'Grapevine does not speak with pages in browsers' };
  const spoken = (headers['sec-websocket-protocol'] ?? '').split(',').map((protocol) => protocol.trim());
  if (!spoken.includes(subprotocol))
    return { status: 400, sentence: `the WebSocket subprotocol must be ${subprotocol}` };
  return null;
}

function refuseUpgrade(stream: Duplex, { status, sentence }: HttpRefusal): void {
  const body = `${sentence}\n`;
  stream.on('error', () => stream.destroy());
  stream.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\n` +
      `Content-Type: text/plain\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    () => stream.destroy(),
  );
}

/** TLS counts the time of its own handshake, before HTTP counts any: two minutes, where it is not told. */
function makeServer(timeouts: ServerOptions, handshakeTimeout: number, tls: TransportTls | null): Server | TlsServer {
  try {
    return tls === null
      ? createServer(timeouts)
      : createTlsServer({ ...timeouts, handshakeTimeout, ...withoutTickets(tls) });
  } catch (cause) {
    throw new GossipError('OPTIONS_INVALID', `'security.tls' does not serve to listen: ${(cause as Error).message}`, {
      cause,
    });
  }
}

/**
 * For the wildcard addresses, which lead everybody back to itself, the first address of this machine that others may reach: of
 * IPv4, which `::` serves as well, else of IPv6 where that is listened on. A link-local address leads nowhere without its zone,
 * which a URL cannot carry.
 */
function reachable(address: string): string {
  if (address !== '0.0.0.0' && address !== '::') return address;
  const found = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  const others = found.filter(({ internal }) => !internal);
  const four = others.find(({ family }) => family === 'IPv4');
  const six = others.find((other) => other.family === 'IPv6' && !/^fe[89ab]/i.test(other.address));
  return four?.address ?? (address === '::' ? six?.address : undefined) ?? '127.0.0.1';
}

/** @throws GossipError PORT_IN_USE, ADDRESS_UNAVAILABLE */
async function listening(
  server: Server,
  { host, port }: { readonly host: string; readonly port: number },
): Promise<void> {
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      // Workers of node:cluster would share the port, and peers would reach any of them at the address of one.
      server.listen({ host, port, exclusive: true }, () => {
        server.off('error', reject);
        resolve();
      });
    });
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const context = { host, port };
    if (code === 'EADDRINUSE') {
      throw new GossipError(
        'PORT_IN_USE',
        `port ${port} of ${host} is taken by another process, or by another worker of node:cluster: give each a port of its own, or 0 for a free one`,
        { context, cause },
      );
    }
    throw new GossipError('ADDRESS_UNAVAILABLE', `cannot listen on port ${port} of ${host}: ${message}`, {
      context,
      cause,
    });
  }
}
