/**
 * One who speaks with a node byte by byte: over TCP, over a WebSocket before, within and after the handshake.
 *
 * Source: docs/wire.md, "Hello" and "Keys"; RFC 6455.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { type RawData, WebSocket } from 'ws';
import { Decoder, encodeChannel, encodeHello, Encoder, type Hello, type Incoming, nonceBytes } from '@grapevine/wire';
import { closeCodes } from '@grapevine/transport';
import { nextEpoch } from '../attacks/member.ts';
import { aHello, proofOf } from '../attacks/strangers.ts';
import type { Conversation, Opening } from './script.ts';

export interface Called {
  readonly url: string;
  /** Of the node; who has none of it gets no further than `proof`. */
  readonly key: Uint8Array;
}

const nameOfCode: ReadonlyMap<number, string> = new Map(Object.entries(closeCodes).map(([name, code]) => [code, name]));

/** Of version 1, which seals nothing: a mutated frame that is sealed anew would be read, and one that is not would end it. */
export function helloOf(name: string, nonce: Uint8Array, change: Partial<Hello> = {}): Uint8Array {
  return encodeHello(aHello({ name, nonce, versions: { min: 1, max: 1 }, ...change }));
}

export class Caller {
  readonly heard: Buffer[] = [];
  readonly #socket: WebSocket;
  #end: string | null = null;
  #noticed: () => void = () => {};

  private constructor(url: string) {
    this.#socket = new WebSocket(`${url}/grapevine`, 'grapevine.1', { perMessageDeflate: false });
    this.#socket.on('message', (data: RawData) => {
      this.heard.push(Buffer.from(data as Buffer));
      this.#noticed();
    });
    this.#socket.on('pong', () => this.#noticed());
    this.#socket.on('error', () => {});
    this.#socket.on('close', (code: number) => {
      this.#end = nameOfCode.get(code) ?? String(code);
      this.#noticed();
    });
  }

  /**
   * @param opening how far the handshake goes before this returns; not `tcp`
   * @returns one who may have been let go already
   */
  static async open({ url, key }: Called, opening: Opening, name: string = 'caller'): Promise<Caller> {
    const caller = new Caller(url);
    await Promise.race([once(caller.#socket, 'open'), once(caller.#socket, 'close')]);
    if (opening === 'hello') return caller;
    const ours = helloOf(name, Buffer.alloc(nonceBytes, 7), { epoch: nextEpoch() });
    caller.send(ours);
    await caller.#until(() => caller.heard.length >= 1);
    if (opening === 'proof' || caller.#end !== null) return caller;
    caller.send(proofOf(key, 'dialler', { dialler: ours, acceptor: caller.heard[0] as Buffer, version: 1 }));
    await caller.#until(() => caller.heard.length >= 2);
    if (opening === 'session') caller.send(new Uint8Array(0));
    return caller;
  }

  /** How the node let him go; null: it has not. */
  get end(): string | null {
    return this.#end;
  }

  send(frame: Uint8Array): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(frame);
  }

  /** @returns once the node has read what was sent, as far as the handshake goes, or let him go */
  async read(): Promise<void> {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.ping();
    const ponged = Promise.race([once(this.#socket, 'pong'), once(this.#socket, 'close')]);
    if (this.#end === null) await ponged;
  }

  /** @returns once the links have read it too, or let him go: asks who is there, and waits for the answer */
  async answered(): Promise<void> {
    const decoder = new Decoder();
    let at = 2;
    this.send(encodeChannel({ channel: WHO_CHANNEL, instance: '$membership', protocol: 'swim', newestEpochOfYou: 0 }));
    this.send(new Encoder().encode(WHO_CHANNEL, { type: 'custom', body: [7] }).bytes);
    await this.#until(() => {
      while (at < this.heard.length) if (isSync(decoder.decode(this.heard[at++] as Buffer))) return true;
      return false;
    });
  }

  async close(): Promise<void> {
    const closed = once(this.#socket, 'close');
    if (this.#end !== null) return;
    this.#socket.terminate();
    await closed;
  }

  async #until(holds: () => boolean): Promise<void> {
    while (!holds() && this.#end === null)
      await new Promise<void>((resolve) => {
        this.#noticed = resolve;
      });
  }
}

/** One that nobody else takes. */
const WHO_CHANNEL = 65_535;

function isSync(incoming: Incoming | null): boolean {
  const body = incoming?.type === 'gossip' && incoming.message.type === 'custom' ? incoming.message.body : undefined;
  return Array.isArray(body) && body[0] === 6;
}

/**
 * Sends bytes over TCP and no more.
 * @returns what the node answered at last: `HTTP` with the status, the name of a close code, or `CONNECTION_LOST`
 */
export async function callByTcp(url: string, pieces: readonly Uint8Array[]): Promise<string> {
  const { hostname, port } = new URL(url);
  const socket: Socket = connect({ host: hostname, port: Number(port) });
  const heard: Buffer[] = [];
  socket.on('data', (data) => heard.push(data));
  socket.on('error', () => {});
  const closed = once(socket, 'close');
  socket.once('connect', () => {
    for (const piece of pieces) socket.write(piece);
    socket.end();
  });
  await closed;
  return outcomeOf(Buffer.concat(heard));
}

function outcomeOf(answer: Buffer): string {
  const text = answer.toString('latin1');
  const status = /^HTTP\/1\.1 (\d+)/.exec(text)?.[1];
  if (status === undefined) return 'CONNECTION_LOST';
  if (status !== '101') return `HTTP ${status}`;
  const code = closeCodeIn(answer.subarray(text.indexOf('\r\n\r\n') + 4));
  return code === undefined ? 'CONNECTION_LOST' : (nameOfCode.get(code) ?? String(code));
}

/** @param frames of a server: not masked, and none of them long */
function closeCodeIn(frames: Buffer): number | undefined {
  for (let at = 0; at + 4 <= frames.length;) {
    const short = (frames[at + 1] as number) & 0x7f;
    if (frames[at] === 0x88) return frames.readUInt16BE(at + 2);
    at += short < 126 ? 2 + short : 4 + frames.readUInt16BE(at + 2);
  }
  return undefined;
}

/** Plays a conversation. @returns `stays`, or the name of the code it was ended with */
export async function play(called: Called, { opening, frames }: Conversation): Promise<string> {
  if (opening === 'tcp') return callByTcp(called.url, frames);
  const caller = await Caller.open(called, opening);
  try {
    for (const frame of frames) caller.send(frame);
    await caller.read();
    if (opening === 'session') await caller.answered();
    return caller.end ?? 'stays';
  } finally {
    await caller.close();
  }
}
