/**
 * The floor: what the same work costs with nothing but `ws` and `msgpackr`, written by hand for speed.
 *
 * A full mesh; ids and values by turns in one array, values as records of msgpackr (their keys are told once a frame),
 * 2,000 updates a frame, encoded once and sent to everybody straight from the writer; a Map at the receiver, which reads
 * every value. No versions, nothing acknowledged, nothing repaired. A process that connects later is streamed the Map of
 * the one that it dials, in the same frames.
 */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { WebSocket, WebSocketServer } from 'ws';
import { Arrived, type Contestant, type Grew, type Setup, serve } from './contestant.ts';
import { frames, readFrame, type Updates } from './record-frames.ts';

const FRAME_UPDATES = 2000;

class Floor implements Contestant {
  #arrived = new Arrived(() => {});
  readonly #peers = new Set<WebSocket>();
  #met: () => void = () => {};

  async start({ peers }: Setup, grew: Grew): Promise<string> {
    this.#arrived = new Arrived(grew);
    const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false });
    server.on('connection', (socket) => {
      this.#meet(socket);
      for (const frame of frames(this.#arrived.updates(), FRAME_UPDATES)) socket.send(frame);
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
    const updates: Updates = [];
    for (let n = first; n < first + count; n++) updates.push(`k${n}`, { value: n });
    for (const frame of frames(updates, FRAME_UPDATES)) for (const peer of this.#peers) peer.send(frame);
  }

  remove(): void {
    throw new Error('The floor has no removals.');
  }

  sum(): number {
    return this.#arrived.sum();
  }

  #meet(socket: WebSocket): void {
    this.#peers.add(socket);
    socket.on('message', (data) => this.#arrived.take(readFrame(data as Buffer)));
    this.#met();
  }
}

serve(new Floor());
