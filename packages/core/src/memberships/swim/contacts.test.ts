import { describe, expect, test } from '@jest/globals';
import { seededRandom } from '../../random.ts';
import { type ContactKind, Contacts } from './contacts.ts';

const nobody = (): boolean => false;

function contactsWith(...added: readonly (readonly [url: string, kind: ContactKind])[]): Contacts {
  const contacts = new Contacts(seededRandom(1));
  for (const [url, kind] of added) contacts.add(url, kind, 0);
  return contacts;
}

interface Trial {
  readonly alone: boolean;
  readonly found?: boolean;
  readonly forMs: number;
}

/** Dials whenever something is due. @returns when each dial was made */
function tried(contacts: Contacts, { alone, found = false, forMs }: Trial): number[] {
  const times: number[] = [];
  for (let nowMs = contacts.dueMs(alone); nowMs <= forMs; nowMs = contacts.dueMs(alone))
    for (const url of contacts.take(alone, nobody, nowMs)) {
      times.push(nowMs);
      contacts.ended(url, { found, alone }, nowMs);
    }
  return times;
}

const pauses = (times: readonly number[]): number[] => times.slice(1).map((time, i) => time - (times[i] as number));

describe('places', () => {
  test.each<[ContactKind, boolean, number]>([
    ['seed', false, 60_000],
    ['lost', false, 60_000],
    ['former', false, 600_000],
    ['seed', true, 5000],
    ['lost', true, 5000],
    ['former', true, 5000],
  ])('a %s (alone: %p) is dialled for ever, with pauses of at most %i ms', (kind, alone, longestMs) => {
    const all = pauses(tried(contactsWith(['u', kind]), { alone, forMs: 200 * longestMs }));
    expect(all.length).toBeGreaterThan(199);
    expect(Math.max(...all)).toBeLessThanOrEqual(longestMs);
    expect(Math.max(...all)).toBeGreaterThan(0.9 * longestMs);
    expect(Math.min(...all.slice(20))).toBeGreaterThanOrEqual(longestMs / 2);
    expect(all[0]).toBeLessThanOrEqual(alone ? 250 : 1000);
  });

  test('a place where a member answers is dialled again after the longest pause', () => {
    expect(pauses(tried(contactsWith(['u', 'seed']), { alone: true, found: true, forMs: 180_000 }))).toEqual([
      60_000, 60_000, 60_000,
    ]);
  });

  test('who is alone tries eight at once, who is not one after the other', () => {
    const urls = Array.from({ length: 10 }, (_, i) => `u${i}`);
    const contacts = contactsWith(...urls.map((url) => [url, 'seed'] as const));
    expect(contacts.take(false, nobody, 0)).toHaveLength(1);
    expect(contacts.take(false, nobody, 0)).toEqual([]);
    expect(contacts.dueMs(false)).toBe(Infinity);
    expect(contacts.dueMs(true)).toBe(0);
    expect(contacts.take(true, nobody, 0)).toHaveLength(7);
    expect(contacts.dueMs(true)).toBe(Infinity);
    contacts.ended('u0', { found: false, alone: true }, 0);
    expect(contacts.take(true, nobody, 0)).toHaveLength(1);
  });

  test('those that have waited longest go first', () => {
    const contacts = contactsWith(['u', 'seed']);
    contacts.add('v', 'seed', 50);
    contacts.take(false, nobody, 0);
    contacts.ended('u', { found: false, alone: false }, 0);
    expect(contacts.take(false, nobody, 5000)).toEqual(['v']);
  });

  test('a place where nobody new can be found is put off', () => {
    const contacts = contactsWith(['u', 'seed']);
    expect(contacts.take(false, () => true, 0)).toEqual([]);
    expect(contacts.dueMs(false)).toBe(60_000);
  });

  test('who is alone now is in a hurry', () => {
    const contacts = contactsWith(['u', 'seed']);
    tried(contacts, { alone: false, forMs: 600_000 });
    contacts.hurry(600_000);
    expect(contacts.dueMs(true)).toBeLessThan(600_250);
    expect(pauses(tried(contacts, { alone: true, forMs: 601_000 }))[0]).toBeLessThanOrEqual(250);
  });

  test.each<[ContactKind, ContactKind, ContactKind]>([
    ['seed', 'lost', 'seed'],
    ['seed', 'former', 'seed'],
    ['lost', 'seed', 'seed'],
    ['lost', 'former', 'former'],
    ['former', 'seed', 'seed'],
    ['former', 'lost', 'lost'],
  ])('a %s that is named as %s is a %s', (known, named, kind) => {
    const contacts = contactsWith(['u', known], ['u', named]);
    expect((['seed', 'lost', 'former'] as const).filter((one) => contacts.urls(one).length > 0)).toEqual([kind]);
  });

  test('what is known already keeps its pause', () => {
    const contacts = contactsWith(['u', 'lost']);
    tried(contacts, { alone: false, forMs: 600_000 });
    const dueMs = contacts.dueMs(false);
    for (const kind of ['lost', 'seed', 'former'] as const) contacts.add('u', kind, 600_000);
    expect(contacts.dueMs(false)).toBe(dueMs);
  });

  test('a former one that is named again is tried at once', () => {
    const contacts = contactsWith(['u', 'former']);
    tried(contacts, { alone: false, forMs: 600_000 });
    contacts.add('u', 'seed', 600_001);
    expect(contacts.dueMs(false)).toBe(600_001);
  });

  test('whoever is a member again is no contact; seeds stay, until nobody names them', () => {
    const contacts = contactsWith(['u', 'seed'], ['v', 'lost'], ['w', 'former']);
    for (const url of ['u', 'v', 'w', 'x']) contacts.settle(url);
    expect(contacts.urls('seed')).toEqual(['u']);
    contacts.add('v', 'lost', 0);
    for (const url of ['u', 'v', 'x']) contacts.drop(url);
    expect([contacts.urls('seed'), contacts.urls('lost'), contacts.urls('former')]).toEqual([[], ['v'], []]);
  });

  test('the answer to a dial of a place that is a contact no more changes nothing', () => {
    const contacts = contactsWith();
    contacts.ended('u', { found: false, alone: false }, 0);
    expect(contacts.dueMs(false)).toBe(Infinity);
  });

  test.each<[ContactKind, number]>([
    ['former', 256],
    ['lost', 1000],
  ])('of %s ones the latest %i are kept, however they became so', (kind, most) => {
    const contacts = contactsWith(['seed', 'seed']);
    for (let i = 0; i < most + 10; i++) contacts.add(`u${i}`, kind === 'former' && i % 2 > 0 ? 'lost' : kind, 0);
    for (let i = 0; i < most + 10; i++) contacts.add(`u${i}`, kind, 0);
    expect(contacts.urls(kind)).toHaveLength(most);
    expect(contacts.urls(kind)).toContain(`u${most + 9}`);
    expect(contacts.urls('seed')).toEqual(['seed']);
    for (const url of contacts.urls(kind)) contacts.settle(url);
    for (let i = 0; i < most; i++) contacts.add(`v${i}`, kind, 0);
    expect(contacts.urls(kind)).toHaveLength(most);
  });
});
