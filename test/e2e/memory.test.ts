/** The most memory that a node can use: hostile peers drive one there, and it stays below the formula of docs/operations.md. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { afterEach, describe, expect, test } from '@jest/globals';
import { type Message, Origin, STAMP_EPOCH_MS, Update } from '@grapevine/core';
import { Encoder, encodeChannel, encodeHello, protocolVersions, Told } from '@grapevine/wire';
import { WebSocket } from 'ws';

const root = join(__dirname, '../..');
const MIB = 1024 * 1024;

const options = {
  maxIds: 20_000,
  maxBytes: 8 * MIB,
  maxOrigins: 2000,
  maxConnections: 10,
  maxHandshakes: 8,
  maxFrameBytes: 2 * MIB,
};

/** As docs/operations.md has it. */
const most = (o: typeof options): number =>
  64 * MIB +
  (2 * o.maxBytes + 800 * o.maxIds + 1500 * o.maxOrigins + 128 * MIB) +
  o.maxConnections * (96 * MIB + 4 * o.maxFrameBytes) +
  o.maxHandshakes * (o.maxFrameBytes + MIB / 16);

interface Report {
  readonly peakBytes: number;
  readonly status: Record<'ids' | 'tombstones' | 'bytes' | 'origins' | 'refused', number>;
  readonly links: readonly { readonly peer: string }[];
}

/** What the victim's process runs. */
const program = `
import { createGrapevine } from 'grapevine';
const { maxIds, maxBytes, maxOrigins, ...node } = ${JSON.stringify(options)};
const grapevine = await createGrapevine({ name: 'victim', listen: { port: 0 }, peers: [], logger: false, ...node });
const gossip = grapevine.gossip('grapevine', { maxIds, maxBytes, maxOrigins });
let peakBytes = 0;
const look = () => {
  gc();
  const { heapUsed, external } = process.memoryUsage();
  peakBytes = Math.max(peakBytes, heapUsed + external);
};
setInterval(look, 200);
console.log(JSON.stringify({ url: grapevine.status().url }));
process.stdin.on('data', async () => {
  await gossip.remove('own').catch(() => {});
  look();
  console.log(JSON.stringify({ peakBytes, status: gossip.status(), links: grapevine.status().links }));
});
`;

let child: ChildProcessWithoutNullStreams | undefined;
const clients: (WebSocket | Socket)[] = [];
afterEach(() => {
  for (const client of clients.splice(0))
    if (client instanceof WebSocket) client.terminate();
    else client.destroy();
  child?.kill('SIGKILL');
});

class Victim {
  readonly #lines: AsyncIterableIterator<string>;
  readonly #child: ChildProcessWithoutNullStreams;
  complaints = '';
  url = '';

