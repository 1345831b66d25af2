/**
 * Redis pub/sub: each process has two connections to a server, one that publishes and one that is subscribed; a Map at the
 * receiver, which reads every value. Redis keeps nothing, so a process that comes later gets nothing.
 *
 * `batched`: 500 updates a message, in the frames of the floor. `single`: a message for each, as programs publish.
 */
import { Redis } from 'ioredis';
import { Arrived, type Contestant, type Grew, type Setup, serve } from './contestant.ts';
import { frames, readFrame, type Updates } from './record-frames.ts';

const MESSAGE_UPDATES = { batched: 500, single: 1 } as const;
const CHANNEL = 'updates';

class RedisPeer implements Contestant {
  #arrived = new Arrived(() => {});
  #publisher: Redis | null = null;
  #messageUpdates = 1;
  #index = 0;

  async start({ index, protocol, peers }: Setup, grew: Grew): Promise<string> {
    this.#index = index;
    this.#arrived = new Arrived(grew);
    this.#messageUpdates = MESSAGE_UPDATES[protocol as keyof typeof MESSAGE_UPDATES];
    const [url = ''] = peers;
    const publisher = new Redis(url);
    this.#publisher = publisher;
    await publisher.ping();
    // What a process publishes comes back to it if it is subscribed, and the writer of the floor keeps nothing either.
    if (index === 0) return url;
    const subscriber = new Redis(url);
    subscriber.on('messageBuffer', (_channel: Buffer, message: Buffer) => this.#arrived.take(readFrame(message)));
    await subscriber.subscribe(CHANNEL);
    return url;
  }

  /** Whoever has started is connected; the writer looks whether all others are. */
  async connected(count: number): Promise<void> {
    if (this.#index !== 0) return;
    const subscribed = (await this.#publisher?.pubsub('NUMSUB', CHANNEL)) as [string, number] | undefined;
    if (Number(subscribed?.[1]) !== count) throw new Error(`Redis has ${subscribed?.[1]} subscribers, not ${count}.`);
  }

  add(first: number, count: number): void {
    const updates: Updates = [];
    for (let n = first; n < first + count; n++) updates.push(`k${n}`, { value: n });
    for (const message of frames(updates, this.#messageUpdates)) void this.#publisher?.publish(CHANNEL, message);
  }

  remove(): void {
    throw new Error('Pub/sub has no removals.');
  }

  sum(): number {
    return this.#arrived.sum();
  }
}

serve(new RedisPeer());
