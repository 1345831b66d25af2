/** A node whose wall clock is set while it runs: ahead and back by an hour, and ahead by more than `forgetAfter`. */
import { afterEach, describe, expect, test } from '@jest/globals';
import { createGrapevine, type Grapevine, hybrid } from '@grapevine/node';

const open: Grapevine[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((node) => node.close()));
});

const until = async (condition: () => boolean): Promise<void> => {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
};

test('has that one write seen too, after it was ahead for one write', async () => {
  const one = await createGrapevine({ name: 'one', listen: { port: 0 }, logger: false });
  open.push(one);
  let byMs = 0;
  const clock = (): number => Date.now() + byMs;
  const two = await createGrapevine({ name: 'two', seeds: [String(one.url)], clock, logger: false });
  open.push(two);
  const [at, here] = [one.gossip(), two.gossip()];
  await two.joined();
  byMs = 3_600_000;
  await here.add('far', 1);
  expect(here.status().stampedAhead).toBe(0);
  byMs = 0;
  await here.add('near', 1);
  await until(() => at.has('near') && at.has('far'));
  expect(here.status().stampedAhead).toBe(0);
  await here.add('near', 2);
  await until(() => at.get('near') === 2);
}, 30_000);

/** Until when the wall clock is set back, from how far ahead: at once, or in steps that are longer than `maxDriftMs`. */
const courses = [
  ['seconds', 90_000],
  ['an hour', 3_600_000],
  ['ten years', 315_360_000_000],
] as const;

describe.each(courses)('a node whose clock was ahead by %s', (_far, farMs) => {
  test.each([
    ['once, and back at once', 1, 1],
    ['once, and back in steps', 1, 4],
    ['repeatedly', 3, 1],
    ['repeatedly, and back in steps', 2, 3],
  ])(
    '%s, has all its writes seen once it is right',
    async (_course, times, steps) => {
      const said: string[] = [];
      const note = (_fields: object, text: string): void => void said.push(text);
      const logger = { debug() {}, info() {}, warn: note, error: note };
      const one = await createGrapevine({ name: 'one', listen: { port: 0 }, logger: false });
      open.push(one);
      let byMs = 0;
      const clock = (): number => Date.now() + byMs;
      const two = await createGrapevine({ name: 'two', seeds: [String(one.url)], clock, logger });
      open.push(two);
      const [at, here] = [one.gossip(), two.gossip()];
      await two.joined();
      await at.add('of one', 1);
      await here.add('removed while ahead', 1);
      await until(() => at.has('removed while ahead') && here.has('of one'));
      const written: Record<string, unknown> = {};
      for (let time = 0; time < times; time++) {
        for (let step = steps; step > 0; step--) {
          byMs = (farMs * step) / steps;
          await here.add(`write ${time}`, step);
          await here.add(`write ${time} ${step}`, step);
          written[`write ${time}`] = step;
          written[`write ${time} ${step}`] = step;
          await here.add('of one', time);
          if (time === 0 && step === steps) await here.remove('removed while ahead');
          // The peer has them, holds them back and says so.
          if (step === steps) await until(() => here.status().heldBack > 0);
        }
        byMs = 0;
        await here.add(`honest ${time}`, time);
        await until(() => at.has(`honest ${time}`) && here.status().stampedAhead === 0);
        written[`honest ${time}`] = time;
      }
      written['of one'] = times - 1;
      await until(
        () => Object.entries(written).every(([id, value]) => at.get(id) === value) && !at.has('removed while ahead'),
      );
      expect(here.status()).toMatchObject({ stampedAhead: 0, heldBack: 0 });
      // A write of one of the same ids is no longer beaten by the stamp of before.
      await at.add('write 0', 'newer');
      await until(() => here.get('write 0') === 'newer');
      // Once for each time that the clock was ahead, and for each step in which it still was.
      for (const what of [/^'one' holds back/, /(is|are) written again under/]) {
        const count = said.filter((text) => what.test(text)).length;
        expect([what, count >= times && count <= times * steps]).toEqual([what, true]);
      }
    },
    30_000,
  );
});

test.each([2, 3650])(
  'keeps what it wrote when its clock is set ahead by %d days, and back',
  async (days) => {
    let byMs = 0;
    const peer = await createGrapevine({ name: 'one', listen: { port: 0 }, logger: false });
    open.push(peer);
    peer.gossip('fast', { protocol: hybrid({ gc: 10 }) });
    const clock = (): number => Date.now() + byMs;
    const node = await createGrapevine({ name: 'two', seeds: [String(peer.url)], clock, logger: false });
    open.push(node);
    await node.joined();
    const gossip = node.gossip('fast', { protocol: hybrid({ gc: 10 }) });
    await gossip.add('first', 1);
    const farMs = days * 86_400_000;
    for (const [i, offMs] of [0, farMs, 0, farMs].entries()) {
      byMs = offMs;
      await gossip.add(`write ${i}`, 1);
      // The timer of the expiry is a turn of the machine with this clock, as a collection of garbage is.
      await gossip.add(`short ${i}`, 1, { expiresIn: 20 });
      await until(() => !gossip.has(`short ${i}`));
    }
    // The peer holds two of them back: if they were dropped here, nobody could bring them.
    for (const id of ['first', 'write 0', 'write 1', 'write 2', 'write 3'])
      expect([id, gossip.has(id)]).toEqual([id, true]);
  },
  30_000,
);
