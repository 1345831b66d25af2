/** A short run of the fuzzer: whatever liars and strangers say, nodes hold out. It is a process of its own, as its heap is measured. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { expect, jest, test } from '@jest/globals';
import { Dice } from './dice.ts';
import { mutated } from './mutators.ts';
import { Tape } from './tape.ts';

const root = join(__dirname, '..', '..');
const main = join(root, 'node_modules', '.cache', 'grapevine-fuzz', 'fuzz', 'main.js');
const FRAMES = Number(process.env['FUZZ_FRAMES'] ?? 1_000_000);

jest.setTimeout(600_000);

interface Outcome {
  readonly code: number;
  readonly output: string;
}

function fuzz(...args: readonly string[]): Promise<Outcome> {
  return new Promise((resolve) => {
    const nodeArguments = ['--expose-gc', '--max-old-space-size=768', main, ...args];
    execFile(process.execPath, nodeArguments, { cwd: root }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code ?? -1), output: stdout + stderr }),
    );
  });
}

test('nodes hold out while liars and strangers talk to them, and the honest end equal', async () => {
  // A million takes two minutes of a processor; the rest is patience with a busy machine.
  const { code, output } = await fuzz('--frames', String(FRAMES), '--minutes', '7', '--seed', '1');
  expect({ code, output }).toEqual({ code: 0, output: expect.stringContaining('frames read') });
  expect(Number(/^frames read +(\d+)$/m.exec(output)?.[1])).toBeGreaterThanOrEqual(FRAMES);
  expect(output).toContain('FRAME_MALFORMED');
  expect(output).toContain('HELLO_MALFORMED');
});

test('wrong arguments end with 2', async () => {
  expect(await fuzz('--seed=-1')).toMatchObject({ code: 2, output: expect.stringContaining('whole number') });
});

test('the same seed makes the same frames', () => {
  const frame = Buffer.from('942102c404010101000c2', 'hex');
  const all = (seed: number): string[] => {
    const dice = Dice.of(seed, 7);
    return Array.from({ length: 1000 }, () => Buffer.from(mutated(frame, dice, frame)).toString('hex'));
  };
  expect(all(1)).toEqual(all(1));
  expect(all(1)).not.toEqual(all(2));
});

test('the tape keeps what came last, session by session', () => {
  const tape = new Tape();
  const frame = (i: number): Buffer => Buffer.alloc(1000, i);
  for (let i = 0; i < 6000; i++) tape.record(i % 2, frame(i));
  const sessions = new Tape(tape.shared).read();
  expect(new Set(sessions.keys())).toEqual(new Set([0, 1]));
  expect(Buffer.from(sessions.get(1)?.at(-1) as Uint8Array)).toEqual(frame(5999));
  expect((sessions.get(0)?.length ?? 0) * 2).toBeGreaterThan(2000);
});
