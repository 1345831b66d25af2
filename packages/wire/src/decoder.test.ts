/** What the decoder refuses, case by case, and that it says why. */
import { describe, expect, test } from '@jest/globals';
import type { Updates } from '@grapevine/core';
import { encodeChannel } from './channel.ts';
import { Decoder, type Incoming } from './decoder.ts';
import { kinds } from './kinds.ts';
import { packFrame } from './packer.ts';

const CHANNEL = 1;
const NONE = Buffer.alloc(0);
/** The varint of 2^53. */
const VAST = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10];
const bin = (...bytes: number[]): Buffer => Buffer.from(bytes);

/** A connection on which channel 1 and the origins 1 and 2 are known. */
function aDecoder(): Decoder {
  const decoder = new Decoder();
  decoder.decode(encodeChannel({ channel: CHANNEL, instance: 'flags', protocol: 'hybrid', newestEpochOfYou: 0 }));
  decoder.decode(packFrame([kinds.origins, 1, 'a', 10, 2, 'b', 20]));
  return decoder;
}

/** The sentence of the error that these bytes end in. */
function faultOf(bytes: Uint8Array): string {
  const error = errorOf(bytes);
  expect(error).toMatchObject({ name: 'GossipError', code: 'FRAME_MALFORMED', fault: 'peer', stateChanged: false });
  return (error as Error).message;
}

function errorOf(bytes: Uint8Array): unknown {
  const decoder = aDecoder();
  try {
    return decoder.decode(bytes);
  } catch (error) {
    return error;
  }
}

const faultOfFields = (...fields: unknown[]): string => faultOf(packFrame(fields));

/** An `updates` frame of one update, `{ id: 'x', value: 1 }` by (a, 10), number 1, with what is asked for replaced. */
function oneUpdate(
  fields: Partial<
    Record<'count' | 'runs' | 'stamps' | 'idLengths' | 'ids' | 'valueLengths' | 'values' | 'expiries', unknown>
  >,
): Uint8Array {
  const whole = {
    count: 1,
    runs: bin(1, 1, 0),
    stamps: bin(5),
    idLengths: bin(1),
    ids: Buffer.from('x'),
    valueLengths: bin(1),
    values: bin(1),
    expiries: NONE,
    ...fields,
  };
  return packFrame([kinds.updates, CHANNEL, 0, ...Object.values(whole)]);
}

