/**
 * What a process has used so far: CPU, bytes sent and heap.
 *
 * Bytes are read off the operating system's sockets, WebSocket and HTTP framing included, in the same way for whoever
 * opens them: Node announces every socket on a diagnostics channel.
 */
import { subscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';

export interface Reading {
  /** User and system time of this process, in milliseconds. */
  readonly cpuMs: number;
  /** Bytes handed to sockets. */
  readonly bytesOut: number;
}

export class Meter {
  readonly #sockets = new Set<Socket>();
  #closedBytes = 0;

  /** Counts the sockets opened from now on: make the meter before anything that opens one. */
  constructor() {
    const follow = (message: unknown): void => this.#follow((message as { socket: Socket }).socket);
    subscribe('net.client.socket', follow);
    subscribe('net.server.socket', follow);
  }

  read(): Reading {
    const { user, system } = process.cpuUsage();
    let bytesOut = this.#closedBytes;
    for (const socket of this.#sockets) bytesOut += socket.bytesWritten;
    return { cpuMs: (user + system) / 1e3, bytesOut };
  }

  #follow(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once('close', () => {
      this.#sockets.delete(socket);
      this.#closedBytes += socket.bytesWritten;
    });
  }
}

/**
 * Bytes alive on the heap and beside it, after full collections.
 * Needs `--expose-gc`; without it the garbage is counted too.
 */
export function heapBytes(): number {
  for (let round = 0; round < 3; round++) globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
