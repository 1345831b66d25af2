/**
 * `grapevine simulate` and `grapevine advise` as commands: what they print, and with which code they end.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';

const main = join(__dirname, '../dist/main.js');
const folder = mkdtempSync(join(tmpdir(), 'grapevine-simulate-'));

interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function grapevine(...words: readonly string[]): Ended {
  return spawnSync(process.execPath, [main, ...words], { encoding: 'utf8', timeout: 60_000 });
}

const small = ['--nodes', '200', '--runs', '60', '--seed', '7'];

describe('grapevine simulate', () => {
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test('--json prints one object with the figures of the papers, the same for the same seed', () => {
    const words = ['simulate', '--feedback', '--removal', 'reset-counter', '--rounds', '1', '--synchronous', '--json'];
    const [one, again] = [grapevine(...words, ...small), grapevine(...words, ...small)];
    expect([one.status, one.stderr]).toEqual([0, '']);
    const result = JSON.parse(one.stdout) as Record<string, number>;
    expect(result).toMatchObject({ protocol: 'rumor', nodes: 200, runs: 60, seed: 7, loss: 0, synchronous: true });
    for (const [name, low, high] of [
      ['residue', 0.16, 0.2],
      ['traffic', 1.65, 1.82],
      ['tAvg', 6, 9],
      ['tLast', 11, 15],
      ['bytesPerNode', 80, 160],
      ['payloadsPerUpdate', 155, 175],
    ] as const) {
      expect(result[name]).toBeGreaterThan(low);
      expect(result[name]).toBeLessThan(high);
    }
    expect(again.stdout).toBe(one.stdout);
  });

  test('a cumulative counter is judged in order of arrival, and in batches where that is asked for', () => {
    const residue = (...words: readonly string[]): number =>
      (
        JSON.parse(grapevine('simulate', '--rounds', '1', '--synchronous', '--json', ...small, ...words).stdout) as {
          readonly residue: number;
        }
      ).residue;
    expect(Math.abs(residue() - 0.203)).toBeLessThan(0.02);
    expect(Math.abs(residue('--judged', 'batch') - 0.176)).toBeLessThan(0.02);
  });

  test('--plot draws the three curves', () => {
    const file = join(folder, 'curves.svg');
    const { status, stdout } = grapevine('simulate', '--synchronous', ...small, '--plot', file);
    expect(status).toBe(0);
    expect(stdout).toContain('residue');
    const svg = readFileSync(file, 'utf8');
    expect(svg.startsWith('<svg xmlns="http://www.w3.org/2000/svg"')).toBe(true);
    for (const name of ['susceptible', 'infective', 'removed']) expect(svg).toContain(`>${name}</text>`);
    expect(svg).not.toMatch(/NaN|undefined|Infinity/);
  });

  test('every protocol spreads by its own clock, and anti-entropy reaches everybody though messages are lost', () => {
    for (const protocol of ['entropy', 'hybrid']) {
      const words = ['simulate', '--protocol', protocol, '--nodes', '20', '--runs', '5', '--loss', '0.2', '--json'];
      expect(JSON.parse(grapevine(...words).stdout)).toMatchObject({ protocol, residue: 0, loss: 0.2 });
    }
  });

  test.each([
    { words: ['--blind', '--removal', 'reset-counter'], says: "'blind' means nothing with removal 'reset-counter'" },
    { words: ['--blind', '--feedback'], says: 'cannot be used with option' },
    { words: ['--rounds', 'many'], says: "'rounds' must be a whole number" },
    { words: ['--nodes', '1'], says: 'whole number from 2' },
    { words: ['--loss', '1'], says: 'less than 1' },
    { words: ['--plot', 'curves.png'], says: '.svg' },
    { words: ['--protocol', 'entropy', '--rounds', '3'], says: 'rounds' },
  ])('$words is refused with exit code 2: $says', ({ words, says }) => {
    const { status, stdout, stderr } = grapevine('simulate', ...small, ...words);
    expect([status, stdout]).toEqual([2, '']);
    expect(stderr).toContain(says);
  });
});

describe('grapevine advise', () => {
  test('names the cheapest options that reach the target, what they cost, and how it knows', () => {
    const { status, stdout, stderr } = grapevine('advise', '--nodes', '20', '--target', '0.99', '--json');
    expect([status, stderr]).toEqual([0, '']);
    interface Way {
      readonly protocol: string;
      readonly options: { readonly rounds?: number };
      readonly reaches: number;
      readonly bytesPerSecond: number;
      readonly because: string;
    }
    const answer = JSON.parse(stdout) as { readonly best: Way; readonly others: readonly Way[] };
    const ways = [answer.best, ...answer.others];
    expect(ways.map(({ protocol }) => protocol).toSorted()).toEqual(['entropy', 'hybrid', 'rumor', 'rumor']);
    for (const { reaches, bytesPerSecond, because } of ways) {
      expect(reaches).toBeGreaterThanOrEqual(0.99);
      expect(bytesPerSecond).toBeGreaterThanOrEqual(answer.best.bytesPerSecond);
      expect(because).not.toBe('');
    }
    // s = e^(-(k+1)(1-s)) leaves 2.0 % at 3 and 0.7 % at 4.
    const rounds = ways.flatMap(({ options }) => options.rounds ?? []);
    expect(rounds.filter((each) => each < 3 || each > 5)).toEqual([]);
  });

  test('more rounds for a higher target', () => {
    const rounds = (target: string): number => {
      const { others, best } = JSON.parse(
        grapevine('advise', '--nodes', '20', '--target', target, '--json').stdout,
      ) as { readonly best: { options: { rounds?: number } }; readonly others: { options: { rounds?: number } }[] };
      return Math.max(...[best, ...others].map(({ options }) => options.rounds ?? 0));
    };
    expect(rounds('0.999999')).toBeGreaterThan(rounds('0.99') + 5);
  });

  test('a target of 1 is refused with exit code 2', () => {
    const { status, stderr } = grapevine('advise', '--nodes', '20', '--target', '1');
    expect(status).toBe(2);
    expect(stderr).toContain('between 0 and 1');
  });
});
