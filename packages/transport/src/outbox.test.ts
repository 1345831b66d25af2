import { describe, expect, test } from '@jest/globals';
import { Outbox, type Priority } from './outbox.ts';

const frame = (index: number): Uint8Array => Uint8Array.of(index >> 8, index & 255);
const indexOf = (made: Uint8Array | undefined): number | undefined =>
  made === undefined ? undefined : ((made[0] as number) << 8) | (made[1] as number);

function filledWith(priorities: readonly Priority[]): Outbox {
  const outbox = new Outbox();
  priorities.forEach((priority, index) => outbox.push(frame(index), priority));
  return outbox;
}

function drain(outbox: Outbox): (number | undefined)[] {
  const left: (number | undefined)[] = [];
  while (outbox.frames > 0) left.push(indexOf(outbox.shift()));
  return left;
}

describe('the outbox', () => {
  test('gives frames in the order in which they came, whatever their priority', () => {
    expect(drain(filledWith(['rumor', 'reply', 'rumor', 'reply']))).toEqual([0, 1, 2, 3]);
  });

  test('drops the oldest rumor, again and again, and never a reply', () => {
    const outbox = filledWith(['reply', 'rumor', 'reply', 'rumor', 'rumor']);
    expect([1, 2, 3, 4].map(() => indexOf(outbox.dropOldestRumor()))).toEqual([1, 3, 4, undefined]);
    expect(drain(outbox)).toEqual([0, 2]);
  });

  test('counts what waits', () => {
    const outbox = filledWith(['rumor', 'rumor', 'reply']);
    expect([outbox.frames, outbox.bytes]).toEqual([3, 6]);
    outbox.dropOldestRumor();
    expect([outbox.frames, outbox.bytes]).toEqual([2, 4]);
    outbox.shift();
    outbox.shift();
    expect([outbox.frames, outbox.bytes, outbox.shift()]).toEqual([0, 0, undefined]);
  });

  test('does as a plain list does, through thousands of steps', () => {
    let seed = 1;
    const random = (): number => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647;
    const outbox = new Outbox();
    let model: { index: number; priority: Priority }[] = [];
    for (let step = 0; step < 20_000; step++) {
      const dice = random();
      let [left, expected]: (number | undefined)[] = [];
      if (dice < 0.5) {
        const priority = random() < 0.7 ? 'rumor' : 'reply';
        outbox.push(frame(step), priority);
        model.push({ index: step, priority });
      } else if (dice < 0.85) {
        [left, expected] = [indexOf(outbox.shift()), model.shift()?.index];
      } else {
        const oldest = model.find(({ priority }) => priority === 'rumor');
        [left, expected] = [indexOf(outbox.dropOldestRumor()), oldest?.index];
        model = model.filter((each) => each !== oldest);
      }
      expect([left, outbox.frames, outbox.bytes]).toEqual([expected, model.length, model.length * 2]);
    }
  });
});
