/**
 * A cluster of two, and strangers who send what msgpackr's main build would make functions of: for code-from-strings.test.ts,
 * which runs it where no string becomes code.
 *
 * A library may catch what Node throws then and go on without the function, so each attempt is noted as well.
 */
import { once } from 'node:events';

const attempts = [];
globalThis.Function = new Proxy(Function, {
  construct(target, strings) {
    attempts.push(strings.at(-1));
    return Reflect.construct(target, strings);
  },
  apply(target, self, strings) {
    attempts.push(strings.at(-1));
    return Reflect.apply(target, self, strings);
  },
});

const { createGrapevine, entropy, hybrid } = await import('@grapevine/node');
const { Origin, Update } = await import('@grapevine/core');
const { encodeChannel, encodeHello, Encoder, protocolVersions, Told } = await import('@grapevine/wire');
const { WebSocket } = await import('ws');

/** Defines a record whose key is `a`, and has six of them: more than msgpackr reads before it makes a function. */
const records = [0xd4, 0x72, 0x40, 0x91, 0xa1, 0x61, 1, ...[2, 3, 4, 5, 6].flatMap((value) => [0x40, value])];
const sixIn = (...head) => Uint8Array.from([0x90 + head.length + 6, ...head, ...records]);

/** What this process makes of a string, and how often the main build of msgpackr tries with such records. */
async function theTrap() {
  const thrown = [];
  // oxlint-disable-next-line no-eval -- that it is forbidden is what is to be shown
  for (const attempt of [() => (0, eval)('1'), () => ({}).__proto__]) {
    try {
      attempt();
      thrown.push('nothing');
    } catch (error) {
      thrown.push(error.name);
    }
  }
  const { Packr } = await import('msgpackr');
  const before = attempts.length;
  new Packr({ useRecords: false }).unpack(sixIn(37, 1));
  return { thrown, noticed: attempts.splice(before).length };
}

async function until(condition) {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}

async function equal(ours, theirs) {
  for (const [index, gossip] of ours.entries()) {
    await gossip.add('__proto__', {
      ['__proto__']: 1,
      constructor: [new Map([['prototype', 2n ** 40n]]), new Date(0)],
    });
    await gossip.addMany(
      Array.from({ length: 50 }, (_, i) => [`id ${i}`, { text: `value ${i}`, bytes: new Uint8Array(9) }]),
    );
    await gossip.remove('id 7');
    await gossip.add('soon', 1, { expiresIn: 20 });
    await until(
      () => gossip.status().hash === theirs[index].status().hash && theirs[index].has('id 49') && !gossip.has('soon'),
    );
  }
  return ours.map((gossip, index) => [gossip.status().hash === theirs[index].status().hash, theirs[index].size]);
}

/** Frames that make a record of what a peer names, each after a hello or in its place. */
function hostileFrames() {
  const channel = encodeChannel({ channel: 1, instance: 'hybrid', protocol: 'hybrid', newestEpochOfYou: 0 });
  const value = String.fromCharCode(0x96, ...records);
  const update = new Update('id', value, 2 ** 50, new Origin('stranger', 1), 1, undefined);
  const frame = new Encoder().encode(1, { type: 'updates', cause: 'mail', updates: [update] });
  const body = Uint8Array.from([0x93, 48, 1, 0xc4, records.length + 1, 0x96, ...records]);
  return {
    'in the frame': [sixIn(37, 1)],
    'in a value': [channel, new Told().missing(frame), frame.bytes],
    'in the body of a message of a module': [channel, body],
  };
}

/** @returns the code with which the node hangs up */
async function send(url, frames) {
  const socket = new WebSocket(`${url}/grapevine`, 'grapevine.1', { perMessageDeflate: false });
  socket.on('error', () => undefined);
  socket.on('open', () => frames.forEach((frame) => socket.send(frame)));
  const [code] = await once(socket, 'close');
  return code;
}

const trap = await theTrap();
const logger = { level: 'debug' };
const a = await createGrapevine({ name: 'a', listen: { port: 0 }, seeds: [], logger });
const b = await createGrapevine({ name: 'b', listen: { port: 0 }, seeds: [a.url], logger });
const of = (node) => [entropy(), hybrid()].map((protocol) => node.gossip(protocol.name, { protocol }));
const views = await equal(of(a), of(b));

const refused = { 'in place of a hello': await send(a.url, [sixIn(0, 1, 1)]) };
for (const [what, frames] of Object.entries(hostileFrames())) {
  const hello = { versions: protocolVersions, cluster: 'default', name: what, epoch: 1, url: null, capabilities: [] };
  // The empty frame is what a dialler says last of a handshake without keys.
  refused[what] = await send(a.url, [encodeHello(hello), Buffer.alloc(0), ...frames]);
}

await Promise.all([a.leave(), b.leave()]);
process.stdout.write(JSON.stringify({ trap, views, refused, attempts }));
