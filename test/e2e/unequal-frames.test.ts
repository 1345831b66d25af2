/** Nodes of unequal `maxFrameBytes`, as in a rolling upgrade that raises it: what fits passes, what does not is named, nothing is cut. */
import { afterEach, describe, expect, test } from '@jest/globals';
import {
  createGrapevine,
  entropy,
  type Grapevine,
  type GrapevineOptions,
  hybrid,
  type Logger,
  type Protocol,
  rumor,
} from '@grapevine/node';

interface Line {
  readonly level: string;
  readonly fields: { readonly err?: { readonly code?: string; readonly context?: object } };
  readonly text: string;
}

interface Stand {
  readonly node: Grapevine;
  readonly lines: Line[];
}

const open: Grapevine[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((node) => node.close()));
});

const until = async (condition: () => boolean): Promise<void> => {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
};

async function stand(name: string, options: Partial<GrapevineOptions>): Promise<Stand> {
  const lines: Line[] = [];
  const at =
    (level: string) =>
    (fields: object, text: string): void =>
      void lines.push({ level, fields, text });
  const logger: Logger = { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
  const node = await createGrapevine({ name, listen: { port: 0 }, logger, ...options });
  open.push(node);
  return { node, lines };
}

const SMALL = { maxFrameBytes: 32_768 };
const small = { maxUpdateBytes: 28_672 };

const closed = ({ lines }: Stand): Line[] => lines.filter(({ text }) => /connection (closed|lost)/.test(text));
const saidOf = ({ lines }: Stand, code: string): Line[] =>
  lines.filter(({ level, fields }) => level === 'warn' && fields.err?.code === code);

/** All warnings but those of a connection of a pair that crossed another. */
const warnings = ({ lines }: Stand): unknown[] =>
  lines
    .filter(({ level }) => level === 'warn' || level === 'error')
    .map(({ fields, text }) => fields.err?.code ?? text);

const protocols: readonly (readonly [string, () => Protocol])[] = [
  ['hybrid', () => hybrid({ entropy: { delta: 50 } })],
  ['entropy', () => entropy({ delta: 50 })],
  ['rumor', () => rumor({ delta: 50 })],
];

describe.each(protocols)('%s, with a receiver of a lower maxFrameBytes', (name, protocol) => {
  test('keeps one connection, brings all that fits, and names at both ends what does not', async () => {
    const wide = await stand('wide', {});
    const narrow = await stand('narrow', { ...SMALL, seeds: [String(wide.node.url)] });
    const here = wide.node.gossip('g', { protocol: protocol() });
    const there = narrow.node.gossip('g', { protocol: protocol(), ...small });
    await narrow.node.joined();
    await until(() => wide.node.status().links.length === 1 && here.status().peers === 1 && there.status().peers === 1);
    const [session] = wide.node.status().links.map((link) => link.session);
    await here.add('before', 1);
    await here.add('large', 'x'.repeat(200_000));
    // More than a frame of the receiver's together, and each of them fits.
    await here.addMany(Array.from({ length: 40 }, (_, i) => [`id${i}`, 'y'.repeat(5000)] as const));
    await here.add('largest that fits', 'z'.repeat(28_672 - 'largest that fits'.length - 3));
    await there.add('from narrow', 1);
    await until(() => there.size === 43 && here.size === 44);
    expect([there.has('large'), there.has('before'), there.get('id39')]).toEqual([false, true, 'y'.repeat(5000)]);
    await until(() => saidOf(wide, 'UPDATE_TOO_LARGE').length > 0 && saidOf(narrow, 'UPDATE_TOO_LARGE').length > 0);
    const bytes = 200_000 + 'large'.length + 5;
    expect(saidOf(wide, 'UPDATE_TOO_LARGE').map(({ fields }) => fields.err?.context)).toEqual([
      { peer: 'narrow', id: 'large', bytes, maxFrameBytes: 32_768, maxUpdateBytes: 1_048_576 },
    ]);
    expect(saidOf(narrow, 'UPDATE_TOO_LARGE').map(({ fields }) => fields.err?.context)).toEqual([
      { origin: 'wide', id: 'large', bytes, maxUpdateBytes: 28_672 },
    ]);
    expect([here.status().withheld, there.status().refused]).toEqual([expect.any(Number), 1]);
    expect(here.status().withheld).toBeGreaterThan(0);
    // A second one is counted, and no line more.
    await here.add('large too', 'x'.repeat(100_000));
    await here.remove('large');
    await here.add('after', 2);
    await until(() => there.has('after') && there.status().refused === 2);
    if (name !== 'rumor') await here.synced();
    expect([warnings(wide), warnings(narrow)]).toEqual([['UPDATE_TOO_LARGE'], ['UPDATE_TOO_LARGE']]);
    expect([closed(wide), closed(narrow)]).toEqual([[], []]);
    expect(wide.node.status().links.map((link) => link.session)).toEqual([session]);
    // Both find that they are equal but for it, and fall silent.
    if (name === 'rumor') return;
    const quiet = (): number => here.status().sent + there.status().sent;
    let sent = -1;
    while (sent !== quiet()) {
      sent = quiet();
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }, 60_000);
});

test('three nodes: the one that takes less misses what is too large for it, and the others have all', async () => {
  const a = await stand('a', {});
  const seeds = [String(a.node.url)];
  const c = await stand('c', { ...SMALL, seeds });
  const d = await stand('d', { seeds });
  const gossips = [a, c, d].map((one) =>
    one.node.gossip('g', { protocol: hybrid({ entropy: { delta: 50 } }), ...(one === c ? small : {}) }),
  ) as [ReturnType<Grapevine['gossip']>, ReturnType<Grapevine['gossip']>, ReturnType<Grapevine['gossip']>];
  const [atA, atC, atD] = gossips;
  await Promise.all([c.node.joined(), d.node.joined()]);
  await until(() => gossips.every((gossip) => gossip.status().peers === 2));
  await atA.add('large', 'x'.repeat(300_000));
  await atD.add('large of d', 'x'.repeat(300_000));
  for (let i = 0; i < 30; i++) await gossips[i % 3]?.add(`id${i}`, 'y'.repeat(4000));
  await until(() => atA.size === 32 && atD.size === 32 && atC.size === 30);
  await until(() => saidOf(c, 'UPDATE_TOO_LARGE').length === 2);
  await until(() => saidOf(a, 'UPDATE_TOO_LARGE').length + saidOf(d, 'UPDATE_TOO_LARGE').length === 2);
  // What was withheld from it is over for it too, once it is removed.
  await atA.add('large', 'small now');
  await atC.remove('large of d');
  await until(() => atC.get('large') === 'small now' && atA.size === 31 && atD.size === 31 && atC.size === 31);
  expect([a, c, d].flatMap(closed).map(({ text }) => text)).toEqual([]);
}, 60_000);
