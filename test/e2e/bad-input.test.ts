/**
 * Bad input to real processes: whatever comes in, it is named, and the node goes on.
 */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, expect, test } from '@jest/globals';
import { encodeHello } from '@grapevine/wire';
import { WebSocket } from 'ws';

import { type Agent } from './agents.ts';
import { complained, expectAgreement, onStage, portOf } from './stage.ts';

const limitMs = 60_000;

describe('what an agent is asked for', () => {
  test(
    'every option of the protocol that is wrong is named, with what would be right, and the exit code is 2',
    onStage(async (stage) => {
      const options = {
        rounds: 0,
        level: -1,
        delta: 'soon',
        removal: 'never',
        eager: true,
        direction: 'pull',
        shard: 3,
      };
      const agent = stage.spawn({ name: 'a', protocol: 'rumor', options });
      expect((await agent.exited).code).toBe(2);
      for (const named of ['rounds', 'level', 'delta', 'removal', 'eager', 'shard'])
        expect(agent.complaints).toContain(`'${named}'`);
      expect(agent.complaints).toMatch(/milliseconds/);
      expect(agent.url).toBe('');
    }),
    limitMs,
  );

  test(
    'every option of the node that is wrong is named, and the exit code is 2',
    onStage(async (stage) => {
      const numbers = ['--max-drift-ms', '-1', '--max-frame-bytes', '7'];
      const args = [...numbers, '--advertise', '10.0.0.5:7001', '--cluster', 'a\tb'];
      const agent = stage.spawn({ name: '', listen: 70_000, args });
      expect((await agent.exited).code).toBe(2);
      for (const named of ['name', 'listen', 'maxDriftMs', 'maxFrameBytes', 'advertise', 'cluster'])
        expect(agent.complaints).toContain(`'${named}'`);
    }),
    limitMs,
  );

  test(
    'wrong flags of every kind are named together, with the flag, the option and the nearest right word',
    onStage(async (stage) => {
      const args = ['--lisen', '7001', '--protocol', 'gossip', '--option', 'rounds=0', '--swim', 'profil=lan'];
      const more = ['--limit', 'most=1', '--join', 'http://10.0.0.1:7001', '--key-file', '/nowhere/key', '--meta', 'x'];
      const numbers = ['--max-connections', '0', '--max-update-bytes', '0'];
      const agent = stage.spawn({ name: 'a', listen: 70_000, seeds: [], args: [...args, ...more, ...numbers] });
      expect((await agent.exited).code).toBe(2);
      for (const sentence of [
        '11 options are wrong:',
        '--lisen is no option of agent (did you mean --listen?)',
        "--protocol 'gossip': Allowed choices are rumor, entropy, hybrid.",
        "--option rounds: 'rounds' must be a whole number of pushes, at least 1, not 0",
        "--swim profil: 'profil' is no option here (did you mean 'profile'?)",
        "--limit most: 'most' is no option here (the options are maxConnections, ",
        "--join: 'membership.seeds[0]' must begin with ws:// or wss://, not 'http://10.0.0.1:7001'",
        '--key-file /nowhere/key cannot be read: ENOENT',
        "--meta 'x': It must be key=value",
        "--listen: 'listen' must be { port, host }",
        "--max-connections: 'maxConnections' must be a whole number of connections, at least 2, not 0",
        "--max-update-bytes: 'maxUpdateBytes' must be a whole number of bytes, at least 1, not 0",
      ])
        expect(agent.complaints).toContain(sentence);
    }),
    limitMs,
  );

  test(
    'a port in use ends it with exit code 1 and a sentence, and the one who has the port goes on',
    onStage(async (stage) => {
      const first = await stage.start({ name: 'first' });
      const second = stage.spawn({ name: 'second', listen: portOf(first) });
      expect((await second.exited).code).toBe(1);
      expect(second.complaints).toContain(String(portOf(first)));
      expect(second.complaints.trim().split('\n')).toEqual([expect.stringContaining('is taken by another process')]);
      expect(second.complaints).not.toMatch(/\n\s+at /);
      first.add('a', 1);
      await expectAgreement([first], new Map([['a', 1]]));
    }),
    limitMs,
  );
});