describe('the decoder refuses', () => {
  test.each([
    ['nothing at all', [], 'ends before'],
    ['what is no array', [0x81, 0xa1, 0x61, 0x01], 'no array'],
    ['an array without a kind', [0x90], 'kind'],
    ['a kind that is no number', [0x91, 0xa1, 0x61], 'kind'],
    ['a negative kind', [0x91, 0xff], 'kind'],
    ['bytes behind the frame', [0x92, 37, 1, 0x00], 'further bytes behind it (1)'],
    ['the byte that MessagePack never uses', [0x93, 37, 1, 0xc1], 'the byte 0xc1'],
    [
      'a record of msgpackr',
      [0x93, 37, 1, 0xd4, 0x72, 0x40, 0x91, 0xa1, 0x61, 0x01],
      'extension that is not the timestamp',
    ],
    ['an extension', [0x93, 37, 1, 0xc7, 0x01, 0x05, 0x00], 'extension that is not the timestamp'],
    ['an array that claims four thousand million fields', [0xdd, 0xff, 0xff, 0xff, 0xff, 37], 'ends before'],
    ['a binary that claims more than came', [0x93, 34, 1, 0xc6, 0x7f, 0xff, 0xff, 0xff, 0x00], 'ends before'],
    ['what is nested too deep', [...Array<number>(65).fill(0x91), 0], 'more than 64 arrays and maps inside each other'],
  ])('%s', (_, bytes, reason) => {
    expect(faultOf(Uint8Array.from(bytes))).toContain(reason);
  });

  test('nesting without end, in no time', () => {
    expect(faultOf(Buffer.alloc(2_000_000, 0x91))).toContain('inside each other');
    expect(faultOf(Buffer.alloc(2_000_000, Buffer.from([0xdd, 0x00, 0x10, 0x00, 0x00])))).toContain(
      'inside each other',
    );
  });

  test.each([
    ['a channel number that is too high', [kinds.channel, 65536, 'i', 'p', 0], 'channel'],
    ['an instance without a name', [kinds.channel, 2, '', 'p', 0], 'instance'],
    ['an instance whose name is too long', [kinds.channel, 2, 'i'.repeat(256), 'p', 0], 'instance'],
    ['a protocol that is no text', [kinds.channel, 2, 'i', 5, 0], 'protocol'],
    ['an epoch that is no number', [kinds.channel, 2, 'i', 'p', '5'], 'epoch'],
    ['an epoch with a fraction', [kinds.channel, 2, 'i', 'p', 1.5], 'epoch'],
    ['a refusal without a reason', [kinds['refuse-channel'], 2], 'reason'],
    ['origin number 0', [kinds.origins, 0, 'c', 1], 'origin number'],
    ['an origin without a name', [kinds.origins, 3, '', 1], 'origin name'],
    ['an origin whose name moves a cursor', [kinds.origins, 3, 'c\u001b[2J', 1], 'control characters'],
    ['an origin whose name turns a line around', [kinds.origins, 3, 'c\u202e', 1], 'separators of lines'],
    ['an instance whose name cannot be seen', [kinds.channel, 2, 'i\u200b', 'p', 0], 'separators of lines'],
    ['a protocol whose name ends a line', [kinds.channel, 2, 'i', 'p\u2028', 0], 'separators of lines'],
    ['an origin with too long a name', [kinds.origins, 3, 'ä'.repeat(65), 1], 'origin name'],
    ['an origin of epoch 0', [kinds.origins, 3, 'c', 0], 'origin epoch'],
    ['an origin without its epoch', [kinds.origins, 3, 'c'], 'origin epoch'],
    ['a number told of a second origin', [kinds.origins, 1, 'c', 1], 'two origins'],
    ['gossip on a channel that was not declared', [kinds.pull, 9], 'declared'],
    ['gossip without a channel', [kinds.pull], 'channel'],
    ['a sum beyond 32 bits', [kinds.hashes, CHANNEL, 2 ** 31, 0, 0, 0, 0, 0], 'sum'],
    ['a horizon that is no number', [kinds.hashes, CHANNEL, 0, 0, 0, 0, Number.NaN, 0], 'horizon'],
    ['a direction that is none', [kinds.hashes, CHANNEL, 0, 0, 0, 0, 0, 3], 'direction'],
    ['a cause that is none', [kinds.updates, CHANNEL, 3], 'cause'],
    ['a negative index', [kinds.ack, CHANNEL, 1, -1], 'index'],
    ['an invitation above 2^53', [kinds.ack, CHANNEL, 2 ** 53, 1], 'invitation'],
    ['an answer that is neither true nor false', [kinds.contexts, CHANNEL, null, NONE, 1, 1], 'answer'],
    ['a bucket that is none', [kinds.contexts, CHANNEL, bin(0x80, 0x02), NONE, 1, true], 'bucket 256'],
    ['a bucket twice', [kinds.contexts, CHANNEL, bin(7, 7), NONE, 1, true], 'bucket 7'],
    ['sums of a form that is none', [kinds['bucket-sums'], CHANNEL, 2, NONE, 0], 'form'],
    ['too few sums', [kinds['bucket-sums'], CHANNEL, 0, Buffer.alloc(2047), 0], '32-bit'],
    ['too many sums', [kinds['bucket-sums'], CHANNEL, 0, Buffer.alloc(2052), 0], '4 bytes too many'],
    ['a sum in a place that is none', [kinds['bucket-sums'], CHANNEL, 1, bin(0x80, 0x04, 1, 0, 0, 0), 0], 'place 512'],
    ['dots that are no binary', [kinds.ask, CHANNEL, 'dots'], 'dots'],
    ['dots of an origin that was not told', [kinds.ask, CHANNEL, bin(3, 1, 0, 0)], 'origin number 3'],
    ['dots of an origin twice', [kinds.ask, CHANNEL, bin(1, 1, 0, 0, 1, 1, 5, 0)], 'twice'],
    ['an origin without intervals', [kinds.ask, CHANNEL, bin(1, 0)], 'without intervals'],
    ['dots that end inside an interval', [kinds.ask, CHANNEL, bin(1, 1, 0)], 'too early'],
    ['a number that goes on for ever', [kinds.ask, CHANNEL, Buffer.alloc(50, 0xff)], '8 bytes'],
    ['a number above 2^53', [kinds.ask, CHANNEL, bin(1, 1, 255, 255, 255, 255, 255, 255, 255, 127, 0)], '2^53'],
    ['a newest stamp above 2^53', [kinds.contexts, CHANNEL, null, bin(1, ...VAST, 1, 0, 0), 1, true], '2^53'],
    ['an interval above 2^53', [kinds.ask, CHANNEL, bin(1, 1, 0, 255, 255, 255, 255, 255, 255, 255, 15)], '2^53'],
    [
      'a body that is not one value',
      [kinds.custom, CHANNEL, bin(1, 1)],
      'its body is one MessagePack value with further bytes',
    ],
    [
      'a body nested too deep',
      [kinds.custom, CHANNEL, bin(...Array<number>(65).fill(0x91), 0)],
      'its body has more than 64',
    ],
  ])('%s', (_, fields, reason) => {
    expect(faultOfFields(...(fields as unknown[]))).toContain(reason);
  });
});

