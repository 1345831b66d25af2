/** What the ends of dials and the findings of sources make of a node that has met nobody yet. */
import { describe, expect, test } from '@jest/globals';
import { type DialEnd, type ErrorCode, GossipError } from '@grapevine/core';

import { Arrival } from './arrival.ts';

const url = 'ws://one:7001';
const other = 'ws://two:7001';

function anArrival({ seeks = true, sources = 0 } = {}): Arrival {
  return new Arrival({ clock: () => 0, seeks, sources });
}

function ended(outcome: DialEnd['outcome'], code?: ErrorCode, at = url): DialEnd {
  const end: DialEnd = { url: at, outcome, peer: null };
  return code === undefined ? end : { ...end, error: new GossipError(code, `it is ${code}`) };
}

const codeOf = ({ state }: Arrival): string => (typeof state === 'string' ? state : state.code);

describe('an arrival', () => {
  test('is shut out by a name that is taken twice in a row, since a former self may hold it for a moment', () => {
    const arrival = anArrival();
    arrival.dialling([url]);
    arrival.ended(ended('refused', 'NAME_TAKEN'));
    expect(codeOf(arrival)).toBe('seeking');
    arrival.ended(ended('refused', 'NAME_TAKEN'));
    expect(codeOf(arrival)).toBe('NAME_TAKEN');
  });

  test('does not count refusals together between which a dial ended otherwise', () => {
    const arrival = anArrival();
    arrival.dialling([url]);
    for (const end of [ended('refused', 'NAME_TAKEN'), ended('failed'), ended('refused', 'NAME_TAKEN')])
      arrival.ended(end);
    expect(codeOf(arrival)).toBe('seeking');
  });

  test('waits for a source that has found nothing yet, whatever the others lead to', () => {
    const arrival = anArrival({ sources: 2 });
    arrival.found(0, [url]);
    arrival.dialling([url]);
    arrival.ended(ended('self'));
    expect(codeOf(arrival)).toBe('seeking');
    arrival.found(1, []);
    expect(codeOf(arrival)).toBe('seeking');
    arrival.found(1, [url]);
    expect(codeOf(arrival)).toBe('alone');
  });

  test('is shut out only where every address but its own refuses it for good', () => {
    const arrival = anArrival();
    arrival.dialling([url, other, 'ws://self:7001']);
    arrival.ended(ended('self', undefined, 'ws://self:7001'));
    arrival.ended(ended('refused', 'WRONG_CLUSTER'));
    expect(codeOf(arrival)).toBe('seeking');
    arrival.ended(ended('refused', 'TOO_MANY_CONNECTIONS', other));
    expect(codeOf(arrival)).toBe('seeking');
    arrival.ended(ended('refused', 'KEY_MISMATCH', other));
    expect(codeOf(arrival)).toBe('WRONG_CLUSTER');
  });

  test('has met somebody for ever, and is told to whoever waits', () => {
    const arrival = anArrival();
    const heard: string[] = [];
    const forget = arrival.onChange(() => heard.push(codeOf(arrival)));
    arrival.dialling([url]);
    arrival.ended(ended('refused', 'WRONG_CLUSTER'));
    arrival.met();
    arrival.ended(ended('refused', 'WRONG_CLUSTER'));
    forget();
    arrival.changed();
    expect(heard).toEqual(['WRONG_CLUSTER', 'met', 'met']);
  });

  test('is alone where it was given nobody, unless a former process remembered somebody', () => {
    const arrival = anArrival({ seeks: false });
    expect(codeOf(arrival)).toBe('alone');
    arrival.remembered([]);
    expect(codeOf(arrival)).toBe('alone');
    arrival.remembered([url]);
    expect(codeOf(arrival)).toBe('seeking');
  });
});
