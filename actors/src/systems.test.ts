import { dispatch, start, stop } from 'nact';
import { describe, expect, test } from '@jest/globals';

import { leaveGrapevine, spawnGossip, spawnGrapevine } from './grapevine.ts';
import { type Logger, silent } from './kernel/logger.ts';
import { add } from './messages.ts';
import { gossipView } from './views.ts';

/** nact's types want a text here; at run time it takes an object. */
const startNamed = (name: string): ReturnType<typeof start> => start({ name } as never);

/** A logger that keeps the codes of what is logged as an error. */
function aLog(): { readonly codes: string[]; readonly logger: Logger } {
  const codes: string[] = [];
  const error = (fields: { readonly err?: { readonly code?: string } }): void => {
    codes.push(fields.err?.code ?? '');
  };
  return { codes, logger: { ...silent, error } };
}

describe('a second actor system of one name in a process', () => {
  test('is said once in the log of each node of the first, at that moment, and of a node spawned later', async () => {
    const { codes, logger } = aLog();
    const first = startNamed('twin');
    const node = spawnGrapevine(first, { name: 'a', logger });
    const gossip = spawnGossip(node);
    expect(codes).toEqual([]);
    const second = startNamed('twin');
    expect(codes).toEqual(['SYSTEM_NAME_TAKEN']);
    const third = startNamed('twin');
    expect(codes).toEqual(['SYSTEM_NAME_TAKEN']);
    // What the error says: nact delivers nothing, and says nothing, to actors of the first any more.
    dispatch(gossip, add('id', 1));
    expect(gossipView(gossip).has('id')).toBe(false);
    const later = aLog();
    const other = spawnGrapevine(third, { name: 'b', logger: later.logger });
    expect(later.codes).toEqual(['SYSTEM_NAME_TAKEN']);
    await leaveGrapevine(other);
    await leaveGrapevine(node);
    for (const system of [first, second, third]) stop(system);
  });

  test('is none when the first was stopped', async () => {
    const { codes, logger } = aLog();
    stop(startNamed('again'));
    const system = startNamed('again');
    const node = spawnGrapevine(system, { name: 'a', logger });
    await leaveGrapevine(node);
    stop(system);
    expect(codes).toEqual([]);
  });
});
