/**
 * What a member that is up to no good can do to the membership of real nodes: it lies about the victim, again and again.
 *
 * Each test failed once: the victim ended, cut off its honest peers, or filled its log.
 */
import { createSecretKey, randomBytes } from 'node:crypto';
import { Writable } from 'node:stream';
import { afterEach, describe, expect, jest, test } from '@jest/globals';
import { Encoder, Decoder, encodeChannel } from '@grapevine/wire';
import { createGrapevine, type Grapevine, swim } from '@grapevine/node';
import { type Logger, pino } from 'pino';

import { nextEpoch } from '../attacks/member.ts';
import { aHello, type Stranger, Strangers } from '../attacks/strangers.ts';

/** Machines may be busy. */
jest.setTimeout(60_000);

const secret = randomBytes(32);
const key = createSecretKey(secret);
const ends: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

/** Kinds and states of docs/wire.md, "Membership". */
const [GOSSIP, SYNC] = [4, 6];
const [ALIVE, SUSPECT, LEFT] = [0, 1, 3];

interface Scene {
  readonly victim: Grapevine;
  readonly honest: readonly Grapevine[];
  readonly strangers: Strangers;
  /** What the victim logged. */
  readonly log: string[];
}

async function aScene(): Promise<Scene> {
  const log: string[] = [];
  const destination = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      const lines = chunk.toString().split('\n').filter(Boolean);
      log.push(...lines);
      done();
    },
  });
  const node = async (name: string, seeds: string[], logger: Logger | false): Promise<Grapevine> => {
    const security = { keys: [secret] };
    const membership = swim({ seeds });
    const made = await createGrapevine({ name, listen: { port: 0 }, security, membership, logger });
    ends.push(() => made.close());
    return made;
  };
  const victim = await node('victim', [], pino({ level: 'warn' }, destination));
  const url = victim.status().url as string;
  const honest = [await node('h1', [url], false), await node('h2', [url], false)];
  await until(() => honest.every((one) => one.members().length === 2));
  const strangers = new Strangers();
  ends.push(() => strangers.end());
  return { victim, honest, strangers, log };
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => void setTimeout(resolve, 5));
}

class Liar {
  readonly stranger: Stranger;
  readonly #encoder = new Encoder();
  readonly #decoder = new Decoder(() => 40_960);
  #read = 2;

  private constructor(stranger: Stranger) {
    this.stranger = stranger;
  }

  static async join({ strangers, victim }: Scene, name: string): Promise<Liar> {
    const url = victim.status().url as string;
    const stranger = await strangers.speak(url, aHello({ name, epoch: nextEpoch() }), key);
    await stranger.frames(2);
    stranger.say(new Uint8Array());
    stranger.say(encodeChannel({ channel: 0, instance: '$membership', protocol: 'swim', newestEpochOfYou: 0 }));
    const { socket } = stranger;
    await until(() => victim.members().some((one) => one.name === name) || socket.readyState !== socket.OPEN);
    return new Liar(stranger);
  }

  /** Joins a victim that connects anew just now, and may not listen yet. */
  static async joinAgain(scene: Scene, name: string): Promise<Liar> {
    for (;;) {
      const liar = await Liar.join(scene, name).catch(() => null);
      if (liar !== null) return liar;
    }
  }

  say(body: unknown): void {
    this.stranger.say(this.#encoder.encode(0, { type: 'custom', body }).bytes);
  }

  /** What the victim says of itself. */
  async ask(): Promise<readonly unknown[]> {
    this.say([SYNC, [], true]);
    for (;;) {
      await this.stranger.frames(this.#read + 1);
      const incoming = this.#decoder.decode(this.stranger.unseal(this.stranger.heard[this.#read++] as Buffer));
      if (incoming?.type !== 'gossip' || incoming.message.type !== 'custom') continue;
      const [kind, records] = incoming.message.body as [number, readonly (readonly unknown[])[]];
      if (kind === SYNC) return records[0] as readonly unknown[];
    }
  }
}

describe('a member that says of the victim', () => {
  test('that later lives of it are over ends it not, however often it comes again to say so', async () => {
    const scene = await aScene();
    const { victim } = scene;
    let epoch = nextEpoch() + 2 ** 40;
    const lie = (): unknown[] => ['victim', (epoch += 2 ** 22), 1, LEFT, 'ws://192.0.2.1:7001', {}, []];
    for (let told = 0; told < 5; told++) {
      const liar = await Liar.joinAgain(scene, `liar${told}`);
      liar.say([GOSSIP, [lie(), lie(), lie()]]);
      await liar.stranger.closed;
    }
    await until(() => ['h1', 'h2'].every((name) => victim.members().some((member) => member.name === name)));
    await until(() => victim.status().links.some(({ peer }) => peer === 'h1'));
    expect(scene.log.filter((line) => line.includes('RESTART_LIMIT'))).toEqual([]);
  });

  test('that another node has its epoch has it connect anew once in ten seconds, and no more often', async () => {
    const scene = await aScene();
    const { victim } = scene;
    const endedMs: number[] = [];
    for (let told = 0; told < 2; told++) {
      const liar = await Liar.joinAgain(scene, `liar${told}`);
      const [, epoch] = (await liar.ask()) as [string, number];
      liar.say([GOSSIP, [['victim', epoch, 1, ALIVE, 'ws://192.0.2.1:7001', {}, []]]]);
      await liar.stranger.closed;
      endedMs.push(performance.now());
    }
    expect((endedMs[1] as number) - (endedMs[0] as number)).toBeGreaterThan(9000);
    await until(() => ['h1', 'h2'].every((name) => victim.members().some((member) => member.name === name)));
    expect(scene.log.filter((line) => line.includes('RESTART_LIMIT'))).toEqual([]);
  });

  test('that others suspect it has it refute to all, but keeps no queue of theirs full', async () => {
    const scene = await aScene();
    const { victim } = scene;
    const sessions = victim.status().links.map(({ peer }) => peer);
    const liar = await Liar.join(scene, 'liar');
    const [, epoch, incarnation] = (await liar.ask()) as [string, number, number];
    const accusers = ['h1', 'h2', 'liar'];
    const lies = Array.from({ length: 20_000 }, (_, i) => [
      'victim',
      epoch,
      incarnation + i,
      SUSPECT,
      victim.status().url,
      {},
      accusers,
    ]);
    liar.say([GOSSIP, lies]);
    liar.say([GOSSIP, lies]);
    // It has heard the last of them.
    while (((await liar.ask())[2] as number) < incarnation + lies.length);
    expect(victim.status().links.map(({ peer }) => peer)).toEqual([...sessions, 'liar']);
    expect(scene.log).toEqual([]);
  });

  test('that ever later lives of it are elsewhere gets it one line in the log', async () => {
    const scene = await aScene();
    const liar = await Liar.join(scene, 'liar');
    const [, epoch] = (await liar.ask()) as [string, number];
    const lies = Array.from({ length: 5000 }, (_, i) => [
      'victim',
      epoch + 1 + i,
      1,
      ALIVE,
      'ws://192.0.2.1:1',
      {},
      [],
    ]);
    liar.say([GOSSIP, lies]);
    await until(() => scene.log.length > 0);
    await liar.ask();
    expect(scene.log).toHaveLength(1);
    expect(scene.log[0]).toContain('NAME_TAKEN');
  });
});
