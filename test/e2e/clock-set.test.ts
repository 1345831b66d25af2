/** A node whose wall clock is set while it runs: ahead and back by an hour, and ahead by more than `forgetAfter`. */
import { afterEach, expect, test } from '@jest/globals';
import { createGrapevine, type Grapevine, hybrid } from '@grapevine/node';

const open: Grapevine[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((node) => node.close()));
});

const until = async (condition: () => boolean): Promise<void> => {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
};

test('writes other ids that all see, after it was ahead for one write, and counts that one', async () => {
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
  await until(() => at.has('near'));
  expect(at.has('far')).toBe(false);
  expect(here.status().stampedAhead).toBe(1);
  await here.add('near', 2);
  await until(() => at.get('near') === 2);
}, 30_000);

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
