/**
 * Strangers: they speak the protocol byte by byte over real sockets, as who dials, who is dialled, and who stands on the way.
 *
 * Nothing of the transport is used here: what a stranger says is made by docs/wire.md alone.
 *
 * Invariants
 *  1. What a stranger hears, and how its connection ends, is kept as it came.
 *  2. Bytes are those of the TCP connection, of HTTP, TLS and WebSocket all that they add.
 *  3. `end` leaves no socket behind.
 */
import { createHash, createHmac, type KeyObject, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';
import { decodeHello, encodeHello, type Hello } from '@grapevine/wire';
import { type RawData, WebSocket, WebSocketServer } from 'ws';
import { type Role, Sealing } from './sealing.ts';

export type Way = 'to' | 'fro';

const subprotocol = 'grapevine.1';

export interface StrangerOptions {
  /** The address to come from, of this machine. @default the system's choice */
  readonly from?: string | undefined;
  /** Of the TLS connection, for `wss:`. */
  readonly tls?: ConnectionOptions;
  /** Whether it answers pings. @default true */
  readonly autoPong?: boolean;
}

/** One who dials. */
export class Stranger {
  /** The frames, oldest first. */
  readonly heard: Buffer[] = [];
  /** The close code and its sentence; 1006 where there was none. */
  readonly closed: Promise<string>;
  /** When it began to dial, in milliseconds of `performance.now`. */
  readonly cameAt: number = performance.now();
  /** What went wrong below the WebSocket: a code of Node.js or OpenSSL; null when nothing did. */
  failure: string | null = null;
  readonly socket: WebSocket;
  /** The TCP connection below. */
  readonly stream: Socket;
  /** Seals what is said, and opens what is heard, once both have proven themselves in version 2. */
  #seals: { readonly out: Sealing; readonly in: Sealing } | null = null;

  constructor(url: string, { from, tls = {}, autoPong = true }: StrangerOptions = {}) {
    const { hostname: host, port, protocol } = new URL(url);
    const stream = connectTcp({ host, port: Number(port), ...(from === undefined ? {} : { localAddress: from }) });
    this.stream = stream.setNoDelay(true);
    this.socket = new WebSocket(`${url}/grapevine`, subprotocol, {
      perMessageDeflate: false,
      autoPong,
      createConnection: () =>
        protocol === 'wss:' ? connectTls({ rejectUnauthorized: false, ...tls, socket: stream }) : stream,
    });
    this.socket.on('message', (data) => this.heard.push(bytesOf(data)));
    this.socket.on('error', (error: NodeJS.ErrnoException) => {
      this.failure ??= error.code ?? error.message;
    });
    this.closed = new Promise((resolve) => {
      this.socket.on('close', (code, reason) => resolve(`${code} ${reason.toString()}`));
    });
  }

  /** Waits until it is connected, or was not let in. */
  async open(): Promise<this> {
    if (this.socket.readyState === WebSocket.CONNECTING) await Promise.race([once(this.socket, 'open'), this.closed]);
    return this;
  }

  /** Waits until it has heard so many. @throws when it was closed before */
  async frames(count: number): Promise<void> {
    let end: string | undefined;
    void this.closed.then((how) => (end = how));
    while (this.heard.length < count) {
      await Promise.race([new Promise((resolve) => void this.socket.once('message', resolve)), this.closed]);
      if (end !== undefined && this.heard.length < count) throw new Error(`closed before ${count} frames came: ${end}`);
    }
  }

  /** Says hello with these words, and proves itself by this key, correctly. @returns both frames */
  async prove(hello: Hello, by: KeyObject): Promise<readonly Uint8Array[]> {
    const dialler = this.greet(hello);
    await this.frames(1);
    const acceptor = this.heard[0] as Buffer;
    const version = Math.min(hello.versions.max, helloIn(acceptor).versions.max);
    const proof = proofOf(by, 'dialler', { dialler, acceptor, version });
    this.socket.send(proof);
    // Over TLS the proof would bear a binding, and this stranger's does not.
    if (version >= 2)
      this.#seals = {
        out: new Sealing(by, 'dialler', { dialler, acceptor, version }),
        in: new Sealing(by, 'acceptor', { dialler, acceptor, version }),
      };
    return [dialler, proof];
  }

  /** Says one frame, sealed where that is due. */
  say(frame: Uint8Array): void {
    this.socket.send(this.#seals === null ? frame : this.#seals.out.seal(frame));
  }

  /** Ends the connection as a node does: by a sealed word, where that is due, and a close frame. */
  close(code: number): void {
    if (this.#seals !== null) this.say(Buffer.of(0xc1, code >> 8, code & 0xff));
    this.socket.close(code);
  }

  /** Opens a frame that was heard behind the proofs. Each is to be opened once, in order. */
  unseal(frame: Buffer): Buffer {
    return this.#seals === null ? frame : this.#seals.in.open(frame);
  }

  /** Says hello. @returns the frame */
  greet(hello: Hello): Uint8Array {
    const said = encodeHello(hello);
    this.socket.send(said);
    return said;
  }
}

export interface OnTheWayOptions {
  /** Where to stand. @default a free port */
  readonly port?: number;
  /** Of the connections to those beyond. */
  readonly options?: StrangerOptions;
  /** Told of every connection to those beyond. */
  readonly met?: (far: Stranger) => void;
}

/** All strangers of one test or one attack. */
export class Strangers {
  readonly #ends: (() => Promise<void> | void)[] = [];

  /** Dials. @returns once it is connected, or was not let in */
  dial(url: string, options?: StrangerOptions): Promise<Stranger> {
    const stranger = new Stranger(url, options);
    this.#ends.push(() => stranger.socket.terminate());
    return stranger.open();
  }

  /** Says hello with these words, and proves itself by this key, correctly. */
  async speak(url: string, hello: Hello, by: KeyObject, options?: StrangerOptions): Promise<Stranger> {
    const stranger = await this.dial(url, options);
    await stranger.prove(hello, by);
    return stranger;
  }

  /** Listens, and says what the caller has it say. @param port @default a free one @returns its URL */
  async serve(connected: (socket: WebSocket, stream: Socket) => void, port: number = 0): Promise<string> {
    const server = new WebSocketServer({ port, host: '127.0.0.1', handleProtocols: () => subprotocol });
    server.on('connection', (socket, { socket: stream }) => {
      socket.on('error', () => {});
      connected(socket, stream);
    });
    this.#ends.push(async () => {
      for (const socket of server.clients) socket.terminate();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    });
    await once(server, 'listening');
    return `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  /** Stands on the way to `url`: every frame goes through `change`, which answers what is passed on in its place. */
  onTheWay(
    url: string,
    change: (way: Way, index: number, frame: Buffer) => readonly Uint8Array[],
    { port = 0, options, met = (): void => {} }: OnTheWayOptions = {},
  ): Promise<string> {
    return this.serve((near) => {
      const stranger = new Stranger(url, options);
      const far = stranger.socket;
      const opened = once(far, 'open').catch(() => {});
      const pass = (from: WebSocket, to: WebSocket, way: Way): void => {
        let index = 0;
        from.on('message', (data) => {
          const frames = change(way, index++, bytesOf(data));
          void opened.then(() => frames.forEach((frame) => to.send(frame)));
        });
        from.on('close', (code, reason) => {
          void opened.then(() => (code >= 4000 || code === 1000 ? to.close(code, reason) : to.terminate()));
        });
      };
      pass(near, far, 'to');
      pass(far, near, 'fro');
      this.#ends.push(() => far.terminate());
      met(stranger);
    }, port);
  }

  async end(): Promise<void> {
    for (const end of this.#ends.splice(0)) await end();
  }
}

export function bytesOf(data: RawData): Buffer {
  return Buffer.from(data as Buffer);
}

export function aHello(change: Partial<Hello> = {}): Hello {
  return {
    versions: { min: 1, max: 2 },
    cluster: 'default',
    name: 'stranger',
    epoch: 1,
    url: null,
    capabilities: [],
    nonce: Uint8Array.from(randomBytes(32)),
    ...change,
  };
}

export function helloIn(frame: Uint8Array): Hello {
  const decoded = decodeHello(frame);
  if ('problem' in decoded) throw new Error(decoded.problem);
  return decoded.hello;
}

/** The proof over a plain connection, by docs/wire.md, "Keys". @param hellos as they were on the wire */
export function proofOf(
  key: KeyObject | Uint8Array,
  role: Role,
  {
    dialler,
    acceptor,
    version = 2,
  }: { readonly dialler: Uint8Array; readonly acceptor: Uint8Array; readonly version?: number },
): Uint8Array {
  const digest = (hello: Uint8Array): Buffer => createHash('sha256').update(hello).digest();
  return createHmac('sha256', key)
    .update('grapevine proof 1')
    .update(Buffer.of(role === 'dialler' ? 1 : 2, 0, 0, 0, version, 0))
    .update(digest(dialler))
    .update(digest(acceptor))
    .digest();
}
