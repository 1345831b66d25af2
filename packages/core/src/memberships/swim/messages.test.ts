import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  ACK,
  ASK,
  GOSSIP,
  HASH,
  isSwimMessage,
  MAX_ACCUSERS,
  MAX_RECORDS,
  NACK,
  PING,
  SYNC,
  type SwimMessage,
  swimProblem,
  type SwimRecord,
  WHO,
} from './messages.ts';

const names = fc.string({ minLength: 1, maxLength: 128 });
const counts = fc.maxSafeNat();
const lanes = fc.integer();
const metas = fc.dictionary(
  fc.string({ maxLength: 10 }),
  fc.oneof(fc.string({ maxLength: 20 }), fc.double({ noNaN: true, noDefaultInfinity: true }), fc.boolean()),
  { maxKeys: 3 },
);
const records: fc.Arbitrary<SwimRecord> = fc.tuple(
  names,
  counts,
  counts,
  fc.integer({ min: 0, max: 3 }),
  fc.option(
    fc.webAuthority({ withPort: true }).map((authority) => `ws://${authority}`),
    { nil: null },
  ),
  metas,
  fc.array(names, { maxLength: 4 }),
);
const news = fc.array(records, { maxLength: 4 });
const messages: fc.Arbitrary<SwimMessage> = fc.oneof(
  fc.tuple(fc.constant(PING), counts, news),
  fc.tuple(fc.constant(ACK), counts, news),
  fc.tuple(fc.constant(ASK), counts, names),
  fc.tuple(fc.constant(NACK), counts),
  fc.tuple(fc.constant(GOSSIP), news),
  fc.tuple(fc.constant(HASH), lanes, lanes),
  fc.tuple(fc.constant(SYNC), news, fc.boolean()),
  fc.tuple(fc.constant(WHO)),
);

const aRecord = (change: Readonly<Record<number, unknown>> = {}): unknown[] =>
  ['a', 1, 1, 0, 'ws://a', {}, []].map((field, i) => (i in change ? change[i] : field));

describe('what SWIM nodes say to each other', () => {
  test('every message is let through', () => {
    fc.assert(fc.property(messages, (message) => isSwimMessage(message)));
  });

  test('anything at all is judged without throwing, and what is let through is a message', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.anything(), fc.array(fc.anything()), fc.tuple(fc.integer({ min: 0, max: 8 }), fc.anything())),
        (body) => {
          if (!isSwimMessage(body)) return;
          expect(Array.isArray(body) && Number.isSafeInteger(body[0]) && body[0] >= 0).toBe(true);
        },
      ),
    );
  });

  test('a message with one field less is none; what a later version says beyond is let through', () => {
    fc.assert(
      fc.property(messages, fc.anything(), (message, more) => {
        expect(isSwimMessage([...message, more])).toBe(true);
        expect(isSwimMessage([WHO + 1, more])).toBe(true);
        expect(isSwimMessage(message.slice(0, -1))).toBe(false);
      }),
    );
  });

  test('a message with a field of another type is none', () => {
    const wrong = fc.constantFrom<unknown>(undefined, -1, 0.5, Number.NaN, 2 ** 60, {}, () => 0, new Date(0));
    fc.assert(
      fc.property(messages, fc.nat(), wrong, (message, at, value) => {
        const i = at % message.length;
        const isLane = message[0] === HASH && i > 0 && value === -1;
        expect(isSwimMessage(message.map((field, j) => (j === i ? value : field)))).toBe(isLane);
      }),
    );
  });

  test.each([
    ['no name', { 0: '' }],
    ['a name that no hello bears', { 0: 'x'.repeat(129) }],
    ['a name that moves a cursor', { 0: '\u001b[2J' }],
    ['a negative epoch', { 1: -1 }],
    ['half an incarnation', { 2: 0.5 }],
    ['an incarnation beyond what can be counted', { 2: 2 ** 53 }],
    ['no state', { 3: 4 }],
    ['a state by name', { 3: 'alive' }],
    ['a state that is a property of arrays', { 3: 'length' }],
    ['an empty URL', { 4: '' }],
    ['a URL that ends a line', { 4: 'ws://a\n' }],
    ['a URL without end', { 4: `ws://${'x'.repeat(2044)}` }],
    ['a URL with a user', { 4: 'ws://user@a:1' }],
    ['a URL with a query', { 4: 'ws://a:1/?x' }],
    ['a URL with a path', { 4: 'ws://a:1/admin' }],
    ['a name that turns a line around', { 0: 'a\u202e' }],
    ['no meta', { 5: null }],
    ['meta without end', { 5: { a: 'x'.repeat(600) } }],
    ['no accusers', { 6: null }],
    ['a nameless accuser', { 6: [''] }],
    ['an accuser whose name moves a cursor', { 6: ['a\u009b'] }],
    ['accusers without end', { 6: Array.from({ length: MAX_ACCUSERS + 1 }, (_, i) => `n${i}`) }],
  ])('a record with %s is none', (_, change) => {
    for (const frame of [
      (record: unknown) => [PING, 1, [record]],
      (record: unknown) => [ACK, 1, [aRecord(), record]],
      (record: unknown) => [GOSSIP, [record]],
      (record: unknown) => [SYNC, [record], true],
    ]) {
      expect(isSwimMessage(frame(aRecord()))).toBe(true);
      expect(isSwimMessage(frame(aRecord(change)))).toBe(false);
      expect(isSwimMessage(frame([...aRecord(), 0]))).toBe(true);
    }
  });

  test.each([
    [5, 'is no array'],
    [['ping'], 'as its kind'],
    [[PING, -1, []], 'as sequence'],
    [[ACK, 1], 'no array of records as news'],
    [[ASK, 1, ''], 'whose name is not a text'],
    [[HASH, 2 ** 31, 0], '32 bits'],
    [[SYNC, [], 1], 'as answer'],
    [[SYNC, [aRecord(), aRecord({ 1: -1 })], true], '(place 1 of all) that has an epoch'],
    [[GOSSIP, [aRecord({ 0: '' })]], '(place 0 of news) that has a name'],
    [[GOSSIP, [aRecord({ 2: 0.5 })]], 'incarnation'],
    [[GOSSIP, [aRecord({ 3: 4 })]], 'state'],
    [[GOSSIP, [aRecord({ 4: '' })]], 'URL'],
    [[GOSSIP, [aRecord({ 5: null })]], 'meta that must be an object'],
    [[GOSSIP, [aRecord({ 6: null })]], 'accusers'],
    [[GOSSIP, [[]]], 'no array of 7 fields'],
  ])('of %j is said that it %s', (body, words) => {
    expect(swimProblem(body)).toContain(words);
    expect(isSwimMessage(body)).toBe(false);
  });

  test('the longest that a record can bear is let through', () => {
    const accusers = Array.from({ length: MAX_ACCUSERS }, (_, i) => `n${i}`);
    const longest = { 0: 'x'.repeat(128), 1: Number.MAX_SAFE_INTEGER, 4: `ws://${'x'.repeat(2043)}`, 6: accusers };
    expect(isSwimMessage([GOSSIP, [aRecord(longest), aRecord({ 4: null })]])).toBe(true);
  });

  test('records without end are none', () => {
    const many = (count: number): unknown[] => Array.from({ length: count }, () => aRecord());
    expect(isSwimMessage([SYNC, many(MAX_RECORDS), false])).toBe(true);
    expect(isSwimMessage([SYNC, many(MAX_RECORDS + 1), false])).toBe(false);
  });
});
