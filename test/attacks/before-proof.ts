/** Attacks of those who have not proven themselves, or prove themselves by what they should not have. */
import { createSecretKey, randomBytes } from 'node:crypto';
import { encodeHello, type Hello } from '@grapevine/wire';
import { type Attack, type Attempt, keyOf, outcome, type Scene, type Target } from './attack.ts';
import { Member, nextEpoch } from './member.ts';
import { aHello, bytesOf, helloIn, type Stranger } from './strangers.ts';

/** Dials, and says hello with these words. */
async function greet({ strangers, target, from }: Scene, hello: Hello): Promise<Stranger> {
  const stranger = await strangers.dial(target.url, from);
  if (stranger.socket.readyState === stranger.socket.OPEN) stranger.greet(hello);
  return stranger;
}

const wrongKey: Attack = {
  abreast: 4,
  come: ({ strangers, target, from }) => strangers.speak(target.url, aHello(), createSecretKey(randomBytes(32)), from),
};

const noKey: Attack = {
  abreast: 4,
  come: (scene) => {
    const { nonce: _, ...bare } = aHello();
    return greet(scene, bare);
  },
};

const olderKeyListed: Attack = {
  abreast: 1,
  come: async ({ strangers, target, from }) => {
    const { stranger } = await Member.join(strangers, target.url, {
      name: 'older',
      key: keyOf(target.keys.older),
      options: from,
    });
    // It is let in when it hears of a channel.
    await stranger.frames(3);
    stranger.socket.close(1000);
    return stranger;
  },
};

const olderKeyWithdrawn: Attack = {
  abreast: 4,
  come: ({ strangers, target, from }) => strangers.speak(target.url, aHello(), keyOf(target.keys.older), from),
};

/** A hello and a proof that were good once, for another connection. */
const replayed: Attack = {
  abreast: 4,
  come: async (scene) => {
    const said = await overheard(scene);
    const stranger = await scene.strangers.dial(scene.target.url, scene.from);
    for (const frame of said) stranger.socket.send(frame);
    return stranger;
  },
};

/** By scene: what an honest handshake was, made once with the key. */
const conversations = new WeakMap<Scene['strangers'], Promise<readonly Uint8Array[]>>();

function overheard(scene: Scene): Promise<readonly Uint8Array[]> {
  const { strangers, target, key, from } = scene;
  const known = conversations.get(strangers);
  if (known !== undefined) return known;
  const made = (async (): Promise<readonly Uint8Array[]> => {
    const stranger = await strangers.dial(target.url, from);
    const said = await stranger.prove(
      aHello({ name: 'overheard', epoch: nextEpoch(), capabilities: ['observer'] }),
      key,
    );
    const commit = new Uint8Array();
    await stranger.frames(2);
    stranger.say(commit);
    await stranger.frames(3);
    stranger.close(1000);
    await stranger.closed;
    return [...said, commit];
  })();
  conversations.set(strangers, made);
  return made;
}

/** Is dialled, and returns to the dialler the proof that it gives. */
const reflected: Attack = {
  abreast: 0,
  wait: async (scene, met) => {
    const { strangers, target } = scene;
    await strangers.serve((socket, stream) => {
      const cameAt = performance.now();
      let heard = 0;
      socket.on('message', (data) => {
        heard++;
        socket.send(heard === 1 ? encodeHello(aHello({ epoch: nextEpoch() })) : bytesOf(data));
      });
      met(
        new Promise<Attempt>((resolve) => {
          socket.on('close', (code, reason) =>
            resolve({
              saw: code === 1006 ? 'end' : String(code),
              sentence: reason.toString(),
              bytesIn: stream.bytesRead,
              bytesOut: stream.bytesWritten,
              heldMs: performance.now() - cameAt,
            }),
          );
        }),
      );
    }, portOf(target));
  },
};

/** Stands between an honest node that dials and the victim, and says of the dialler that it speaks another version too. */
const downgraded: Attack = {
  abreast: 0,
  wait: async (scene, met) => {
    const { strangers, target, from } = scene;
    await strangers.onTheWay(
      target.url,
      (way, index, frame) => {
        if (way !== 'to' || index !== 0) return [frame];
        const hello = helloIn(frame);
        return [encodeHello({ ...hello, versions: { ...hello.versions, max: hello.versions.max + 1 } })];
      },
      { port: portOf(target), options: from, met: (far) => met(outcome(far, scene)) },
    );
  },
};