describe('a peer', () => {
  test(
    'that cannot be reached is dialled on, and had as soon as it is there; until then the node works alone',
    onStage(async (stage) => {
      const gone = await stage.start({ name: 'late' });
      await gone.kill();
      const agent = await stage.start({ name: 'early', peers: [gone], args: ['--redial-max-ms', '300'] });
      agent.add('a', 1);
      await expectAgreement([agent], new Map([['a', 1]]));
      await complained(agent, 'PEER_UNREACHABLE');
      expect(agent.complaints).toContain(gone.url);
      const late = await stage.start({ name: 'late', listen: portOf(gone) });
      late.add('b', 2);
      await expectAgreement(
        [agent, late],
        new Map([
          ['a', 1],
          ['b', 2],
        ]),
      );
      // Said once, not at every dial.
      expect(agent.complaints.split('\n').filter((line) => line.includes('PEER_UNREACHABLE'))).toHaveLength(1);
    }),
    limitMs,
  );

  test(
    'of another cluster is refused, both say why, and both go on',
    onStage(async (stage) => {
      const one = await stage.start({ name: 'one', args: ['--cluster', 'production'] });
      const other = await stage.start({ name: 'other', args: ['--cluster', 'staging'], peers: [one] });
      const agents = [one, other];
      for (const agent of agents) await complained(agent, 'WRONG_CLUSTER');
      for (const { complaints } of agents)
        // Each is a line of JSON.
        expect(complaints.replaceAll('\\"', '"')).toContain(
          '"other" is of cluster "staging", "one" of "production": give both one cluster (--cluster)',
        );
      one.add('a', 1);
      other.add('b', 2);
      await expectAgreement([one], new Map([['a', 1]]));
      await expectAgreement([other], new Map([['b', 2]]));
      expect([...one.members, ...other.members]).toEqual([]);
    }),
    limitMs,
  );
});

/** A WebSocket to an agent, open; what becomes of it is nobody's error. */
async function webSocketTo(agent: Agent): Promise<WebSocket> {
  const socket = new WebSocket(`${agent.url}/grapevine`, 'grapevine.1');
  socket.on('error', () => undefined);
  await once(socket, 'open');
  return socket;
}

/** Sends bytes over plain TCP and waits until the connection is ended. @returns what came back */
async function overTcp(agent: Agent, bytes: Buffer): Promise<string> {
  const socket = connect(portOf(agent), '127.0.0.1');
  let answer = '';
  socket.on('error', () => undefined);
  socket.on('data', (data: Buffer) => {
    answer += data.toString('latin1');
  });
  socket.write(bytes);
  await once(socket, 'close');
  return answer;
}

/** Sends over a WebSocket and waits until it is closed. @returns the close code */
async function overWebSocket(agent: Agent, ...frames: readonly (Uint8Array | string)[]): Promise<number> {
  const socket = await webSocketTo(agent);
  const closed = once(socket, 'close');
  for (const frame of frames) socket.send(frame);
  const [code] = (await closed) as [number];
  return code;
}

const hello = (name: string): Uint8Array =>
  encodeHello({ versions: { min: 1, max: 1 }, cluster: 'default', name, epoch: 1, url: null, capabilities: [] });
const commit = new Uint8Array(0);

