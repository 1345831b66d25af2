/** docs/wire.md tells the truth: every example on the page is what this package writes, and reads as it says. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import {
  bucketOf,
  hashDot,
  hashInterval,
  hashText,
  liveBucketOf,
  type Message,
  mix,
  Origin,
  STAMP_EPOCH_MS,
  Update,
} from '@grapevine/core';
import { encodeChannel, encodeRefuseChannel } from './channel.ts';
import { contentId } from './content-id.ts';
import { Decoder, type Incoming } from './decoder.ts';
import { Encoder } from './encoder.ts';
import { encodeHello } from './hello.ts';
import { kinds } from './kinds.ts';
import { Told } from './told.ts';
import { encodeEphemeral, encodeValue } from './value.ts';

const page = readFileSync(join(__dirname, '../../../docs/wire.md'), 'utf8');

/** The blocks marked "hex name", without what stands behind a semicolon. */
const examples = new Map(
  [...page.matchAll(/```hex ([\w-]+)\n([\s\S]*?)```/g)].map(([, name, block]) => [
    name as string,
    (block as string).replaceAll(/;.*$/gm, '').replaceAll(/\s/g, ''),
  ]),
);

const a = new Origin('node-a', 1_763_866_839_000);
const b = new Origin('node-b', 1_763_866_900_000);
const stamp = (1_763_866_901_000 - STAMP_EPOCH_MS) * 4096;
const direction = 'push-pull' as const;
const horizonMs = 1_763_866_960_000;
const context = Int32Array.of(305_419_896, -2, 1, -1);
const live = Int32Array.of(7, 0, 3, 4);

const dense = Int32Array.from({ length: 4096 }, (_, i) => i);
const sparse = new Int32Array(1024);
sparse.set([1, -1, 5, 6], 12);
sparse[1021] = 258;

const messages: Readonly<Record<string, Message>> = {
  hashes: { type: 'hashes', context, live, horizonMs, direction },
  'bucket-sums': { type: 'bucket-sums', sums: sparse, direction },
  contexts: {
    type: 'contexts',
    buckets: [3, 200],
    dots: [
      { origin: a, intervals: [1, 5, 7, 7, 300, 1000], newest: stamp },
      { origin: b, intervals: [2, 2], newest: stamp + 1 },
    ],
    invitation: 44,
    answer: true,
  },
  chunk: {
    type: 'chunk',
    invitation: 44,
    index: 0,
    updates: [
      new Update('k1', encodeValue({ v: 1 }), stamp, a, 8, undefined),
      new Update('k2', encodeValue(null), stamp + 1, a, 9, 1_763_866_999_000),
      new Update('ä', undefined, stamp - 3 * 4096 + 2, b, 2, undefined),
      new Update('k3', encodeValue('x'), stamp + 4 * 4096, a, 11, undefined),
    ],
  },
  end: {
    type: 'end',
    invitation: 44,
    index: 1,
    buckets: 'all',
    claim: [{ origin: a, intervals: [1, 11], newest: stamp }],
    context,
    live,
    horizonMs,
  },
  ack: { type: 'ack', invitation: 44, index: 0 },
  'live-dots': {
    type: 'live-dots',
    buckets: [5, 1023],
    dots: [{ origin: a, intervals: [8, 9], newest: 0 }],
    context: [{ origin: a, intervals: [1, 9], newest: stamp }],
    horizonMs,
    answer: false,
  },
  refused: { type: 'refused', dots: [{ origin: a, intervals: [8, 8], newest: 0 }] },
  withheld: { type: 'withheld', origin: a, sequence: 12, id: 'k4', bytes: 200_010 },
  'held-back': { type: 'held-back', dots: [{ origin: a, intervals: [8, 8], newest: 0 }] },
  disowned: { type: 'disowned', dots: [{ origin: a, intervals: [8, 8], newest: 0 }] },
  room: { type: 'room', dots: [{ origin: a, intervals: [8, 8], newest: 0 }] },
  updates: { type: 'updates', cause: 'mail', updates: [new Update('k1', encodeValue(true), stamp, b, 3, undefined)] },
  announce: { type: 'announce', dots: [{ origin: b, intervals: [3, 1002], newest: 0 }], pulled: false },
  feedback: {
    type: 'feedback',
    known: [{ origin: b, intervals: [3, 5], newest: 0 }],
    news: [{ origin: b, intervals: [6, 6], newest: 0 }],
  },
  ask: { type: 'ask', dots: [{ origin: b, intervals: [6, 6], newest: 0 }] },
  gone: { type: 'gone', dots: [{ origin: b, intervals: [6, 6], newest: 0 }] },
  pull: { type: 'pull' },
  custom: { type: 'custom', body: { hi: [1, 'x'] } },
};

