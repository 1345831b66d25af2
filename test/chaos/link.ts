/**
 * A connection through the proxy of its listener: two pipes, and who is at each end.
 *
 * Invariant: nothing but the heads of HTTP passes before the dialler has said its name and was judged.
 */
import { connect, type Socket } from 'node:net';

import { diallerOf } from './first-frame.ts';
import { Pipe } from './pipe.ts';

/** What the network does to a connection. */
export type Weather = 'refused' | { readonly holds: boolean; readonly delayMs: number };

export class Link {
  readonly listener: string;
  /** `null` until it has said its name. */
  dialler: string | null = null;
  readonly #sockets: readonly [dialler: Socket, listener: Socket];
  readonly #up: Pipe;
  readonly #down: Pipe;

  constructor(
    { listener, socket, port, host }: { listener: string; socket: Socket; port: number; host: string },
    { named, closed }: { readonly named: (link: Link) => void; readonly closed: (link: Link) => void },
  ) {
    this.listener = listener;
    const inner = connect({ port, host, allowHalfOpen: true, noDelay: true });
    this.#sockets = [socket, inner];
    this.#up = new Pipe(socket, inner, () => this.#identify(named));
    this.#down = new Pipe(inner, socket);
    for (const each of this.#sockets) {
      each.on('end', () => {
        // Nobody would end the half that is swallowed, and nobody waits for one that has no name yet.
        if (this.#up.swallows || this.#down.swallows) each.destroy();
        else if (this.dialler === null) this.reset();
      });
      each.on('close', () => {
        if (this.dialler === null) this.reset();
        if (this.#sockets.every(({ destroyed }) => destroyed)) closed(this);
      });
    }
  }

  /** Whether it connects these two. */
  connects(a: string, b: string): boolean {
    return (this.dialler === a && this.listener === b) || (this.dialler === b && this.listener === a);
  }

  set(weather: Weather): void {
    if (weather === 'refused') return this.reset();
    this.#up.set(weather);
    this.#down.set(weather);
  }

  /** Both ends see a reset at once. */
  reset(): void {
    this.#up.end();
    this.#down.end();
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  /** What this node sends arrives nowhere from now on, and neither end is told. */
  swallowFrom(name: string): void {
    (this.dialler === name ? this.#up : this.#down).swallow();
  }

  #identify(named: (link: Link) => void): void {
    if (this.dialler !== null) return;
    try {
      this.dialler = diallerOf(this.#up.held);
    } catch {
      return this.reset();
    }
    if (this.dialler !== null) named(this);
  }
}
