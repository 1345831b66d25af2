/**
 * Random histories, over the bytes that are shipped. A failing seed is in the message; it alone replays its history.
 *
 * More of them: GRAPEVINE_HISTORIES=20000 npx jest test/scenario/random
 */
import { describe, expect, test } from '@jest/globals';
import { entropy, hybrid, type Protocol } from '@grapevine/core';
import { plainWorld, type ProtocolChoice, runHistory } from './history.ts';
import { wireCarrier } from './wire-carrier.ts';

const COUNT = Number(process.env['GRAPEVINE_HISTORIES'] ?? 300);

const pure = (choice: ProtocolChoice): Protocol => entropy({ delta: 500, gc: 200, ...choice });

const withMail =
  (mail: number) =>
  ({ direction, level, tombstoneTtl }: ProtocolChoice): Protocol =>
    hybrid({ delta: 500, gc: 200, mail, level, tombstoneTtl, entropy: { direction } });

describe('after any history, healed nodes are equal by content and hash, then silent, and nothing is lost or back', () => {
  test.each<[name: string, protocol: (choice: ProtocolChoice) => Protocol, lossy: boolean, share: number]>([
    ['entropy', pure, true, 1],
    ['entropy, whose stores are never lost', pure, false, 0.5],
    ['hybrid', withMail(16), true, 0.5],
    ['hybrid with mail for some', withMail(2), true, 0.5],
    ['hybrid without mail', withMail(0), true, 0.5],
  ])('%s', (_name, protocol, lossy, share) => {
    const failures: string[] = [];
    for (let seed = 1; seed <= COUNT * share; seed++) {
      const { violations } = runHistory({ seed, protocol, carry: wireCarrier(), lossy });
      if (violations.length > 0) failures.push(`seed ${seed}: ${violations.join('; ')}`);
    }
    expect(failures).toEqual([]);
  });

  test.each([522, 601])(
    'seed %i, where a repeated claim made everything look young, so that nobody gave it',
    (seed) => {
      const { violations } = runHistory({ seed, protocol: withMail(16), carry: wireCarrier(), world: plainWorld });
      expect(violations).toEqual([]);
    },
  );
});