const declaration = { channel: 1, instance: 'flags', protocol: 'hybrid', newestEpochOfYou: 1_763_866_900_000 };
const hello = {
  versions: { min: 1, max: 1 },
  cluster: 'default',
  name: 'node-a',
  epoch: 1_763_866_838_000,
  url: 'ws://10.0.0.1:7001',
  capabilities: [],
};
/** An encoder that has given 1 to node-a and 2 to node-b. */
/** With its updates as objects. */
function asData(message: Message): Message {
  return 'updates' in message ? { ...message, updates: [...message.updates] } : message;
}

function anEncoder(): Encoder {
  const encoder = new Encoder();
  encoder.encode(1, messages['contexts'] as Message);
  return encoder;
}

function hexOf(bytes: Uint8Array | undefined): string {
  return Buffer.from(bytes as Uint8Array).toString('hex');
}

const frames: Readonly<Record<string, () => Uint8Array | undefined>> = {
  hello: () => encodeHello(hello),
  channel: () => encodeChannel(declaration),
  'refuse-channel': () => encodeRefuseChannel(1, 'rumor here'),
  origins: () => new Told().missing(anEncoder().encode(1, messages['contexts'] as Message))[0],
  'forget-origins': () => {
    const [encoder, told] = [anEncoder(), new Told()];
    told.missing(encoder.encode(1, messages['contexts'] as Message));
    return told.forget(encoder.forget(b) as number);
  },
};

describe('docs/wire.md', () => {
  test('has an example of every kind, but for live-sums, which are long, and nothing else', () => {
    const known = new Set([...Object.keys(kinds), 'value', 'ephemeral']);
    known.delete('live-sums');
    expect(new Set(examples.keys())).toEqual(known);
  });

  test.each(Object.keys(frames))('shows the frame of %s', (name) => {
    expect(hexOf(frames[name]?.())).toBe(examples.get(name));
  });

  test.each(Object.keys(messages))('shows the message %s, which reads as it was written', (name) => {
    const message = messages[name] as Message;
    expect(hexOf(anEncoder().encode(1, message).bytes)).toBe(examples.get(name));
    const decoder = new Decoder();
    for (const before of ['channel', 'origins']) decoder.decode(Buffer.from(examples.get(before) as string, 'hex'));
    const bytes = Buffer.from(examples.get(name) as string, 'hex');
    const read = decoder.decode(bytes) as Incoming & { type: 'gossip' };
    expect({ ...read, message: asData(read.message) }).toEqual({ type: 'gossip', channel: 1, message });
  });

  test('shows a value', () => {
    const value = { n: 12_345, at: new Date(1_763_866_839_000), '': [null, 1.5, -1] };
    expect(Buffer.from(encodeValue(value), 'latin1').toString('hex')).toBe(examples.get('value'));
  });

  test('shows an ephemeral value', () => {
    expect(Buffer.from(encodeEphemeral({ on: true }), 'latin1').toString('hex')).toBe(examples.get('ephemeral'));
  });

  test('numbers every kind as the code does', () => {
    for (const [name, number] of Object.entries(kinds))
      expect(page).toMatch(new RegExp(`\\| ${number} \\| \`${name}\``));
  });

  test('gives the vectors of the hash functions', () => {
    const vectors: readonly (readonly [string, number | string])[] = [
      ['mix(1)', mix(1)],
      ["hashText('node-a', 0x811c9dc5)", hashText('node-a', 0x811c9dc5)],
      ['seeds of (node-a, 1763866839000)', [...a.seeds].join(', ')],
      ['dot 1 of (node-a, 1763866839000)', [...hashDot(a.seeds, 1)].join(', ')],
      ['dot 4294967300 of (node-a, 1763866839000)', [...hashDot(a.seeds, 4_294_967_300)].join(', ')],
      ['interval 1 to 4294967300 of (node-a, 1763866839000)', [...hashInterval(a.seeds, 1, 4_294_967_300)].join(', ')],
      ['bucket of (node-a, 1763866839000)', bucketOf(a)],
      ["live bucket of 'k1'", liveBucketOf('k1')],
      ["contentId({ field: 'value' })", contentId({ field: 'value' })],
      ['contentId(4294967296)', contentId(2 ** 32)],
      ['contentId(5n)', contentId(5n)],
    ];
    expect(vectors.filter(([name, value]) => !page.includes(`| \`${name}\` | ${value} |`))).toEqual([]);
  });

  test('says truly how sums in the dense form look', () => {
    const bytes = hexOf(anEncoder().encode(1, { type: 'live-sums', sums: dense, horizonMs }).bytes);
    expect(bytes.slice(0, 30)).toBe('97160100c520000000000001000000');
  });
});
