/** What serving a peer costs: its chunks are filled from the columns of the store. */
import { afterEach, describe, expect, jest, test } from '@jest/globals';
import { STAMP_EPOCH_MS } from '../../hlc.ts';
import type { Message } from '../../messages.ts';
import { seededRandom } from '../../random.ts';
import { Replica } from '../../replica.ts';
import { Values } from '../../values.ts';
import { OutgoingTransfers } from './outgoing.ts';

const NOW = STAMP_EPOCH_MS + 1_000_000;

/** A replica with so many ids, transfers of it, and what they send. */
function aServer(ids: number, frameBytes: number): { transfers: OutgoingTransfers; replica: Replica; sent: Message[] } {
  const replica = new Replica({
    name: 'a',
    epoch: NOW,
    maxDriftMs: 1000,
    maxUpdateBytes: 1000,
    forgetAfterMs: 86_400_000,
  });
  for (let n = 0; n < ids; n++) replica.write(`id ${n}`, `value ${n}`, n % 3 === 0 ? NOW + 60_000 : undefined, NOW);
  replica.write('id 1', undefined, undefined, NOW);
  replica.takeFresh();
  const sent: Message[] = [];
  const environment = {
    self: 'a',
    replica,
    random: seededRandom(1),
    judged: false,
    effects: {
      send: (_to: string | readonly string[], message: Message) => void sent.push(message),
      offer: () => {},
      setTimer: () => {},
      report: () => {},
    },
  };
  return { transfers: new OutgoingTransfers(environment, null, () => frameBytes), replica, sent };
}

afterEach(() => {
  jest.restoreAllMocks();
});

describe('serving a peer', () => {
  test.each([
    ['everything', Infinity, 0],
    ['everything in small frames', 4096, 0],
    ['a little', Infinity, 4990],
    ['a little in small frames', 600, 4990],
  ])('sends %s without a string of any value', (_what, frameBytes, known) => {
    const { transfers, replica, sent } = aServer(5000, frameBytes);
    const expected = Array.from(replica.store)
      .filter(({ sequence }) => sequence > known)
      .map(({ id, value, stamp, sequence, expiresAt }) => [id, value, stamp, sequence, expiresAt]);
    const dots = replica.context
      .dots()
      .map((each) => ({ ...each, intervals: [1, known], newest: each.newest }))
      .filter(() => known > 0);
    const read = jest.spyOn(Values.prototype, 'at');
    transfers.answer('b', { type: 'contexts', buckets: 'all', dots, invitation: 7, answer: false }, NOW);
    for (let index = 0; sent.at(-1)?.type !== 'end'; index++)
      transfers.onAck('b', { type: 'ack', invitation: 7, index }, NOW);
    expect(read).toHaveBeenCalledTimes(0);
    const rows = sent.flatMap((message) => (message.type === 'chunk' ? Array.from(message.updates) : []));
    expect(rows.map(({ id, value, stamp, sequence, expiresAt }) => [id, value, stamp, sequence, expiresAt])).toEqual(
      expected,
    );
  });
});
