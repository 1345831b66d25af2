/**
 * What a member that is up to no good can do to a node, over real sockets: to be thrown out, or to be read more slowly.
 *
 * Each test is a row of the tables in docs/operations.md, "What an attacker meets". The member has the key; beside it a pair of
 * nodes goes on, and what one of them writes the other holds.
 */
import { randomBytes } from 'node:crypto';
import { Writable } from 'node:stream';
import { afterEach, describe, expect, jest, test } from '@jest/globals';
import { type Message, Origin, Update } from '@grapevine/core';
import { createGrapevine, type Gossip, type Grapevine, type GrapevineOptions } from '@grapevine/node';
import { pino } from 'pino';

import { afterProof } from '../attacks/after-proof.ts';
import { type Attack, type Attempt, keyOf, outcome, type Scene } from '../attacks/attack.ts';
import { beforeProof } from '../attacks/before-proof.ts';
import { Member } from '../attacks/member.ts';
import { Strangers } from '../attacks/strangers.ts';

/** Machines may be busy. */
jest.setTimeout(60_000);

const secret = randomBytes(32).toString('hex');
const ends: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

interface Line {
  readonly level: number;
  readonly err?: { readonly code: string };
}

interface Pair {
  readonly victim: Grapevine;
  readonly gossip: Gossip;
  readonly beside: Gossip;
  /** What the victim logged, as its log has it. */
  readonly log: Line[];
}

async function aNode(options: GrapevineOptions): Promise<Grapevine> {
  const grapevine = await createGrapevine({ listen: { port: 0 }, security: { keys: [secret] }, ...options });
  ends.push(() => grapevine.close());
  return grapevine;
}

async function aPair(
  options: Partial<GrapevineOptions> = {},
  ofGossip: Parameters<Grapevine['gossip']>[1] = {},
): Promise<Pair> {
  const log: Line[] = [];
  const destination = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      log.push(JSON.parse(chunk.toString()) as Line);
      done();
    },
  });
  const logger = pino({ level: 'warn' }, destination);
  const victim = await aNode({ name: 'victim', peers: [], logger, ...options });
  const honest = await aNode({ name: 'honest', peers: [victim.status().url as string], logger: false });
  const pair = {
    victim,
    gossip: victim.gossip('grapevine', ofGossip),
    beside: honest.gossip('grapevine'),
    log,
  };
  await goesOn(pair);
  return pair;
}

let written = 0;

/** What the one writes the other holds, both ways. */
async function goesOn({ gossip, beside }: Pair): Promise<void> {
  for (const [writer, reader] of [
    [gossip, beside],
    [beside, gossip],
  ] as const) {
    const id = `written ${written++}`;
    await writer.add(id, id);
    await until(() => reader.has(id));
  }
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => void setTimeout(resolve, 5));
}

/** A stage for attacks of test/attacks; `stop` ends the attack. */
function aScene({ victim }: Pair): Scene & { stop(): void } {
  const strangers = new Strangers();
  ends.push(() => strangers.end());
  let isOver = false;
  let stop!: () => void;
  const over = new Promise<void>((resolve) => {
    stop = (): void => {
      isOver = true;
      resolve();
    };
  });
  const target = {
    url: victim.status().url as string,
    honest: { name: 'honest', url: '' },
    bait: null,
    keys: { current: secret, older: secret },
    credentials: null,
    from: undefined,
  };
  return { target, strangers, key: keyOf(secret), from: {}, isOver: () => isOver, over, stop };
}

const attacks: Readonly<Record<string, Attack>> = { ...beforeProof, ...afterProof };

async function attempt(scene: Scene, attack: string): Promise<Attempt> {
  const { come } = attacks[attack] as Attack;
  if (come === undefined) throw new Error(`${attack} does not dial`);
  return outcome(await come(scene), scene);
}

const codes = ({ log }: Pair): (string | undefined)[] => log.map(({ err }) => err?.code);
const links = ({ victim }: Pair): string[] => victim.status().links.map(({ peer }) => peer);