describe('of an update, the decoder refuses', () => {
  test('nothing, when all is well', () => {
    const { message } = aDecoder().decode(oneUpdate({})) as Incoming & { type: 'gossip' };
    expect([...(message as Updates).updates]).toMatchObject([
      { id: 'x', value: '\u0001', stamp: 4096, sequence: 1, origin: { name: 'a', epoch: 10 } },
    ]);
  });

  test.each([
    ['a count that no bytes stand for', { count: 2 ** 40 }, 'bytes of stamps'],
    ['a count above the columns', { count: 2, stamps: bin(5, 0) }, 'too early'],
    ['a count below the columns', { count: 0 }, 'too many'],
    ['an origin that was not told', { runs: bin(3, 1, 0) }, 'origin number 3'],
    ['a run of none', { runs: bin(1, 0, 0) }, 'run of 0'],
    ['a run longer than the frame', { runs: bin(1, 2, 0) }, 'run of 2'],
    ['sequence number 0', { runs: bin(1, 1, 1) }, 'sequence number'],
    ['bytes behind the runs', { runs: bin(1, 1, 0, 0) }, 'too many'],
    ['a stamp of 0', { stamps: bin(1) }, 'stamp'],
    ['a stamp below 0', { stamps: bin(3) }, 'stamp'],
    ['a counter of 4096', { stamps: bin(2, 0x80, 0x20) }, 'counter'],
    ['a stamp without its counter', { stamps: bin(2) }, 'too early'],
    ['an empty id', { idLengths: bin(0), ids: NONE }, 'empty'],
    ['an id longer than its blob', { idLengths: bin(2) }, 'behind the blob'],
    ['a blob of ids with more', { ids: Buffer.from('xy') }, 'more than the lengths say'],
    ['an id of 4,097 characters', { idLengths: bin(0x81, 0x20), ids: Buffer.alloc(4097, 'x') }, '4096'],
    [
      'an id of 4,097 characters that are no ASCII',
      { idLengths: bin(0x82, 0x40), ids: Buffer.from('ä'.repeat(4097)) },
      '4096',
    ],
    ['an id that is no UTF-8', { ids: bin(0xff) }, 'UTF-8'],
    ['half a character', { idLengths: bin(1), ids: bin(0xc3) }, 'UTF-8'],
    ['a value longer than its blob', { valueLengths: bin(2) }, 'behind the blob'],
    ['a blob of values with more', { values: bin(1, 1) }, 'more than the lengths say'],
    ['a value that is two', { valueLengths: bin(2), values: bin(1, 1) }, 'further bytes behind it (1)'],
    ['a value cut short', { values: bin(0x91) }, 'ends before'],
    ['a value of the byte that MessagePack never uses', { values: bin(0xc1) }, 'the byte 0xc1'],
    [
      'a value of a foreign extension',
      { valueLengths: bin(3), values: bin(0xd4, 0x00, 0x00) },
      'extension that is not the timestamp',
    ],
    ['an expiry below 0', { expiries: bin(0, 1) }, 'expiry'],
    ['an expiry of an update that is not there', { expiries: bin(1, 2) }, 'update 1 of 1'],
    ['a place of an expiry and nothing more', { expiries: bin(1) }, 'update 1 of 1'],
    ['an expiry without its time', { expiries: bin(0) }, 'too early'],
    ['a column that is no binary', { stamps: 'stamps' }, 'binary'],
  ])('%s', (_, fields, reason) => {
    expect(faultOf(oneUpdate(fields))).toContain(reason);
  });

  test('ids that share a character between them', () => {
    const bytes = oneUpdate({
      count: 2,
      runs: bin(1, 2, 0),
      stamps: bin(5, 0),
      idLengths: bin(1, 1),
      ids: Buffer.from('ä'),
      valueLengths: bin(1, 1),
      values: bin(1, 1),
    });
    expect(faultOf(bytes)).toContain('inside a character');
  });
});

