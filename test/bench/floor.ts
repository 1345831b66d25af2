/**
 * The floor: what the same work costs with nothing but `ws` and `msgpackr`.
 *
 * A full mesh; tuples [id, value, stamp, origin, sequence], 2,000 a frame, encoded once and sent to everybody straight
 * from the writer; a Map at the receiver. No versions compared, nothing acknowledged, nothing repaired. Who connects
 * later is streamed the Map of whom it dials, in the same frames.
 */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { pack, unpack } from 'msgpackr';
import { WebSocket, WebSocketServer } from 'ws';
import { type Contestant, type Setup, serve } from './contestant.ts';

const FRAME_UPDATES = 2000;

type Tuple = [id: string, value: { value: number }, stamp: number, origin: string, sequence: number];

function* frames(tuples: readonly Tuple[]): IterableIterator<Buffer> {
  for (let start = 0; start < tuples.length; start += FRAME_UPDATES)
    yield pack(tuples.slice(start, start + FRAME_UPDATES));
}

class Floor implements Contestant {
  readonly #held = new Map<string, Tuple>();
  readonly #peers = new Set<WebSocket>();
  #index = 0;
  #sequence = 0;
  #grew: (held: number) => void = () => {};
  #met: () => void = () => {};

  async start({ index, peers }: Setup, grew: (held: number) => void): Promise<string> {
    this.#index = index;
    this.#grew = grew;
    const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false });
    server.on('connection', (socket) => {
      this.#meet(socket);
      for (const frame of frames([...this.#held.values()])) socket.send(frame);
    });
    await once(server, 'listening');
    for (const url of peers) {
      const socket = new WebSocket(url, { perMessageDeflate: false });
      socket.on('open', () => this.#meet(socket));
    }
    return `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  async connected(count: number): Promise<void> {
    while (this.#peers.size < count)
      await new Promise<void>((resolve) => {
        this.#met = resolve;
      });
  }

  add(first: number, count: number): void {
    const origin = `n${this.#index}`;
    const tuples: Tuple[] = [];
    for (let n = first; n < first + count; n++)
      tuples.push([`k${n}`, { value: n }, Date.now(), origin, ++this.#sequence]);
    for (const frame of frames(tuples)) for (const peer of this.#peers) peer.send(frame);
  }

  remove(): void {
    throw new Error('The floor has no removals.');
  }

  sum(): number {
    let sum = 0;
    for (const [, { value }] of this.#held.values()) sum += value;
    return sum;
  }

  #meet(socket: WebSocket): void {
    this.#peers.add(socket);
    socket.on('message', (data) => this.#take(unpack(data as Buffer) as Tuple[]));
    this.#met();
  }

  #take(tuples: readonly Tuple[]): void {
    for (const tuple of tuples) this.#held.set(tuple[0], tuple);
    this.#grew(this.#held.size);
  }
}

serve(new Floor());