/** What strangers do to an agent, and what it answers. */
const garbage: readonly (readonly [what: string, done: (agent: Agent) => Promise<unknown>, answer: unknown])[] = [
  [
    'sends random bytes over TCP',
    (agent) => overTcp(agent, Buffer.concat([randomBytes(4096), Buffer.from('\r\n\r\n')])),
    expect.stringMatching(/^(HTTP\/1.1 400|$)/),
  ],
  [
    'asks for a web page',
    (agent) => overTcp(agent, Buffer.from('GET / HTTP/1.1\r\nHost: a\r\n\r\n')),
    expect.stringMatching(/^HTTP\/1.1 4\d\d/),
  ],
  [
    'posts to our path',
    (agent) => overTcp(agent, Buffer.from('POST /grapevine HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}')),
    expect.stringMatching(/^HTTP\/1.1 4\d\d/),
  ],
  ['says hello in text', (agent) => overWebSocket(agent, 'hello'), 4401],
  ['begins with random bytes', (agent) => overWebSocket(agent, randomBytes(300)), 4401],
  ['begins with a frame of 3 MiB', (agent) => overWebSocket(agent, randomBytes(3 * 2 ** 20)), 1009],
  ['goes on with random bytes', (agent) => overWebSocket(agent, hello('stranger 1'), commit, randomBytes(300)), 4400],
  ['goes on with text', (agent) => overWebSocket(agent, hello('stranger 2'), commit, '{"id":"a"}'), 4400],
  [
    'goes on with a frame of an instance that it never declared',
    (agent) => overWebSocket(agent, hello('stranger 3'), commit, Uint8Array.of(0x92, 0x21, 0x07)),
    4400,
  ],
  [
    'goes on with a frame that is too large',
    (agent) => overWebSocket(agent, hello('stranger 4'), commit, randomBytes(3 * 2 ** 20)),
    1009,
  ],
  ['speaks versions to come', (agent) => overWebSocket(agent, helloOfTheFuture), 4426],
  ['bears our own name', (agent) => overWebSocket(agent, hello(agent.name), commit), expect.any(Number)],
];

const helloOfTheFuture = encodeHello({
  cluster: 'default',
  name: 'future',
  epoch: 1,
  url: null,
  capabilities: [],
  versions: { min: 8, max: 9 },
});

describe('a stranger', () => {
  test(
    'who sends garbage loses the connection, and the node goes on serving and converges with the others',
    onStage(async (stage) => {
      const agents = await stage.mesh(2, { protocol: 'hybrid' });
      const [a, b] = agents as [Agent, Agent];
      const expected = new Map<string, unknown>();
      const silent = await webSocketTo(a);
      for (const [what, act, answer] of garbage) {
        expect([what, await act(a)]).toEqual([what, answer]);
        a.add(`a ${what}`, what);
        b.add(`b ${what}`, what);
        expected.set(`a ${what}`, what).set(`b ${what}`, what);
        await expectAgreement(agents, expected);
      }
      for (const code of ['HELLO_MALFORMED', 'FRAME_MALFORMED', 'FRAME_TOO_LARGE', 'VERSION_UNSPEAKABLE'])
        expect(a.complaints).toContain(code);
      // Random frames in their hundreds, from many strangers at once.
      const strangers = Array.from({ length: 50 }, (_, i) =>
        overWebSocket(a, hello(`random ${i}`), commit, ...Array.from({ length: 20 }, () => randomFrame())),
      );
      await Promise.all(strangers);
      await expectAgreement(agents, expected);
      const statuses = await Promise.all(agents.map((agent) => agent.status()));
      expect(statuses.map(({ restarts }) => restarts)).toEqual([0, 0]);
      expect(b.complaints).toBe('');
      expect(b.members).toEqual([a.name]);
      silent.terminate();
    }),
    limitMs,
  );
});

/** An array of a known kind, as MessagePack has it, and then anything: what gets furthest in. */
function randomFrame(): Uint8Array {
  const kinds = [1, 2, 3, 4, 16, 17, 18, 19, 20, 21, 22, 23, 24, 32, 33, 34, 35, 36, 37, 48];
  const [a, b] = randomBytes(2) as unknown as [number, number];
  const fields = 1 + (a % 9);
  return Uint8Array.of(0x90 + fields, kinds[b % kinds.length] as number, ...randomBytes(60), 0xc1);
}
