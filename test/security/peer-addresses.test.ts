/**
 * What members tell of addresses, over real sockets: with `peerAddresses: 'public'` nothing that is not public is dialled, and
 * without it a member has others knock wherever it likes. Its test is that of the claim: both halves are seen.
 */
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:net';
import { Writable } from 'node:stream';
import { afterEach, expect, jest, test } from '@jest/globals';
import { createGrapevine, type Grapevine, type GrapevineOptions, swim } from '@grapevine/node';
import { pino } from 'pino';

/** Machines may be busy. */
jest.setTimeout(60_000);

const keys = [randomBytes(32)];
const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

/** A service that is no node, and counts who knocks. */
async function aService(): Promise<{ readonly port: number; readonly knocks: () => number }> {
  let knocks = 0;
  const server = createServer((stream) => {
    knocks++;
    stream.destroy();
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  ends.push(() => new Promise((resolve) => server.close(resolve)));
  return { port: (server.address() as { port: number }).port, knocks: () => knocks };
}

async function aNode(
  name: string,
  seeds: readonly string[],
  options: Partial<GrapevineOptions> = {},
): Promise<Grapevine> {
  const { security, ...rest } = options;
  const node = await createGrapevine({
    name,
    membership: swim({ seeds, profile: 'local' }),
    security: { keys, ...security },
    logger: false,
    ...rest,
  });
  ends.push(() => node.close());
  return node;
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => void setTimeout(resolve, 5));
}

const knows = (node: Grapevine, name: string): boolean => node.members().some((member) => member.name === name);

test.each(['127.0.0.1', 'localhost'])(
  'a member cannot have a node knock at %s where it dials public addresses alone',
  async (host) => {
    const service = await aService();
    const codes: unknown[] = [];
    const destination = new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        codes.push((JSON.parse(chunk.toString()) as { err?: { code?: unknown } }).err?.code);
        done();
      },
    });
    const hub = await aNode('hub', [], { listen: { port: 0 } });
    const url = hub.status().url as string;
    // Its own seed is private too, and is what its configuration names.
    const careful = await aNode('careful', [url], {
      security: { peerAddresses: 'public' },
      logger: pino({ level: 'warn' }, destination),
    });
    await until(() => knows(careful, 'hub'));
    // It listens nowhere, and says that it is at the service.
    const liar = await aNode('liar', [url], { advertise: `ws://${host}:${service.port}` });
    await until(() => knows(careful, 'liar') && codes.includes('ADDRESS_REFUSED'));
    expect(service.knocks()).toBe(0);

    // Who does not care knocks: it is the option that keeps the other from it.
    const careless = await aNode('careless', [url]);
    await until(() => knows(careless, 'liar') && service.knocks() > 0);

    // And what is dialled by none who is careful is spoken with through others.
    const [written, read] = [liar.gossip('news'), careful.gossip('news')];
    hub.gossip('news');
    await written.add('id', 1);
    await until(() => read.has('id'));
  },
);
