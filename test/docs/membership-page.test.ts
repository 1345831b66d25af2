/** docs/wire.md, "Membership": its messages are ones that swim accepts, and its hashes are those of the code. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { emptySum, isSwimMessage, SWIM_SYNC, SWIM_WHO, swimStates } from '@grapevine/core';
import * as messages from '../../packages/core/src/memberships/swim/messages.ts';
import { MAX_META_BYTES } from '../../packages/core/src/memberships/swim/meta.ts';
import { addMember } from '../../packages/core/src/memberships/swim/roster.ts';

const page = readFileSync(join(__dirname, '../../docs/wire.md'), 'utf8');
const section = page.split('\n## Membership\n')[1]?.split('\n## ')[0] ?? '';

describe('docs/wire.md, Membership', () => {
  test('numbers every kind as the code does', () => {
    const { PING, ACK, ASK, NACK, GOSSIP, HASH, SYNC, WHO } = messages;
    const rows = [...section.matchAll(/^\| (\d) \| (\w+) \|/gm)].map(([, kind, name]) => [name, Number(kind)]);
    expect(Object.fromEntries(rows)).toEqual({
      ping: PING,
      ack: ACK,
      ask: ASK,
      nack: NACK,
      gossip: GOSSIP,
      hash: HASH,
      sync: SYNC,
      who: WHO,
    });
    expect([SYNC, WHO]).toEqual([SWIM_SYNC, SWIM_WHO]);
  });

  test('shows messages that are accepted', () => {
    const lines = section.split('```json swim\n')[1]?.split('\n```')[0]?.split('\n') ?? [];
    expect(lines.length).toBeGreaterThan(3);
    for (const line of lines) expect([line, isSwimMessage(JSON.parse(line))]).toEqual([line, true]);
  });

  test('names the states and the bounds of the code', () => {
    expect(section).toContain(swimStates.map((state, index) => `${index} ${state}`).join(', '));
    expect(section).toContain(`up to ${messages.MAX_ACCUSERS} names`);
    expect(section).toContain(`up to ${messages.MAX_RECORDS.toLocaleString('en')} records`);
    expect(section).toContain(`at most ${MAX_META_BYTES} bytes`);
  });

  test('gives the hashes that the code computes', () => {
    const sum = emptySum();
    addMember(sum, { name: 'node-a', epoch: 1_763_866_839_000, incarnation: 1 }, 1);
    expect(section).toContain(`| (node-a, 1763866839000) at incarnation 1 | ${[...sum].join(' | ')} |`);
    addMember(sum, { name: 'node-b', epoch: 1_763_866_900_000, incarnation: 2 }, 1);
    expect(section).toContain(`| that, and (node-b, 1763866900000) at incarnation 2 | ${[...sum].join(' | ')} |`);
  });
});
