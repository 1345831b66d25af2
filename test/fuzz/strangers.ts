/**
 * Strangers: they have no key, or do not get as far as a session. They call over real sockets, and are told off with a name.
 */
import { encodeHello, protocolVersions } from '@grapevine/wire';
import { proofOf } from '../attacks/strangers.ts';
import { Caller, callByTcp, helloOf, type Called } from './caller.ts';
import { Dice } from './dice.ts';
import { mutated } from './mutators.ts';
import { oddValues } from './oddities.ts';
import type { Oracle } from './oracle.ts';

export interface StrangersDetails {
  readonly called: Called;
  readonly seed: number;
  readonly oracle: Oracle;
}

export const strangerName = 'stranger';

export class Strangers {
  readonly #details: StrangersDetails;
  #calls = 0;
  #frames = 0;

  constructor(details: StrangersDetails) {
    this.#details = details;
  }

  get calls(): number {
    return this.#calls;
  }

  /** Frames that were sent before a session. */
  get frames(): number {
    return this.#frames;
  }

  async call(): Promise<void> {
    const dice = Dice.of(this.#details.seed, this.#calls++);
    const way = dice.weighted([
      [3, 'tcp'],
      [3, 'upgraded'],
      [4, 'hello'],
      [2, 'proof'],
      [1, 'commit'],
    ] as const);
    const { called, oracle } = this.#details;
    if (way === 'tcp') return this.#told(await callByTcp(called.url, requests(dice)));
    if (way === 'upgraded') return this.#told(await callByTcp(called.url, [request(), ...pieces(dice)]));
    const caller = await Caller.open(called, way, way === 'commit' ? 'caller' : strangerName);
    for (const frame of way === 'hello' ? hellos(dice) : way === 'proof' ? proofs(dice, caller) : commits(dice)) {
      this.#frames += 1;
      caller.send(frame);
    }
    await caller.read();
    // A call that could have got through, or to which nothing can be said yet.
    oracle.count(caller.end ?? 'left by himself');
    if (caller.end !== null && /^\d/.test(caller.end)) oracle.fail(`a stranger was let go with ${caller.end}`);
    await caller.close();
  }

  #told(outcome: string): void {
    if (/^\d/.test(outcome)) this.#details.oracle.fail(`a stranger was let go with ${outcome}, which has no name`);
    this.#details.oracle.count(outcome);
  }
}

// Before the upgrade

const head: readonly string[] = [
  'GET /grapevine HTTP/1.1',
  'Host: localhost',
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  'Sec-WebSocket-Protocol: grapevine.1',
];

const request = (lines: readonly string[] = head): Buffer => Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');

function requests(dice: Dice): Uint8Array[] {
  const odd = [
    'POST /grapevine HTTP/1.1',
    'GET / HTTP/1.1',
    'GET /grapevine HTTP/1.0',
    'GET /grapevine HTTP/9.9',
    `GET /${'x'.repeat(20_000)} HTTP/1.1`,
    'PRI * HTTP/2.0',
    'Origin: http://localhost',
    'Sec-WebSocket-Version: 8',
    'Sec-WebSocket-Version: 99999999999999999999',
    'Sec-WebSocket-Key: x',
    'Sec-WebSocket-Protocol: grapevine.1, grapevine.1',
    'Sec-WebSocket-Protocol: ,',
    'Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=99',
    'Sec-WebSocket-Extensions: permessage-deflate',
    'Transfer-Encoding: chunked',
    'Content-Length: -1',
    'Content-Length: 99999999999',
    'Expect: 100-continue',
    `X: ${'y'.repeat(30_000)}`,
    'X\u0000Y: z',
    ': empty',
  ];
  const lines = [...head];
  for (let i = dice.below(3); i >= 0; i--) {
    const at = dice.below(lines.length);
    lines.splice(at, dice.below(2), ...(dice.chance(0.7) ? [dice.pick(odd)] : []));
  }
  const bytes = request(lines);
  if (dice.chance(0.1)) return [dice.bytes(dice.below(500))];
  return [dice.chance(0.3) ? mutated(bytes, dice, bytes) : bytes];
}

// After it, below the frames of a session

interface PieceOptions {
  readonly fin?: boolean;
  readonly reserved?: number;
  readonly masked?: boolean;
  /** What the head says, whatever comes. */
  readonly length?: bigint;
}

/** A frame of WebSocket, in whatever state. */
function piece(
  opcode: number,
  payload: Uint8Array,
  { fin = true, reserved = 0, masked = true, length }: PieceOptions = {},
): Buffer {
  const said = length ?? BigInt(payload.length);
  const mask = masked ? Buffer.from([1, 2, 3, 4]) : Buffer.alloc(0);
  const bit = masked ? 0x80 : 0;
  const first = (fin ? 0x80 : 0) | (reserved << 4) | opcode;
  const sized = Buffer.alloc(said < 126n ? 2 : said < 65_536n ? 4 : 10);
  sized[0] = first;
  sized[1] = bit | (said < 126n ? Number(said) : said < 65_536n ? 126 : 127);
  if (sized.length === 4) sized.writeUInt16BE(Number(said), 2);
  if (sized.length === 10) sized.writeBigUInt64BE(said, 2);
  return Buffer.concat([sized, mask, masked ? payload.map((byte, i) => byte ^ (mask[i & 3] as number)) : payload]);
}