  constructor() {
    this.#child = spawn(process.execPath, ['--expose-gc', '--input-type=module', '-e', program], { cwd: root });
    child = this.#child;
    this.#child.stderr.on('data', (chunk: Buffer) => {
      this.complaints += chunk.toString();
    });
    const lines: Interface = createInterface({ input: this.#child.stdout });
    this.#lines = lines[Symbol.asyncIterator]();
  }

  async #next(): Promise<unknown> {
    const { value, done } = await this.#lines.next();
    if (done === true) throw new Error(`the victim has ended: ${this.complaints}`);
    return JSON.parse(value) as unknown;
  }

  async start(): Promise<void> {
    ({ url: this.url } = (await this.#next()) as { url: string });
  }

  async report(): Promise<Report> {
    this.#child.stdin.write('\n');
    return (await this.#next()) as Report;
  }

  async until(holds: (report: Report) => boolean): Promise<Report> {
    for (;;) {
      const report = await this.report();
      if (holds(report)) return report;
      await new Promise((resolve) => void setTimeout(resolve, 100));
    }
  }
}

/** A proven peer that says what it likes. */
class Liar {
  readonly client: WebSocket;
  readonly #encoder = new Encoder();
  readonly #told = new Told();

  constructor(client: WebSocket) {
    this.client = client;
  }

  static async at({ url }: Victim, name: string): Promise<Liar> {
    const client = new WebSocket(`${url}/grapevine`, 'grapevine.1');
    clients.push(client);
    client.on('error', () => {});
    await once(client, 'open');
    const hello = { versions: protocolVersions, cluster: 'default', name, epoch: 1, url: null, capabilities: [] };
    client.send(encodeHello(hello));
    await once(client, 'message');
    client.send(new Uint8Array(0));
    client.send(encodeChannel({ channel: 1, instance: 'grapevine', protocol: 'hybrid', newestEpochOfYou: 0 }));
    return new Liar(client);
  }

  async say(message: Message): Promise<void> {
    const frame = this.#encoder.encode(1, message);
    const origins = this.#told.missing(frame);
    if (origins !== undefined) this.client.send(origins);
    this.client.send(frame.bytes);
    while (this.client.readyState === WebSocket.OPEN && this.client.bufferedAmount > MIB)
      await new Promise((resolve) => void setTimeout(resolve, 5));
  }

  async tell(updates: readonly Update[]): Promise<void> {
    for (let i = 0; i < updates.length; i += 500)
      await this.say({ type: 'updates', cause: 'mail', updates: updates.slice(i, i + 500) });
  }
}

const stamp = (aheadMs = 0): number => (Date.now() + aheadMs - STAMP_EPOCH_MS) * 4096;
const value = (bytes: number): string => `\xc5${String.fromCharCode(bytes >> 8, bytes & 255)}${'x'.repeat(bytes)}`;
const many = <T>(count: number, make: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i));

/** What each does to the victim. */
const hostilities: Readonly<Record<string, (liar: Liar) => Promise<void>>> = {
  'more ids and bytes than there is room for': async (liar) => {
    const origin = new Origin('filler', 1);
    await liar.tell(many(60_000, (i) => new Update(`id${i}`, value(300), stamp(), origin, i + 1, undefined)));
  },
  'removals of what was never there': async (liar) => {
    const origin = new Origin('remover', 1);
    await liar.tell(many(60_000, (i) => new Update(`gone${i}`, undefined, stamp(), origin, i + 1, undefined)));
  },
  'one id by ever new origins': async (liar) => {
    await liar.tell(many(60_000, (i) => new Update('x', '\x01', stamp(), new Origin(`origin ${i}`, 1), 1, undefined)));
  },
  'a gap before every dot': async (liar) => {
    const origin = new Origin('gaps', 1);
    await liar.tell(many(100_000, (i) => new Update('y', '\x01', stamp(), origin, 2 * i + 1, undefined)));
  },
  'announcements of what nobody has': async (liar) => {
    for (let i = 0; i < 60; i++) {
      const origin = new Origin(`announcer ${i}`, 1);
      await liar.say({
        type: 'announce',
        dots: [{ origin, intervals: many(20_000, (j) => 2 * (j >> 1) * 2 + 1 + (j & 1)), newest: 0 }],
        pulled: false,
      });
    }
  },
  'large updates from the future': async (liar) => {
    const origin = new Origin('future', 1);
    for (let i = 0; i < 100; i++)
      await liar.say({
        type: 'updates',
        cause: 'mail',
        updates: [new Update(`later${i}`, value(60_000), stamp(3_600_000), origin, i + 1, undefined)],
      });
  },
  'channels with long names': async (liar) => {
    for (let channel = 2; channel < 8000; channel++)
      liar.client.send(
        encodeChannel({
          channel,
          instance: `${channel}`.padEnd(255, 'x'),
          protocol: 'x'.repeat(255),
          newestEpochOfYou: 0,
        }),
      );
  },
  'asks, and reads no answer': async (liar) => {
    liar.client.pause();
    for (let i = 0; i < 200; i++)
      await liar.say({ type: 'ask', dots: [{ origin: new Origin('filler', 1), intervals: [1, 8000], newest: 0 }] });
  },
};

describe('the most memory of a node', () => {
  test('is what the formula says, whatever hostile peers do', async () => {
    const victim = new Victim();
    await victim.start();
    const liars = await Promise.all(Object.keys(hostilities).map((_, i) => Liar.at(victim, `liar ${i}`)));
    // Half of a frame.
    const half = await Liar.at(victim, 'half');
    (half.client as unknown as { _socket: Socket })._socket.write(
      Buffer.concat([Buffer.from('82ff00000000001ffff000000000', 'hex'), Buffer.alloc(2 * MIB - 100)]),
    );
    // Streams that say nothing.
    for (let i = 0; i < 100; i++) {
      const stream = connect({ host: '127.0.0.1', port: Number(new URL(victim.url).port) });
      clients.push(stream.on('error', () => {}));
    }
    await Promise.all(Object.values(hostilities).map(async (act, i) => act(liars[i] as Liar)));
    const report = await victim.until(({ status }) => status.refused > 100_000);
    const { status, peakBytes } = report;
    expect(status.ids).toBeLessThanOrEqual(options.maxIds);
    expect(status.tombstones).toBeLessThanOrEqual(options.maxIds);
    expect(status.bytes).toBeLessThanOrEqual(options.maxBytes);
    expect(status.origins).toBeLessThanOrEqual(options.maxOrigins + 1);
    expect(peakBytes).toBeLessThanOrEqual(most(options));
    process.stdout.write(
      `peak ${(peakBytes / MIB).toFixed(0)} MiB of ${(most(options) / MIB).toFixed(0)} MiB ${JSON.stringify(status)} ${report.links.map(({ peer }) => peer).join()}\n`,
    );
    expect(victim.complaints).toBe('');
  }, 120_000);

  test('is computed on the page as it is here', () => {
    const page = readFileSync(join(root, 'docs/operations.md'), 'utf8');
    for (const term of [
      '64 MiB',
      '2 × `maxBytes` + 800 × `maxIds` + 1,500 × `maxOrigins` + 128 MiB',
      '`maxConnections` × (96 MiB + 4 × `maxFrameBytes`)',
      '`maxHandshakes` × (`maxFrameBytes` + 64 KiB)',
    ])
      expect(page).toContain(term);
  });
});
