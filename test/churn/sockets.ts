/**
 * The open sockets of this process, to break some: without a goodbye, by a reset.
 */
import { subscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';

export class Sockets {
  readonly #open = new Set<Socket>();
  #broken = 0;

  /** Knows those that are opened from now on: make it before anything that opens one. */
  constructor() {
    const follow = (message: unknown): void => {
      const { socket } = message as { socket: Socket };
      this.#open.add(socket);
      socket.once('close', () => this.#open.delete(socket));
    };
    subscribe('net.client.socket', follow);
    subscribe('net.server.socket', follow);
  }

  get open(): number {
    return this.#open.size;
  }

  get broken(): number {
    return this.#broken;
  }

  /** Resets one. */
  breakOne(random: () => number): void {
    const socket = [...this.#open][Math.floor(random() * this.#open.size)];
    if (socket === undefined || socket.connecting) return;
    this.#broken++;
    socket.resetAndDestroy();
  }
}