function pieces(dice: Dice): Uint8Array[] {
  const hello = helloOf(strangerName, dice.bytes(32));
  const close = (code: number): Buffer => {
    const payload = Buffer.alloc(2);
    payload.writeUInt16BE(code);
    return payload;
  };
  const all: readonly (() => Uint8Array[])[] = [
    () => [piece(2, hello, { masked: false })],
    () => [piece(2, hello, { reserved: 1 + dice.below(7) })],
    () => [piece(dice.pick([3, 4, 5, 6, 7, 11, 12, 13, 14, 15]), hello)],
    () => [piece(9, dice.bytes(126 + dice.below(200)))],
    () => [piece(8 + dice.below(3), dice.bytes(4), { fin: false })],
    () => [piece(0, hello)],
    () => [piece(1, Buffer.from('hello')), piece(2, hello)],
    () => [piece(1, Buffer.from([0xc3, 0x28]))],
    () => [piece(8, Buffer.from([3]))],
    () => [piece(8, close(dice.pick([0, 999, 1004, 1005, 1006, 1015, 2999, 5000, 65_535])))],
    () => [piece(8, Buffer.concat([close(1000), Buffer.from([0xc3, 0x28])]))],
    // A node repeats the code that it is let go with, so one of the table.
    () => [piece(8, close(dice.pick([1000, 1001, 4000, 4400, 4430])))],
    () => [
      piece(2, hello, { length: dice.pick([2n ** 21n + 1n, 2n ** 32n, 2n ** 53n, 2n ** 63n - 1n, 2n ** 64n - 1n]) }),
    ],
    () => [
      piece(2, hello.subarray(0, 4), { fin: false }),
      piece(9, dice.bytes(3)),
      piece(0, hello.subarray(4)),
      piece(2, dice.bytes(5)),
    ],
    () => [
      piece(2, new Uint8Array(1), { fin: false }),
      ...Array.from({ length: 100 }, () => piece(0, new Uint8Array(1), { fin: false })),
    ],
    () => [piece(2, hello, { fin: false }), piece(2, hello)],
    () => [...Array.from({ length: 200 }, () => piece(9, dice.bytes(dice.below(126)))), piece(2, dice.bytes(20))],
    () => [mutated(piece(2, hello), dice, hello)],
    () => [dice.bytes(1 + dice.below(300))],
    () => [piece(2, new Uint8Array(0)), piece(2, new Uint8Array(0))],
  ];
  return dice.pick(all)();
}

// Within the handshake

function hellos(dice: Dice): Uint8Array[] {
  const nonce = dice.bytes(32);
  const odd = {
    versions: protocolVersions,
    cluster: 'default',
    name: strangerName,
    epoch: 1,
    url: null,
    capabilities: [],
    nonce,
  };
  const all: readonly (() => Uint8Array)[] = [
    () => helloOf(strangerName, nonce),
    () => encodeHello({ ...odd, nonce: undefined } as never),
    () => helloOf(strangerName, nonce, { cluster: 'another' }),
    () => helloOf(strangerName, nonce, { versions: { min: 2, max: 1 + dice.below(9) } }),
    () => helloOf(strangerName, nonce, { versions: { min: 7, max: 9 } }),
    () => helloOf(dice.pick(['', 'x'.repeat(129), 'a\u0007b', '__proto__']), nonce),
    () => helloOf(strangerName, nonce, { epoch: dice.pick([-1, 0, 2 ** 53 - 1, 2 ** 53, 1.5, Number.NaN]) }),
    () =>
      helloOf(strangerName, nonce, {
        url: dice.pick(['', 'x', 'javascript:1', `ws://${'y'.repeat(3000)}`, 'ws://[::1']),
      }),
    () => helloOf(strangerName, nonce, { capabilities: Array.from({ length: dice.below(100) }, () => 'observer') }),
    () => helloOf(strangerName, dice.bytes(dice.below(64))),
    () => dice.pick(oddValues),
    () => dice.bytes(dice.below(10_000)),
    () => new Uint8Array(0),
  ];
  const frames = [dice.pick(all)()];
  if (dice.chance(0.6)) frames[0] = mutated(frames[0] as Uint8Array, dice, helloOf('other', nonce));
  while (dice.chance(0.3)) frames.push(dice.chance(0.5) ? (frames[0] as Uint8Array) : dice.pick(oddValues));
  return frames;
}

/** What may pass for a proof with somebody who does not look closely. */
function proofs(dice: Dice, caller: Caller): Uint8Array[] {
  const theirs = caller.heard[0] ?? new Uint8Array(0);
  const proof = proofOf(dice.bytes(32), 'dialler', { dialler: theirs, acceptor: theirs, version: 1 });
  return [
    dice.pick([
      () => proof,
      () => mutated(proof, dice, theirs),
      () => theirs,
      () => theirs.subarray(-32),
      () => new Uint8Array(32),
      () => new Uint8Array(0),
      () => dice.bytes(dice.below(70)),
      () => dice.pick(oddValues),
    ])(),
    ...(dice.chance(0.3) ? [new Uint8Array(0)] : []),
  ];
}

function commits(dice: Dice): Uint8Array[] {
  const frames: Uint8Array[] = dice.chance(0.5) ? [] : [new Uint8Array(0)];
  for (let i = dice.below(3); i >= 0; i--)
    frames.push(dice.chance(0.5) ? dice.bytes(dice.below(40)) : dice.pick(oddValues));
  return frames;
}