describe('a member that sends', () => {
  test.each([
    ['a frame that is too large', 'frame-too-large', '1009', 'FRAME_TOO_LARGE'],
    ['a nesting bomb', 'nesting-bomb', '4400', 'FRAME_MALFORMED'],
    ['a declared array of 2^32 elements', 'huge-array', '4400', 'FRAME_MALFORMED'],
  ] as const)('%s is thrown out, and logged once however often it comes', async (_what, attack, saw, code) => {
    const pair = await aPair();
    const scene = aScene(pair);
    for (let time = 0; time < 5; time++) expect((await attempt(scene, attack)).saw).toBe(saw);
    await goesOn(pair);
    expect(codes(pair)).toEqual([code]);
    expect(links(pair)).toEqual(['honest']);
  });

  test('a million invented origins is thrown out at each 40,960th, and has no more of them taken up than come at the pace', async () => {
    const pair = await aPair();
    const scene = aScene(pair);
    const sinceMs = performance.now();
    let came = 0;
    let comings = 0;
    while (came < 1_000_000) {
      const { saw, sentence } = await attempt(scene, 'invented-origins');
      comings += 1;
      expect([saw, sentence]).toEqual(['4400', expect.stringContaining('40960')]);
      came += 40_960;
    }
    await goesOn(pair);
    const { origins, refused } = pair.gossip.status();
    // 256 at once, 16 a second, and one for each node that comes into view: the honest one, and the attacker whenever it comes.
    const seconds = (performance.now() - sinceMs) / 1000;
    const atPace = 256 + 16 * seconds + 1 + comings;
    expect(origins).toBeGreaterThanOrEqual(256);
    expect(origins).toBeLessThanOrEqual(atPace);
    expect(refused).toBeGreaterThan(500_000);
    expect(new Set(codes(pair))).toEqual(new Set(['STORE_FULL', 'FRAME_MALFORMED']));
    expect(pair.log).toHaveLength(2);
  }, 180_000);
});

describe('a member that floods', () => {
  test('with updates is read more slowly, stays, and keeps nobody from going on', async () => {
    const pair = await aPair({ maxUpdatesPerSecond: 2000 });
    const scene = aScene(pair);
    const end = attempt(scene, 'flood-of-updates');
    await until(() => pair.victim.status().links.some(({ peer, throttled }) => peer === 'mallory' && throttled > 0));
    await goesOn(pair);
    expect(pair.victim.status().links.find(({ peer }) => peer === 'honest')).toMatchObject({ throttled: 0 });
    scene.stop();
    expect((await end).saw).toBe('stopped');
  });

  test('and comes again as soon as it is read more slowly has no more than before', async () => {
    const pair = await aPair({ maxUpdatesPerSecond: 1000 });
    const scene = aScene(pair);
    const throttled = (): boolean =>
      pair.victim.status().links.some((link) => link.peer === 'mallory' && link.throttled > 0);
    const origin = new Origin('mallory', 1);
    let sequence = 0;
    const batch = (): Message => ({
      type: 'updates',
      cause: 'mail',
      updates: Array.from(
        { length: 1500 },
        (_, i) => new Update(`id${i}`, '\x01', 4096, origin, ++sequence, undefined),
      ),
    });
    const join = (): Promise<Member> =>
      Member.join(scene.strangers, scene.target.url, { name: 'mallory', key: scene.key });
    const first = await join();
    for (let at = 0; at < 5; at++) first.say(batch());
    await until(throttled);
    first.stranger.socket.terminate();
    await until(() => !links(pair).includes('mallory'));
    // Two seconds' worth would be let through, were it a peer that had been quiet.
    const second = await join();
    second.say(batch());
    await until(throttled);
    await goesOn(pair);
    expect(codes(pair)).not.toContain('FRAME_MALFORMED');
  });

  test('with asks is read more slowly, or thrown out when it does not read as fast as it asks', async () => {
    const pair = await aPair({ maxUpdatesPerSecond: 2000 });
    const scene = aScene(pair);
    const end = attempt(scene, 'flood-of-asks');
    await until(() => pair.victim.status().links.some(({ peer, throttled }) => peer === 'mallory' && throttled > 0));
    await goesOn(pair);
    scene.stop();
    expect((await end).saw).toBe('stopped');
  });
});

describe('a member that is slow', () => {
  test('to read is thrown out after stallTimeout', async () => {
    const pair = await aPair({ stallTimeout: 500 });
    const { saw } = await attempt(aScene(pair), 'slow-reader');
    expect(saw).toMatch(/^(4429|end|ECONNRESET|EPIPE)$/);
    await goesOn(pair);
    expect(codes(pair)).toEqual(['TOO_SLOW']);
    expect(links(pair)).toEqual(['honest']);
  });

  test('to write, at a byte a second, is silent, and thrown out', async () => {
    const pair = await aPair({ pingIntervalMs: 200 });
    expect(await attempt(aScene(pair), 'slow-writer')).toMatchObject({ saw: '4410' });
    await goesOn(pair);
    expect(codes(pair)).toEqual(['SILENT']);
  });
});

describe('a stranger that comes again and again', () => {
  test.each([
    ['with a wrong key', 'wrong-key', '4406', 'KEY_MISMATCH'],
    ['without a key', 'no-key', '4407', 'KEY_REQUIRED'],
    ['of another cluster', 'wrong-cluster', '4403', 'WRONG_CLUSTER'],
    ['with what it overheard', 'replayed-hello', '4406', 'KEY_MISMATCH'],
  ] as const)('%s is refused each time, and logged once', async (_what, attack, saw, code) => {
    const pair = await aPair();
    const scene = aScene(pair);
    for (let time = 0; time < 20; time++) expect(await attempt(scene, attack)).toMatchObject({ saw });
    await goesOn(pair);
    expect(codes(pair)).toEqual([code]);
  });
});
