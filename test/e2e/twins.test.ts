/**
 * Two processes of one name that start at the same time, through different members: one lives, the other is told.
 */
import { once } from 'node:events';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';

import { afterEach, expect, test } from '@jest/globals';
import { createGrapevine, type Grapevine } from '@grapevine/node';

interface Said {
  readonly epoch: number;
  readonly logs: readonly { readonly code?: string; readonly message: string }[];
  readonly refusals: readonly string[];
  readonly reusedDots: number;
  readonly keys: readonly string[];
  readonly members: readonly string[];
}

interface Twin {
  readonly epoch: number;
  readonly url: string | null;
  /** Joins or writes, and says how it is. */
  say(order?: { readonly join: true } | { readonly id: string; readonly value: unknown }): Promise<Said>;
  end(): Promise<unknown>;
}

const open: (Grapevine | Worker)[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => ('close' in one ? one.close() : one.terminate())));
});

async function members(): Promise<readonly [Grapevine, Grapevine]> {
  const options = { listen: { port: 0 }, logger: false } as const;
  const one = await createGrapevine({ ...options, name: 'one' });
  open.push(one);
  const two = await createGrapevine({ ...options, name: 'two', seeds: [String(one.url)] });
  open.push(two);
  await until('the members to meet', () => one.members().length === 1 && two.members().length === 1);
  return [one, two];
}

/** @param draws what chance gives first: of the node's epoch, and of its replica's */
async function twin(seed: Grapevine, details: object): Promise<Twin> {
  const worker = new Worker(join(__dirname, 'twins-node.mjs'), {
    workerData: { seeds: [seed.url], listen: { port: 0 }, ...details },
  });
  open.push(worker);
  const [{ epoch, url }] = (await once(worker, 'message')) as [{ epoch: number; url: string | null }];
  return {
    epoch,
    url,
    end: () => worker.terminate(),
    say: async (order) => {
      worker.postMessage(order ?? {});
      const [said] = (await once(worker, 'message')) as [Said];
      return said;
    },
  };
}

async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  state: () => Promise<unknown> = async () => null,
): Promise<void> {
  const endMs = Date.now() + 20_000;
  while (!(await holds())) {
    if (Date.now() > endMs) throw new Error(`waited in vain for ${what}: ${JSON.stringify(await state())}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** What both members believe of the name, and what their connections say. */
function seen(nodes: readonly Grapevine[]): readonly unknown[] {
  return nodes.flatMap((node) => {
    const { roster, links } = node.status();
    const believed = roster.filter(({ name }) => name === 'twin').map(({ epoch, state }) => [epoch, state]);
    const connected = links.filter(({ peer }) => peer === 'twin').map(({ epoch }) => epoch);
    return [believed, connected];
  });
}

/** Lets them join at once, and waits until all know one of them, are connected with that one alone, and the other has been told. */
async function untilOneLives(nodes: readonly Grapevine[], twins: readonly Twin[]): Promise<readonly [Twin, Twin]> {
  const say = (): Promise<Said[]> => Promise.all(twins.map((one) => one.say()));
  await Promise.all(twins.map((one) => one.say({ join: true })));
  let found: readonly [Twin, Twin] | null = null;
  await until(
    'one of the twins to live',
    async () => {
      const said = await say();
      const winner = said.findIndex(({ epoch }) => {
        const alive = [[[epoch, 'alive']], [epoch]];
        return JSON.stringify(seen(nodes)) === JSON.stringify([...alive, ...alive]);
      });
      if (winner < 0 || said[1 - winner]?.refusals.includes('NAME_TAKEN') !== true) return false;
      found = [twins[winner] as Twin, twins[1 - winner] as Twin];
      return said[0]?.epoch !== said[1]?.epoch;
    },
    async () => [seen(nodes), await say()],
  );
  return found as unknown as readonly [Twin, Twin];
}

/** The one that lives writes, and both members hold the same. */
async function untilAllHold(nodes: readonly Grapevine[], winner: Twin, id: string): Promise<void> {
  await winner.say({ id, value: 1 });
  await until('all to hold the same', () => {
    const [ours, theirs] = nodes.map((node) => Array.from(node.gossip().entries(), ([key]) => key).toSorted());
    return ours?.includes(id) === true && JSON.stringify(ours) === JSON.stringify(theirs);
  });
}

test.each([
  ['that listen', { port: 0 }],
  ['that only dial', null],
])(
  'of two twins %s one lives, and the other is told',
  async (_what, listen) => {
    const nodes = await members();
    for (const node of nodes) node.gossip();
    const startMs = Date.now();
    const twins = await Promise.all([
      twin(nodes[0], { listen, startMs, draws: [0.25, 0.25], writes: ['lower'] }),
      twin(nodes[1], { listen, startMs: startMs + 1, draws: [0.75, 0.75], writes: ['higher'] }),
    ]);
    // The higher, unless the lower was with all members before the higher came to any: then that is a mere namesake.
    const [winner, loser] = await untilOneLives(nodes, twins);
    expect([loser.epoch, winner.epoch].toSorted((a, b) => a - b)).toEqual(twins.map(({ epoch }) => epoch));
    await untilAllHold(nodes, winner, 'after');
    // It stays so: also what the lower writes now reaches nobody.
    const { logs, reusedDots } = await loser.say({ id: 'in vain', value: 1 });
    expect(logs.map(({ code }) => code)).toContain('NAME_TAKEN');
    await untilAllHold(nodes, winner, 'later');
    expect(nodes.map((node) => [node.gossip().has('in vain'), node.gossip().status().reusedDots])).toEqual([
      [false, 0],
      [false, 0],
    ]);
    expect(reusedDots).toBe(0);
  },
  90_000,
);

test('of two twins with the same epoch one lives under another, the other is told, and all hold the same', async () => {
  const nodes = await members();
  for (const node of nodes) node.gossip();
  const startMs = Date.now();
  const twins = await Promise.all([
    twin(nodes[0], { startMs, draws: [0.5, 0.5], writes: ['one'] }),
    twin(nodes[1], { startMs, draws: [0.5, 0.5], writes: ['two'] }),
  ]);
  expect(twins[0].epoch).toBe(twins[1].epoch);
  const [winner, loser] = await untilOneLives(nodes, twins);
  await untilAllHold(nodes, winner, 'after');
  const { logs } = await loser.say();
  expect(logs.map(({ code }) => code)).toContain('NAME_TAKEN');
  const said = [...logs, ...(await winner.say()).logs].map(({ message }) => message);
  expect(said).toContainEqual(expect.stringContaining('has the same epoch, so this one takes another'));
}, 90_000);

test('a replica whose epoch another process has written under notices it, takes another, and all hold the same', async () => {
  const nodes = await members();
  for (const node of nodes) node.gossip();
  const startMs = Date.now();
  const former = await twin(nodes[0], { startMs, draws: [0.25, 0.9], writes: ['one', 'another'] });
  await former.say({ join: true });
  await until('its writes to arrive', () => nodes.every((node) => node.gossip().has('by another')));
  await former.end();
  const later = await twin(nodes[1], { startMs, draws: [0.75, 0.9], writes: ['later'] });
  await later.say({ join: true });
  await until(
    'it to notice',
    async () => (await later.say()).reusedDots > 0,
    async () => [seen(nodes), await later.say()],
  );
  expect((await later.say()).logs.map(({ code }) => code)).toContain('DOT_REUSED');
  await untilAllHold(nodes, later, 'after');
  expect(nodes.map((node) => node.gossip().get('by later'))).toEqual(['later', 'later']);
}, 90_000);
