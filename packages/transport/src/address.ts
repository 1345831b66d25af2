/**
 * Addresses of peers, and the doorstep: what one address may occupy before it has said anything.
 *
 * Invariants
 *  1. A stream that is one too many is destroyed as it comes, before a byte of it is read: no memory but the kernel's.
 *  2. Whoever holds an IPv6 network of 64 bits has all of its addresses: they count as one.
 *
 * Source: RFC 4291, section 2.5.4, for the 64 bits.
 */
import type { Server, Socket } from 'node:net';
import type { ResolvedOptions } from './options.ts';

/** Beyond what the gate lets in: so many more may be on their way to be told why they are refused. */
const toBeTold = 64;

type DoorstepOptions = Pick<ResolvedOptions, 'maxConnections' | 'maxConnectionsPerAddress' | 'maxHandshakes'>;

/** What of a stream's address tells it from others; null where there is none. */
export function addressOf({ remoteAddress }: Pick<Socket, 'remoteAddress'>): string | null {
  if (typeof remoteAddress !== 'string') return null;
  // IPv4, perhaps as IPv6 has it.
  if (remoteAddress.includes('.')) return remoteAddress.slice(remoteAddress.lastIndexOf(':') + 1);
  const [head = '', tail] = remoteAddress.split('%', 1).join('').split('::', 2);
  const groups = head === '' ? [] : head.split(':');
  if (tail === undefined) return `${groups.slice(0, 4).join(':')}::/64`;
  const last = tail === '' ? [] : tail.split(':');
  while (groups.length + last.length < 8) groups.push('0');
  return `${[...groups, ...last].slice(0, 4).join(':')}::/64`;
}

export class Doorstep {
  readonly #limit: number;
  readonly #limitOfAll: number;
  readonly #counts = new Map<string, number>();

  constructor({ maxConnections, maxConnectionsPerAddress, maxHandshakes }: DoorstepOptions) {
    this.#limit = maxConnectionsPerAddress + toBeTold;
    this.#limitOfAll = maxConnections + maxHandshakes + toBeTold;
  }

  watch(server: Server): void {
    server.maxConnections = this.#limitOfAll;
    server.on('connection', (stream: Socket) => {
      const address = addressOf(stream);
      if (address === null) return;
      const count = (this.#counts.get(address) ?? 0) + 1;
      if (count > this.#limit) {
        stream.destroy();
        return;
      }
      this.#counts.set(address, count);
      stream.once('close', () => this.#left(address));
    });
  }

  #left(address: string): void {
    const count = (this.#counts.get(address) as number) - 1;
    if (count === 0) this.#counts.delete(address);
    else this.#counts.set(address, count);
  }
}
