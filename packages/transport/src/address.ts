/**
 * Addresses of peers, and the doorstep: what one address may occupy before it has said anything.
 *
 * Invariants
 *  1. Where there is one too many, the oldest that is not yet a WebSocket gives way: of the same address, or of the address
 *     with most of them. Where there is none, the newest is destroyed before a byte of it is read.
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
  /** Streams that are not yet WebSockets, by address and by port, the oldest first. */
  readonly #young = new Map<string, Map<number, Socket>>();
  #all = 0;

  constructor({ maxConnections, maxConnectionsPerAddress, maxHandshakes }: DoorstepOptions) {
    this.#limit = maxConnectionsPerAddress + toBeTold;
    this.#limitOfAll = maxConnections + maxHandshakes + toBeTold;
  }

  watch(server: Server): void {
    server.on('connection', (stream: Socket) => {
      const address = addressOf(stream);
      const port = stream.remotePort;
      if (address === null || port === undefined) return;
      const count = (this.#counts.get(address) ?? 0) + 1;
      if (
        (count > this.#limit && !this.#giveWay(address)) ||
        (this.#all + 1 > this.#limitOfAll && !this.#giveWay(this.#busiest()))
      ) {
        stream.destroy();
        return;
      }
      this.#counts.set(address, (this.#counts.get(address) ?? 0) + 1);
      this.#all++;
      const young = this.#young.get(address) ?? new Map<number, Socket>();
      this.#young.set(address, young.set(port, stream));
      stream.once('close', () => {
        this.#grown(address, port, stream);
        this.#left(address);
      });
    });
  }

  /** The stream is a WebSocket from now on, which the gate watches. @param stream perhaps the TLS stream over it */
  passed(stream: Pick<Socket, 'remoteAddress' | 'remotePort'>): void {
    const address = addressOf(stream);
    if (address !== null && stream.remotePort !== undefined) this.#grown(address, stream.remotePort);
  }

  /** The oldest stream of the address that is not yet a WebSocket ends. @returns whether there was one */
  #giveWay(address: string | null): boolean {
    if (address === null) return false;
    for (const [port, stream] of this.#young.get(address) ?? []) {
      this.#grown(address, port);
      stream.destroy();
      return true;
    }
    return false;
  }

  /** The address with the most streams that are not yet WebSockets. */
  #busiest(): string | null {
    let busiest: string | null = null;
    let most = 0;
    for (const [address, { size }] of this.#young) if (size > most) [busiest, most] = [address, size];
    return busiest;
  }

  /** @param stream only this one, where the port may be that of a later one */
  #grown(address: string, port: number, stream?: Socket): void {
    const young = this.#young.get(address);
    if (young === undefined || (stream !== undefined && young.get(port) !== stream)) return;
    young.delete(port);
    if (young.size === 0) this.#young.delete(address);
  }

  #left(address: string): void {
    this.#all--;
    const count = (this.#counts.get(address) as number) - 1;
    if (count === 0) this.#counts.delete(address);
    else this.#counts.set(address, count);
  }
}
