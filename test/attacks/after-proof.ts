/** Attacks of members: they have the key, and are let in. */
import { encodeChannel, Encoder } from '@grapevine/wire';
import { type Message, Origin, STAMP_EPOCH_MS, Update } from '@grapevine/core';
import type { Attack, Scene } from './attack.ts';
import { trickle } from './before-proof.ts';
import { Member } from './member.ts';
import type { Stranger } from './strangers.ts';

const join = (
  { strangers, target, key, from }: Scene,
  options: { readonly autoPong?: boolean } = {},
): Promise<Member> => Member.join(strangers, target.url, { name: 'mallory', key, options: { ...from, ...options } });

/** Comes in, says one thing, and is thrown out. */
const said = (abreast: number, bytes: Uint8Array, how: 'frame' | 'raw' = 'frame'): Attack => ({
  abreast,
  come: async (scene) => {
    const member = await join(scene);
    if (how === 'raw') member.write(bytes);
    else member.stranger.say(bytes);
    return member.stranger;
  },
});

/** The head of a masked frame of 2^31 bytes. */
const hugeFrame = Buffer.from('82ff000000008000000000000000', 'hex');
/** An array of one, in an array of one, and so on, half a million times. */
const nestingBomb = new Uint8Array(2 ** 19).fill(0x91);
/** An array of 2^32 - 1 elements, of which none comes. */
const hugeArray = Buffer.from('ddffffffff', 'hex');

const stampNow = (): number => (Date.now() - STAMP_EPOCH_MS) * 4096;
const many = <T>(count: number, make: (index: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i));
/** MessagePack's binary of so many bytes. */
const valueOf = (bytes: number): string => `\xc5${String.fromCharCode(bytes >> 8, bytes & 255)}${'x'.repeat(bytes)}`;

/** Comes in once, and says on and on. */
const flood = (make: () => (member: Member) => Message, prepare?: (member: Member) => Promise<void>): Attack => ({
  abreast: 1,
  come: async (scene) => {
    const member = await join(scene);
    const next = make();
    void (async () => {
      await prepare?.(member);
      while (!scene.isOver() && isOpen(member.stranger)) {
        member.say(next(member));
        await member.room();
      }
    })();
    return member.stranger;
  },
});

const isOpen = ({ socket }: Stranger): boolean => socket.readyState === socket.OPEN;

const batch = 500;
/** Numbers go on from attack to attack, so that what comes is always news. */
let sequence = 0;
let origins = 0;

const inventedOrigins = flood(() => () => ({
  type: 'updates',
  cause: 'mail',
  updates: many(batch, () => new Update('x', '\x01', stampNow(), new Origin(`origin ${origins++}`, 1), 1, undefined)),
}));

const updates = flood(() => {
  const origin = new Origin('mallory', 1);
  return () => ({
    type: 'updates',
    cause: 'mail',
    updates: many(batch, (i) => new Update(`id${i}`, '\x01', stampNow(), origin, ++sequence, undefined)),
  });
});

/** What is asked for: a thousand values of a kilobyte. */
const stock = new Origin('stock', 1);
const stocked = 1000;
/** One for all who come: the same dot never means two updates. */
const stockStamp = stampNow();
const bringStock = async (member: Member): Promise<void> => {
  for (let at = 0; at < stocked; at += 100) {
    const brought = many(
      100,
      (i) => new Update(`stock ${at + i}`, valueOf(1000), stockStamp, stock, at + i + 1, undefined),
    );
    member.say({ type: 'updates', cause: 'mail', updates: brought });
  }
  await member.room();
};
const ask: Message = { type: 'ask', dots: [{ origin: stock, intervals: [1, stocked], newest: 0 }] };

const asks = flood(() => () => ask, bringStock);

/** Comes in once, and writes the same bytes on and on. */
const bytesOn = (bytes: (member: Member) => Uint8Array): Attack => ({
  abreast: 1,
  come: async (scene) => {
    const member = await join(scene);
    await member.stranger.frames(3);
    const { stream } = member.stranger;
    const wave = bytes(member);
    void (async () => {
      while (!scene.isOver() && isOpen(member.stranger)) {
        if (stream.writableLength < 2 ** 20) member.write(wave);
        await new Promise((resolve) => void setImmediate(resolve));
      }
    })();
    return member.stranger;
  },
});

/** A masked pong without a body. */
const pong = Buffer.from('8a8000000000', 'hex');
const pongs = bytesOn(() => Buffer.concat(many(10_000, () => pong)));

const nowhere = 2;
const forNobody: Attack = {
  abreast: 1,
  come: async (scene) => {
    const member = await join(scene);
    const declared = { channel: nowhere, instance: 'nowhere', protocol: 'hybrid', newestEpochOfYou: 0 };
    member.stranger.say(encodeChannel(declared));
    const { bytes } = new Encoder().encode(nowhere, { type: 'pull' });
    void (async () => {
      while (!scene.isOver() && isOpen(member.stranger)) {
        for (let i = 0; i < 1000; i++) member.stranger.say(bytes);
        await member.room();
      }
    })();
    return member.stranger;
  },
};

const slowReader: Attack = {
  abreast: 1,
  come: async (scene) => {
    const member = await join(scene);
    await bringStock(member);
    member.stranger.socket.pause();
    void (async () => {
      while (!scene.isOver() && !member.stranger.stream.destroyed) {
        member.say(ask);
        await member.room();
        await new Promise((resolve) => void setTimeout(resolve, 10));
      }
      member.stranger.socket.resume();
    })();
    return member.stranger;
  },
};

const slowWriter: Attack = {
  abreast: 1,
  come: async (scene) => {
    const { stranger } = await join(scene, { autoPong: false });
    await stranger.frames(3);
    trickle(stranger);
    return stranger;
  },
};

export const afterProof = {
  'frame-too-large': said(1, hugeFrame, 'raw'),
  'nesting-bomb': said(1, nestingBomb),
  'huge-array': said(1, hugeArray),
  'invented-origins': inventedOrigins,
  'flood-of-updates': updates,
  'flood-of-asks': asks,
  'flood-for-nobody': forNobody,
  'flood-of-pongs': pongs,
  'slow-reader': slowReader,
  'slow-writer': slowWriter,
} as const satisfies Readonly<Record<string, Attack>>;
