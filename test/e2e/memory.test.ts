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
  maxConnections: 6,
  maxHandshakes: 8,
  maxFrameBytes: MIB / 2,
};
type Options = typeof options;

/** Origins that a peer may number. */
const numbers = ({ maxOrigins }: Options): number => Math.max(40_960, 2 * maxOrigins + 8192);

/** As docs/operations.md has it. */
const most = (o: Options): number =>
  48 * MIB +
  (2 * o.maxBytes + 800 * o.maxIds + 1500 * o.maxOrigins + 64 * MIB) +
  o.maxConnections * (48 * MIB + 16 * o.maxFrameBytes + 600 * numbers(o)) +
  o.maxHandshakes * (MIB / 8);

interface Report {
  readonly peakBytes: number;
  readonly status: Record<'ids' | 'tombstones' | 'bytes' | 'origins' | 'refused' | 'received', number>;
  readonly links: readonly { readonly peer: string; readonly queuedBytes: number; readonly queuedFrames: number }[];
}

/** What the victim's process runs. */
const program = `
import { createGrapevine } from '@grapevine/node';
const { maxIds, maxBytes, maxOrigins, ...node } = ${JSON.stringify(options)};
const grapevine = await createGrapevine({ name: 'victim', listen: { port: 0 }, peers: [], logger: false, stallTimeout: 600_000, ...node });
const gossip = grapevine.gossip("grapevine", { maxIds, maxBytes, maxOrigins, maxUpdateBytes: 65_536 });
let peakBytes = 0;
const look = () => {
  gc();
  const { heapUsed, external } = process.memoryUsage();
  peakBytes = Math.max(peakBytes, heapUsed + external);
};
const watch = () => setTimeout(() => { look(); watch(); }, 1000);
watch();
console.log(JSON.stringify({ url: grapevine.status().url }));
process.stdin.on('data', async (data) => {
  if (String(data).startsWith('look')) look();
  await gossip.remove('own').catch(() => {});
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

  /** @param what `look`: measures before it answers */
  async report(what: '' | 'look' = ''): Promise<Report> {
    this.#child.stdin.write(`${what}\n`);
    return (await this.#next()) as Report;
  }

  async until(holds: (report: Report) => boolean): Promise<Report> {
    for (;;) {
      const report = await this.report();
      if (holds(report)) return report;
      await new Promise((resolve) => void setTimeout(resolve, 10));
    }
  }
}

/** Messages that were said so far, by all. */
let said = 0;

/** A proven peer that says what it likes. */
class Liar {
  readonly name: string;
  readonly client: WebSocket;
  readonly #encoder = new Encoder();
  readonly #told = new Told();

  constructor(name: string, client: WebSocket) {
    this.name = name;
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
    return new Liar(name, client);
  }

  async say(message: Message): Promise<void> {
    said++;
    const frame = this.#encoder.encode(1, message);
    for (const origins of this.#told.missing(frame)) this.client.send(origins);
    await this.send(frame.bytes);
  }

  /** Once all has arrived. */
  async end(): Promise<void> {
    this.client.close(1000);
    await once(this.client, 'close');
  }

  async send(frame: Uint8Array): Promise<void> {
    this.client.send(frame);
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

/** As long as a name may be. */
const longName = (i: number): string => `${i}`.padEnd(128, 'x');
const gappy = (count: number): number[] => many(2 * count, (i) => 1 + 4 * (i >> 1) + (i & 1));

/** What fills the store, its context and what it refuses: one peer after the other. */
const fillings: readonly ((liar: Liar) => Promise<void>)[] = [
  /** One id by ever new origins. There is room for those of the others before. */
  async (liar) => {
    const others = ['filler', 'remover', 'gaps'].map((name) => new Origin(name, 1));
    await liar.tell(others.map((origin) => new Update('id0', value(100), stamp(), origin, 1, undefined)));
    await liar.tell(many(30_000, (i) => new Update('x', '\x01', stamp(), new Origin(longName(i), 1), 1, undefined)));
  },
  /** More ids and bytes than there is room for. */
  async (liar) => {
    const origin = new Origin('filler', 1);
    await liar.tell(
      many(60_000, (i) => new Update(`id${i}`, value(i === 0 ? 100 : 390), stamp(), origin, i + 1, undefined)),
    );
  },
  /** Removals of what was never there. */
  async (liar) => {
    const origin = new Origin('remover', 1);
    await liar.tell(many(60_000, (i) => new Update(`gone${i}`, undefined, stamp(), origin, i + 1, undefined)));
  },
  /** A gap before every dot. */
  async (liar) => {
    const origin = new Origin('gaps', 1);
    await liar.tell(many(100_000, (i) => new Update('y', '\x01', stamp(), origin, 2 * i + 1, undefined)));
  },
  /** Large updates from the future. */
  async (liar) => {
    const origin = new Origin('future', 1);
    for (let i = 0; i < 400; i++)
      await liar.say({
        type: 'updates',
        cause: 'mail',
        updates: [new Update(`later${i}`, value(60_000), stamp(3_600_000), origin, i + 1, undefined)],
      });
  },
];

/** What each of them does to its own connection. */
const besiegings: readonly ((liar: Liar, victim: Victim) => Promise<void>)[] = [
  /** Channels with long names. */
  async (liar) => {
    for (let channel = 2; channel < 8190; channel++)
      await liar.send(
        encodeChannel({
          channel,
          instance: `${channel}`.padEnd(255, 'x'),
          protocol: 'x'.repeat(255),
          newestEpochOfYou: 0,
        }),
      );
  },
  /** Announcements of what nobody has, by as many origins as it may number. */
  async (liar) => {
    for (let i = 0; i < 40_000; i += 100) {
      const dots = many(100, (j) => ({ origin: new Origin(longName(i + j), 2), intervals: [1, 1], newest: 0 }));
      await liar.say({ type: 'announce', dots, pulled: false });
    }
  },
  /** Frames as large as may be, of which each byte is to become eight. */
  async (liar) => {
    const dots = [{ origin: new Origin('gappy', 2), intervals: gappy(250_000), newest: 0 }];
    for (let i = 0; i < 3; i++) {
      await liar.say({ type: 'contexts', buckets: 'all', dots, invitation: i + 1, answer: true });
      await liar.say({ type: 'announce', dots, pulled: false });
    }
  },
  /** Asks, and reads no answer: small ones first, of which each costs more than its bytes. */
  async (liar, victim) => {
    liar.client.pause();
    /** Asks, until so much waits for it. An ask is answered before the next is counted. */
    const askUntil = async (
      dots: number,
      atOnce: number,
      holds: (link: Report['links'][number]) => boolean,
    ): Promise<void> => {
      for (;;) {
        const { links } = await victim.report();
        const link = links.find(({ peer }) => peer === liar.name);
        if (link === undefined) throw new Error(`${liar.name} was cut off`);
        if (holds(link)) return;
        for (let i = 0; i < atOnce; i++)
          await liar.say({ type: 'ask', dots: [{ origin: new Origin('filler', 1), intervals: [1, dots], newest: 0 }] });
        await victim.until(({ status }) => status.received >= said);
      }
    };
    // The kernel's buffers first.
    await askUntil(2000, 4, ({ queuedBytes }) => queuedBytes > MIB);
    await askUntil(1, 2000, ({ queuedFrames }) => queuedFrames > 24_000);
    await askUntil(1000, 1, ({ queuedBytes }) => queuedBytes > 14 * MIB);
  },
  /** And all but the end of a frame. */
  async (liar) => {
    const { maxFrameBytes } = options;
    const header = Buffer.from('82ff000000000000000000000000', 'hex');
    header.writeUInt32BE(maxFrameBytes, 6);
    (liar.client as unknown as { _socket: Socket })._socket.write(
      Buffer.concat([header, Buffer.alloc(maxFrameBytes - 1)]),
    );
    await Promise.resolve();
  },
];

describe('the most memory of a node', () => {
  test('is what the formula says, whatever hostile peers do, and they get there', async () => {
    const victim = new Victim();
    await victim.start();
    for (const [i, fill] of fillings.entries()) {
      const liar = await Liar.at(victim, `filler ${i}`);
      await fill(liar);
      await liar.end();
    }
    // What the last of them said when it closed may have been left.
    ({
      status: { received: said },
    } = await victim.until(({ status, links: open }) => status.refused > 100_000 && open.length === 0));
    const liars = await Promise.all(many(options.maxConnections, (i) => Liar.at(victim, `liar ${i}`)));
    // Streams that say nothing.
    for (let i = 0; i < 100; i++) {
      const stream = connect({ host: '127.0.0.1', port: Number(new URL(victim.url).port) });
      clients.push(stream.on('error', () => {}));
    }
    for (const besiege of besiegings)
      for (const liar of liars) {
        await besiege(liar, victim);
        await victim.until(({ status }) => status.received >= said);
      }
    const { status, peakBytes, links } = await victim.report('look');
    expect(links).toHaveLength(options.maxConnections);
    const { maxIds, maxOrigins, maxBytes } = options;
    // Its own comes beside those of others.
    expect(status).toMatchObject({ ids: maxIds, tombstones: maxIds, origins: maxOrigins + 1 });
    expect(status.bytes).toBeLessThanOrEqual(maxBytes);
    expect(peakBytes).toBeLessThanOrEqual(most(options));
    // A formula that nobody comes near says nothing.
    expect(peakBytes).toBeGreaterThan(most(options) / 2);
    expect(victim.complaints).toBe('');
  }, 240_000);

  test('is computed on the page as it is here', () => {
    const page = readFileSync(join(root, 'docs/operations.md'), 'utf8');
    for (const term of [
      '48 MiB',
      '2 × `maxBytes` + 800 × `maxIds` + 1,500 × `maxOrigins` + 64 MiB',
      '`maxConnections` × (48 MiB + 16 × `maxFrameBytes` + 600 × numbers)',
      '`maxHandshakes` × 128 KiB',
    ])
      expect(page).toContain(term);
  });
});