describe('what a connection may fill', () => {
  const filled = (act: () => void): string => {
    try {
      act();
    } catch (error) {
      return (error as Error).message;
    }
    return '';
  };

  test('are so many channels, and one that is declared again is not one more', () => {
    const decoder = new Decoder();
    const declare = (channel: number): unknown =>
      decoder.decode(encodeChannel({ channel, instance: `i${channel}`, protocol: 'p', newestEpochOfYou: 0 }));
    for (let channel = 0; channel < 8192; channel++) declare(channel);
    declare(5);
    expect(filled(() => declare(8192))).toContain('more than 8192 channels');
  });

  test('are so many origins at a time, or as many as the node expects', () => {
    const decoder = new Decoder(() => 3);
    decoder.decode(packFrame([kinds.origins, 1, 'a', 1, 2, 'b', 1, 3, 'c', 1]));
    expect(filled(() => decoder.decode(packFrame([kinds.origins, 4, 'd', 1])))).toContain('more than 3 origins');
    decoder.decode(packFrame([kinds['forget-origins'], 2]));
    decoder.decode(packFrame([kinds.origins, 4, 'd', 1]));
    const most = new Decoder();
    for (let i = 0; i < 65_536; i += 4096)
      most.decode(
        packFrame([kinds.origins, ...Array.from({ length: 4096 }, (_, j) => [i + j + 1, 'a', i + j + 1]).flat()]),
      );
    expect(filled(() => most.decode(packFrame([kinds.origins, 70_000, 'd', 1])))).toContain('more than 65536 origins');
  });

  test('is no memory for elements that are declared and do not come', () => {
    const before = process.memoryUsage();
    for (const head of [0xdd, 0xdf])
      for (let i = 0; i < 200; i++) {
        faultOf(Uint8Array.from([0x93, kinds.custom, CHANNEL, 0xc4, 5, head, 0xff, 0xff, 0xff, 0xff]));
        faultOf(Uint8Array.from([head, 0xff, 0xff, 0xff, 0xff, kinds.pull]));
      }
    const after = process.memoryUsage();
    // One array of 2^32 elements alone would take 32 GiB.
    expect(after.rss - before.rss).toBeLessThan(200 * 1024 * 1024);
  });
});

describe('a whole number in a custom body', () => {
  /** The body `[number]` in this form. */
  const bodyOf = (...bytes: number[]): unknown => {
    const incoming = aDecoder().decode(packFrame([kinds.custom, CHANNEL, bin(0x91, ...bytes)]));
    return incoming?.type === 'gossip' && incoming.message.type === 'custom' ? incoming.message.body : undefined;
  };

  test.each([
    ['a positive fixint', [5], 5],
    ['a negative fixint', [0xfb], -5],
    ['uint 8', [0xcc, 5], 5],
    ['uint 16', [0xcd, 0, 5], 5],
    ['uint 32', [0xce, 0, 0, 0, 5], 5],
    ['uint 64', [0xcf, 0, 0, 0, 0, 0, 0, 0, 5], 5],
    ['int 8', [0xd0, 0xfb], -5],
    ['int 16', [0xd1, 0xff, 0xfb], -5],
    ['int 32', [0xd2, 0xff, 0xff, 0xff, 0xfb], -5],
    ['int 64', [0xd3, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfb], -5],
    ['float 32', [0xca, 0x40, 0xa0, 0, 0], 5],
    ['float 64', [0xcb, 0x40, 0x14, 0, 0, 0, 0, 0, 0], 5],
    ['the highest', [0xcf, 0, 0x1f, 255, 255, 255, 255, 255, 255], Number.MAX_SAFE_INTEGER],
    ['the lowest', [0xd3, 0xff, 0xe0, 0, 0, 0, 0, 0, 1], Number.MIN_SAFE_INTEGER],
    ['one more than the highest', [0xcf, 0, 0x20, 0, 0, 0, 0, 0, 0], 2n ** 53n],
  ])('is read from %s', (_, bytes, value) => {
    expect(bodyOf(...bytes)).toEqual([value]);
  });
});

describe('names', () => {
  const broken = (fields: readonly unknown[], text: string, bytes: readonly number[]): Buffer => {
    const frame = Buffer.from(packFrame([...fields]));
    frame.set(bytes, frame.indexOf(text));
    return frame;
  };

  test.each([
    ['an origin', [kinds.origins, 3, 'abcd', 1]],
    ['an instance', [kinds.channel, 2, 'abcd', 'p', 0]],
    ['a protocol', [kinds.channel, 2, 'i', 'abcd', 0]],
    ['a custom body', [kinds.custom, CHANNEL, packFrame(['abcd'])]],
  ])('of %s that are not UTF-8 are malformed', (_what, fields) => {
    for (const bytes of [[0xff], [0xc0, 0xae], [0xed, 0xa0, 0x80]])
      expect(() => aDecoder().decode(broken(fields, 'abcd', bytes))).toThrow('UTF-8');
  });

  test('of one origin under two numbers are malformed, until the first is forgotten', () => {
    const decoder = aDecoder();
    decoder.decode(packFrame([kinds.origins, 1, 'a', 10]));
    expect(() => decoder.decode(packFrame([kinds.origins, 3, 'a', 10]))).toThrow(
      'an origin is told twice, with two numbers',
    );
    decoder.decode(packFrame([kinds['forget-origins'], 1]));
    decoder.decode(packFrame([kinds.origins, 3, 'a', 10]));
    decoder.decode(packFrame([kinds.origins, 4, 'a', 11]));
    expect(() => decoder.decode(packFrame([kinds.origins, 1, 'a', 10]))).toThrow('two numbers');
  });
});