function portOf({ bait }: Target): number {
  return Number(new URL(bait as string).port);
}

const wrongCluster: Attack = { abreast: 4, come: (scene) => greet(scene, aHello({ cluster: 'another' })) };

/** The name of an honest node that lives, with the key, as one that started anew elsewhere. */
const nameTaken: Attack = {
  abreast: 1,
  come: ({ strangers, target, key, from }) =>
    strangers.speak(target.url, aHello({ name: target.honest.name, epoch: nextEpoch() }), key, from),
};

/** Says nothing: fills what one address may have, and comes on. */
const tooMany: Attack = {
  abreast: 70,
  come: ({ strangers, target, from }) => strangers.dial(target.url, from),
};

const unfinished: Attack = { abreast: 200, come: (scene) => greet(scene, aHello()) };

/** A masked frame of 100 bytes, of which a byte comes a second. */
export function trickle(stranger: Stranger): void {
  const frame = new Uint8Array(106).fill(1).fill(0x82, 0, 1).fill(0xe4, 1, 2);
  let at = 0;
  const timer = setInterval(() => {
    if (stranger.stream.destroyed || at === frame.length) clearInterval(timer);
    else stranger.stream.write(frame.subarray(at, ++at));
  }, 1000);
}

const slowHello: Attack = {
  abreast: 50,
  come: async ({ strangers, target, from }) => {
    const stranger = await strangers.dial(target.url, from);
    trickle(stranger);
    return stranger;
  },
};

/** Shows a certificate that is not taken. */
const badCertificate: Attack = {
  abreast: 2,
  come: ({ strangers, target, from }) => strangers.dial(target.url, { ...from, tls: target.credentials ?? {} }),
};

/** Shows a good certificate, and bears the name of another node: there are no keys, and names are checked. */
const wrongName: Attack = {
  abreast: 2,
  come: (scene) => {
    const { nonce: _, ...bare } = aHello({ name: scene.target.honest.name, epoch: nextEpoch() });
    return greet({ ...scene, from: { ...scene.from, tls: scene.target.credentials ?? {} } }, bare);
  },
};

/** Says nothing: more than may be unproven at a time, and comes on. */
const silentFlood: Attack = {
  abreast: 280,
  come: ({ strangers, target, from }) => strangers.dial(target.url, from),
};

/** The head of a masked frame of almost two megabytes, and of it as much as goes. */
const longFrame = Buffer.concat([Buffer.from('82ff00000000001fffff00000000', 'hex'), new Uint8Array(256 * 1024)]);

/** Says what is no hello, answers no close frame, and goes on sending. */
const refusedFlood: Attack = {
  abreast: 20,
  come: async ({ strangers, target, from }) => {
    const stranger = await strangers.dial(target.url, from);
    if (stranger.socket.readyState !== stranger.socket.OPEN) return stranger;
    stranger.socket.send(Uint8Array.of(0xc1));
    stranger.stream.write(longFrame);
    return stranger;
  },
};

const pongBefore: Attack = {
  abreast: 2,
  come: async ({ strangers, target, from }) => {
    const stranger = await strangers.dial(target.url, from);
    if (stranger.socket.readyState === stranger.socket.OPEN) stranger.socket.pong();
    return stranger;
  },
};

export const beforeProof = {
  'wrong-key': wrongKey,
  'no-key': noKey,
  'older-key-before': olderKeyListed,
  'older-key-after': olderKeyWithdrawn,
  'wrong-authority': badCertificate,
  'expired-certificate': badCertificate,
  'no-certificate': badCertificate,
  'wrong-name': wrongName,
  'replayed-hello': replayed,
  'reflected-proof': reflected,
  'downgraded-version': downgraded,
  'wrong-cluster': wrongCluster,
  'name-taken': nameTaken,
  'too-many-connections': tooMany,
  'unfinished-handshake': unfinished,
  'slow-hello': slowHello,
  'silent-flood': silentFlood,
  'refused-flood': refusedFlood,
  'pong-before': pongBefore,
} as const satisfies Readonly<Record<string, Attack>>;
