/**
 * Keys are rotated under load in a running cluster of five processes: nobody is refused who should not be, nobody is let in
 * who should not be, and no update is lost.
 */

import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';

import { type Agent, until } from '../e2e/agents.ts';
import { pass } from '../bench/clock.ts';
import { complained, expectAgreement, onStage, type Stage } from '../e2e/stage.ts';

const limitMs = 120_000;
const [older, current, foreign] = Array.from({ length: 3 }, () => randomBytes(32).toString('hex')) as [
  string,
  string,
  string,
];

class Files {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  path(name: string): string {
    return join(this.folder, `${name}.keys`);
  }

  async write(name: string, ...keys: readonly string[]): Promise<void> {
    await writeFile(this.path(name), `# the keys of ${name}\n${keys.join('\n')}\n`);
  }

  async start(stage: Stage, name: string, seeds: readonly Agent[], ...keys: readonly string[]): Promise<Agent> {
    await this.write(name, ...keys);
    return stage.start({ name, seeds, args: ['--key-file', this.path(name)] });
  }
}

const refusals = ({ complaints }: Agent): string[] =>
  complaints.split('\n').filter((line) => line.includes('connection refused'));

/** Writes on all agents, again and again, until it is told to stop. @returns what must be held by all in the end */
function load(agents: readonly Agent[]): { readonly written: Map<string, unknown>; readonly stop: () => void } {
  const written = new Map<string, unknown>();
  const timer = setInterval(() => {
    for (const agent of agents) {
      const id = `${agent.name}/${written.size}`;
      written.set(id, written.size);
      agent.add(id, written.get(id));
    }
  }, 5);
  return { written, stop: () => clearInterval(timer) };
}

test(
  'keys are rotated under load: no connection is refused that should not be, none let in that should not be, no update lost',
  onStage(async (stage) => {
    const files = new Files(await mkdtemp(join(tmpdir(), 'grapevine-')));
    const burden: { stop: () => void } = { stop: () => {} };
    try {
      const first = await files.start(stage, 'n0', [], older);
      const others = ['n1', 'n2', 'n3', 'n4'].map((name) => files.start(stage, name, [first], older));
      const agents = [first, ...(await Promise.all(others))];
      await until('all know all', () => agents.every(({ members }) => members.length === 4));

      const { written, stop } = load(agents);
      burden.stop = stop;
      let closed = 0;
      /** One agent after the other, each as soon as the one before it has said that it is done. */
      const step = async (...keys: readonly string[]): Promise<void> => {
        for (const agent of agents) {
          await files.write(agent.name, ...keys);
          const before = agent.complaints.split('keys were read again').length;
          agent.signal('SIGHUP');
          while (agent.complaints.split('keys were read again').length === before) await pass(5);
          closed += Number(/closed: (\d+)\n(?!.*closed)/s.exec(agent.complaints)?.[1]);
        }
      };
      const isMember = (name: string): boolean => agents.every(({ members }) => members.includes(name));

      await step(older, current);
      const late = await files.start(stage, 'late', [first], older);
      await until('one who has only the older key is let in', () => isMember('late'));
      // It would not know what the others prove themselves with from the next step on.
      await late.leave();
      await until('it has left', () => agents.every(({ members }) => members.length === 4));
      await step(current, older);
      expect(closed).toBe(0);
      const early = await files.start(stage, 'early', [first], current);
      await until('one who has only the newer key is let in', () => isMember('early'));
      expect(agents.flatMap(refusals)).toEqual([]);
      await early.leave();
      await until('it has left, too', () => agents.every(({ members }) => members.length === 4));
      await step(current);
      // Connections that were proven by the older key are made anew.
      expect(closed).toBeGreaterThan(0);

      const count = written.size;
      await until(
        'the load goes on',
        () => written.size > count + 100 && agents.every((a) => a.replica().size > count),
      );
      expect(agents.flatMap(refusals)).toEqual([]);

      for (const [name, key] of [
        ['leaked', older],
        ['foreign', foreign],
      ] as const) {
        const outsider = await files.start(stage, name, [first], key);
        await complained(outsider, 'KEY_MISMATCH');
        outsider.add('from outside', name);
        await until('it holds what it wrote itself', () => outsider.replica().has('from outside'));
        expect([outsider.members, outsider.replica().size]).toEqual([[], 1]);
      }
      await complained(first, 'KEY_MISMATCH');
      const said = refusals(first);
      expect(said.filter((line) => !line.includes('KEY_MISMATCH'))).toEqual([]);
      expect(agents.slice(1).flatMap(refusals)).toEqual([]);

      stop();
      await expectAgreement(agents, written);
      expect(agents.map(({ members }) => members.length)).toEqual([4, 4, 4, 4, 4]);
      const text = agents.map(({ complaints }) => complaints).join('');
      for (const key of [older, current, foreign]) expect(text).not.toContain(key.slice(0, 12));
    } finally {
      burden.stop();
      await rm(files.folder, { recursive: true, force: true });
    }
  }),
  limitMs,
);

test(
  'a key file that is wrong leaves everything as it was, and is never shown',
  onStage(async (stage) => {
    const files = new Files(await mkdtemp(join(tmpdir(), 'grapevine-')));
    try {
      const one = await files.start(stage, 'one', [], current);
      const wrong: [string[], string][] = [
        [['too short'], "'keys[0]' must have 16 to 1024 bytes"],
        [[current, current], "'keys[1]' is listed before"],
        [[], 'holds no key'],
      ];
      for (const [keys, sentence] of wrong) {
        await files.write('one', ...keys);
        one.signal('SIGHUP');
        await complained(one, sentence);
      }
      await rm(files.path('one'));
      one.signal('SIGHUP');
      await complained(one, 'cannot be read: ENOENT');
      expect(one.complaints).not.toContain('too short');
      const two = await files.start(stage, 'two', [one], current);
      await until('they meet', () => one.members.length === 1 && two.members.length === 1);
    } finally {
      await rm(files.folder, { recursive: true, force: true });
    }
  }),
  limitMs,
);
