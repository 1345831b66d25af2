/**
 * What is played on every runtime, and on all together: real agents that do what users have them do.
 *
 * Invariants
 *  1. A row is said to work only by the scenario that saw it work.
 *  2. What a runtime cannot give is refused at its start, with the cure; the row that expects this says so, and nothing else
 *     counts as a refusal.
 */
import { randomBytes } from 'node:crypto';
import { request } from 'node:http';
import { connect } from 'node:net';

import { encodeHello, protocolVersions } from '@grapevine/wire';
import { WebSocket } from 'ws';

import { inTime } from '../bench/clock.ts';
import { Authority } from '../security/authority.ts';
import { gives, type Runtime } from './runtimes.ts';
import { count, gossip, type Member, type Scene } from './scene.ts';

export const works = 'works';
export const refused = 'refused at the start';

export interface Row {
  readonly id: string;
  readonly title: string;
}

export interface Scenario {
  readonly rows: readonly Row[];
  /** Whether the short form plays it on each runtime alone. */
  readonly short: boolean;
  /** Whether it is for one runtime alone. @default false */
  readonly alone?: boolean;
  /** Told of each row that it has seen, in their order, with what came of it. */
  readonly play: (scene: Scene, saw: (row: string, outcome?: string) => void) => Promise<void>;
}

/** In turns, so that each of the cast does it to the next. */
const pairs = (members: readonly Member[]): [Member, Member][] =>
  members.map((member, index) => [member, members[(index + 1) % members.length] as Member]);

const life: Scenario = {
  short: true,
  rows: [
    { id: 'join', title: 'nodes join through one address (SWIM)' },
    { id: 'write', title: 'what each writes is everywhere, equal by hash' },
    { id: 'remove', title: 'what each removes is gone everywhere' },
    { id: 'expire', title: 'what expires is gone everywhere' },
    { id: 'bulk', title: '5,000 ids at once, and a value of 700 kB' },
    { id: 'kill', title: 'each is killed, and found down by the others' },
    { id: 'rejoin', title: 'each comes again, empty, and has everything' },
    { id: 'observe', title: '`grapevine members` asks each who is there' },
    { id: 'leave', title: 'SIGTERM: each leaves in good order, exit code 0' },
  ],
  play: async (scene, saw) => {
    const members = await scene.startAll();
    await scene.met(members);
    saw('join');

    const held = new Map<string, unknown>();
    for (const { agent, name, runtime } of members) {
      for (const id of [`kept of ${name}`, `removed of ${name}`]) {
        const value = { from: name, of: runtime.kind, ünïcode: '🍇', list: [1, -2.5, null, true] };
        held.set(id, value);
        agent.write({ id, value });
      }
    }
    await scene.hold(members, held);
    saw('write');

    // Each removes what another has written.
    for (const [{ agent }, { name }] of pairs(members)) {
      held.delete(`removed of ${name}`);
      agent.write({ id: `removed of ${name}`, remove: true });
    }
    await scene.hold(members, held);
    saw('remove');

    const expired = members.map((member) => members.map(({ name }) => count(member, 'expired', `brief of ${name}`)));
    for (const { agent, name } of members) agent.write({ id: `brief of ${name}`, value: name, expiresIn: 400 });
    await scene.until('all have told that all expired', () => expired.flat().every((told) => told() === 1));
    await scene.hold(members, held);
    saw('expire');

    const [first] = members as [Member];
    const many = Array.from({ length: 5000 }, (_, index) => ({ id: `item ${index}`, value: { index } }));
    first.agent.write(...many);
    for (const { id, value } of many) held.set(id, value);
    for (const { agent, name } of members) {
      const value = name.repeat(350_000);
      held.set(`large of ${name}`, value);
      agent.write({ id: `large of ${name}`, value });
    }
    await scene.hold(members, held);
    saw('bulk');

    for (const [index, { agent, name, runtime }] of members.entries()) {
      const others = members.filter((_, other) => other !== index);
      const downs = others.map((other) => count(other, 'nodedown', name));
      agent.signal('SIGKILL');
      const { signal } = await agent.exited;
      if (signal !== 'SIGKILL') throw new Error(`${name} was killed, and its end was told as ${signal}`);
      await scene.until(`all others find ${name} down`, () => downs.every((told) => told() === 1));
      members[index] = await scene.start(runtime, name, { through: others.map(({ url }) => url) });
      await scene.met(members);
      await scene.hold(members, held);
    }
    saw('kill');
    saw('rejoin');

    for (const [asker, { url, name }] of pairs(members)) {
      const { code, output, errors } = await scene.run(asker.runtime, 'members', url, '--json');
      const answer = code === 0 ? (JSON.parse(output) as { node: string; members: { name: string }[] }) : null;
      const names = answer?.members
        .map((each) => each.name)
        .sort()
        .join(' ');
      if (
        answer?.node !== name ||
        names !==
          members
            .map((each) => each.name)
            .sort()
            .join(' ')
      )
        throw new Error(`asked by ${asker.runtime.id}, ${name} said ${output}${errors}`);
    }
    saw('observe');

    while (members.length > 0) {
      const { agent, name } = members.pop() as Member;
      const lefts = members.map((other) => count(other, 'nodeleft', name));
      const { code, signal } = await agent.leave();
      if (code !== 0) throw new Error(`${name} ended with ${signal ?? code}: ${agent.complaints}`);
      await scene.until(`all others hear that ${name} left`, () => lefts.every((told) => told() === 1));
    }
    saw('leave');
  },
};

const strangers: Scenario = {
  short: false,
  rows: [
    { id: 'label', title: 'a node of another `cluster` is refused, and both say so' },
    { id: 'http', title: 'what is no Grapevine node gets an HTTP answer: no upgrade, wrong path, a page’s origin' },
    { id: 'malformed', title: 'a text frame, and a frame that does not decode, are refused with their codes' },
    { id: 'oversized', title: 'a frame over `maxFrameBytes` ends its connection, and nothing else' },
    { id: 'pieces', title: 'a frame in more than 64 pieces is refused before it is whole' },
    { id: 'silent', title: 'who connects and says nothing is let go in time' },
  ],
  play: async (scene, saw) => {
    const members = await scene.startAll(() => ['--max-frame-bytes', '65536', '--max-update-bytes', '32768']);
    await scene.met(members);
    for (const [{ runtime, name }, host] of pairs(members)) {
      const args = ['--cluster', `not that of ${name}`];
      const stranger = await scene.start(runtime, `s-${name}`, { through: [host.url], args });
      await scene.complained(stranger, 'WRONG_CLUSTER');
      await scene.complained(host, 'WRONG_CLUSTER');
      stranger.agent.signal('SIGKILL');
      await stranger.agent.exited;
    }
    saw('label');

    const silences = members.map(({ url, name }) => endOfSilence(url, name));
    for (const { url, name } of members) {
      const upgrade = { connection: 'upgrade', upgrade: 'websocket', 'sec-websocket-version': '13' };
      const key = { 'sec-websocket-key': randomBytes(16).toString('base64') };
      const ours = { ...upgrade, ...key, 'sec-websocket-protocol': 'grapevine.1' };
      const statuses = await Promise.all([
        statusOf(url, '/', {}),
        statusOf(url, '/grapevine', {}),
        statusOf(url, '/elsewhere', ours),
        statusOf(url, '/grapevine', { ...ours, origin: 'https://page.example' }),
        statusOf(url, '/grapevine', { ...ours, 'sec-websocket-protocol': 'another' }),
      ]);
      if (statuses.join(' ') !== '404 426 404 403 400') throw new Error(`${name} answers with ${statuses.join(' ')}`);
    }
    saw('http');

    for (const { url, name } of members) {
      const text = await endOf(url, (socket) => socket.send('text'));
      const noise = await endOf(url, (socket) => socket.send(Uint8Array.of(0xc1, 1, 2)));
      const later = await endOf(url, (socket) => {
        socket.send(helloOf('noisy'));
        socket.send(new Uint8Array());
        socket.send(Uint8Array.of(0xc1, 1, 2));
      });
      if (`${text} ${noise} ${later}` !== '4401 4401 4400')
        throw new Error(`${name} closes with ${text} ${noise} ${later}`);
    }
    saw('malformed');

    for (const member of members) {
      const code = await endOf(member.url, (socket) => {
        socket.send(helloOf('large'));
        socket.send(new Uint8Array());
        socket.send(new Uint8Array(65_537));
      });
      if (code !== 1009) throw new Error(`${member.name} closes with ${code}`);
      await scene.complained(member, 'FRAME_TOO_LARGE');
    }
    await agree(scene, members);
    saw('oversized');

    const unable = members.filter(({ runtime }) => !gives[runtime.kind].pieces);
    for (const member of members) {
      const code = await endOf(member.url, (socket) => {
        for (let pieces = 0; pieces < 1000; pieces += 1) socket.send(Uint8Array.of(0xc1), { fin: false });
        // Whoever puts them together finds that they are no hello.
        if (unable.includes(member)) socket.send(Uint8Array.of(0xc1));
      });
      if (code !== (unable.includes(member) ? 4401 : 1008)) throw new Error(`${member.name} closes with ${code}`);
    }
    saw('pieces', except(unable, members, 'bounded by bytes alone'));

    await Promise.all(silences);
    await agree(scene, members);
    saw('silent');
  },
};

/** What came of a row that some of the cast are unable to. */
function except(unable: readonly Member[], members: readonly Member[], instead: string): string {
  if (unable.length === 0) return works;
  if (unable.length === members.length) return instead;
  return `${works}; ${kindsOf(unable.map(({ runtime }) => runtime))}: ${instead}`;
}

/** All still take part: a write of each is everywhere. */
async function agree(scene: Scene, members: readonly Member[]): Promise<void> {
  const held = new Map(members[0]?.agent.replica(gossip));
  const mark = randomBytes(4).toString('hex');
  for (const { agent, name } of members) {
    held.set(`${mark} of ${name}`, name);
    agent.write({ id: `${mark} of ${name}`, value: name });
  }
  await scene.hold(members, held);
}

function helloOf(name: string): Uint8Array {
  return encodeHello({ versions: protocolVersions, cluster: 'default', name, epoch: 1, url: null, capabilities: [] });
}

function statusOf(url: string, path: string, headers: Readonly<Record<string, string>>): Promise<number | string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    const asked = request({ host: hostname, port, path, headers, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    asked.on('upgrade', (_response, socket) => {
      socket.destroy();
      resolve('upgraded');
    });
    asked.on('error', ({ message }) => resolve(message));
    asked.end();
  });
}

/** @returns the code that a connection ends with after this */
function endOf(url: string, say: (socket: WebSocket) => void): Promise<number> {
  return new Promise((resolve) => {
    const socket = new WebSocket(`${url}/grapevine`, 'grapevine.1', { agent: false, perMessageDeflate: false });
    socket.on('open', () => say(socket));
    socket.on('error', () => {});
    socket.on('close', resolve);
  });
}

async function endOfSilence(url: string, name: string): Promise<void> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => {});
  const closed = new Promise<true>((resolve) => void socket.on('close', () => resolve(true)).resume());
  // 5 s for a request, which is looked for every 5 s.
  const isOver = await inTime(closed, 15_000);
  socket.destroy();
  if (isOver === undefined) throw new Error(`${name} holds a silent connection for more than 15 s`);
}

const keys: Scenario = {
  short: false,
  rows: [
    { id: 'keys', title: 'keys over plain `ws:`: who has them meets' },
    { id: 'other-key', title: 'who has another key, or none, is refused, and both say so' },
    { id: 'renew', title: 'SIGHUP: keys are read again, and connections stay' },
  ],
  play: async (scene, saw) => {
    const [old, next, other] = [0, 1, 2].map(() => randomBytes(32).toString('base64')) as [string, string, string];
    const file = scene.file('keys', old);
    const members = await scene.startAll(() => ['--key-file', file]);
    await scene.met(members);
    await agree(scene, members);
    saw('keys');

    const wrong = scene.file('other', other);
    for (const [{ runtime, name }, host] of pairs(members)) {
      for (const [args, code] of [
        [['--key-file', wrong], 'KEY_MISMATCH'],
        [[], 'KEY_REQUIRED'],
      ] as const) {
        const stranger = await scene.start(runtime, `s-${name}-${code.toLowerCase()}`, { through: [host.url], args });
        await scene.complained(stranger, code);
        await scene.complained(host, code);
        stranger.agent.signal('SIGKILL');
        await stranger.agent.exited;
      }
    }
    saw('other-key');

    scene.file('keys', `${old}\n${next}`);
    for (const { agent } of members) agent.signal('SIGHUP');
    for (const member of members) await scene.complained(member, 'keys were read again: 2');
    const ups = pairs(members).map(([member, { name }]) => count(member, 'nodeup', name));
    await agree(scene, members);
    if (ups.some((told) => told() > 0)) throw new Error('connections did not stay');
    saw('renew');
  },
};

interface Certificates {
  readonly argsOf: (name: string, by?: Authority) => readonly string[];
  readonly stranger: Authority;
}

function certificates(scene: Scene): Certificates {
  const authority = new Authority();
  const ca = scene.file('ca.pem', authority.ca);
  const argsOf = (name: string, by = authority): readonly string[] => {
    const { cert, key } = by.issue({ name });
    const at = `${name}-${by === authority ? 'ours' : 'theirs'}`;
    const [certFile, keyFile] = [scene.file(`${at}.cert.pem`, cert), scene.file(`${at}.key.pem`, key)];
    return ['--tls-cert', certFile, '--tls-key', keyFile, '--tls-ca', ca];
  };
  return { argsOf, stranger: new Authority('another authority') };
}

const tls: Scenario = {
  short: false,
  rows: [
    { id: 'tls', title: 'TLS with certificates of both sides' },
    { id: 'other-certificate', title: 'who has a certificate of another authority is refused' },
    { id: 'refusal-logged', title: 'and the node that refuses it logs why' },
    { id: 'names', title: 'names in certificates are checked (`checkNames`)' },
  ],
  play: async (scene, saw) => {
    const { argsOf, stranger } = certificates(scene);
    const members = await scene.startAll((_runtime, name) => [...argsOf(name), '--tls-clients']);
    await scene.met(members);
    await agree(scene, members);
    saw('tls');

    for (const [{ runtime, name }, host] of pairs(members)) {
      const args = argsOf(`s-${name}`, stranger);
      const outsider = await scene.start(runtime, `s-${name}`, { through: [host.url], args });
      await scene.complained(outsider, 'CERTIFICATE_REFUSED');
      if (outsider.agent.members.size > 0) throw new Error(`${name} let a stranger in`);
      outsider.agent.signal('SIGKILL');
      await outsider.agent.exited;
    }
    await scene.met(members);
    saw('other-certificate');

    const silent = members.filter(({ runtime }) => !gives[runtime.kind].refusals);
    for (const member of members)
      if (!silent.includes(member)) await scene.complained(member, 'the certificate of a dialler');
    const talkative = silent.filter(({ agent }) => agent.complaints.includes('the certificate of a dialler'));
    if (talkative.length > 0)
      throw new Error(`${talkative[0]?.runtime.id} logs it after all: mend gives, and the page`);
    saw('refusal-logged', except(silent, members, 'not logged'));

    for (const { agent } of members) agent.signal('SIGKILL');
    saw('names', await namesAreChecked(scene, argsOf));
  },
};

/** Those that can check names do; the others must say at the start that they cannot. */
async function namesAreChecked(scene: Scene, argsOf: Certificates['argsOf']): Promise<string> {
  const able = scene.cast.filter(({ kind }) => gives[kind].certificates);
  const unable = scene.cast.filter((runtime) => !able.includes(runtime));
  for (const runtime of unable)
    await refusesToStart(scene, runtime, [...argsOf('unable'), '--tls-names'], {
      option: "'security.tls.checkNames'",
      cure: 'leave it out (--tls-names)',
    });
  if (able.length === 0) return refused;
  const members = await scene.startAll((runtime, name) => [
    ...argsOf(name),
    gives[runtime.kind].certificates ? '--tls-names' : '--tls-clients',
  ]);
  await scene.met(members);
  for (const host of members.filter(({ runtime }) => able.includes(runtime))) {
    const args = argsOf('one');
    const liar = await scene.start(host.runtime, `another-${host.name}`, { through: [host.url], args });
    await scene.complained(liar, 'CERTIFICATE_REFUSED');
    await scene.complained(host, 'which checkNames wants');
  }
  return unable.length === 0 ? works : `${works}; ${kindsOf(unable)}: ${refused}`;
}

const keysOverTls: Scenario = {
  short: true,
  rows: [
    { id: 'bound', title: 'keys bound to TLS (the default of both together)' },
    { id: 'unbound', title: 'keys over TLS, not bound to it (`channelBinding: false`)' },
  ],
  play: async (scene, saw) => {
    const { argsOf } = certificates(scene);
    const withKeys = ['--key-file', scene.file('keys', randomBytes(32).toString('base64'))];
    const unable = scene.cast.filter(({ kind }) => !gives[kind].binding);
    const able = scene.cast.filter((runtime) => !unable.includes(runtime));
    for (const runtime of unable)
      await refusesToStart(scene, runtime, [...withKeys, ...argsOf('unable')], {
        option: "'security.channelBinding'",
        cure: 'give channelBinding: false (--no-channel-binding) on all nodes, or run on Node.js',
      });
    if (able.length > 0) {
      const bound: Member[] = [];
      for (const [index, runtime] of (able.length === 1 ? [...able, ...able] : able).entries()) {
        const args = [...withKeys, ...argsOf(`b${index}`)];
        bound.push(await scene.start(runtime, `b${index}`, { through: bound.slice(0, 1).map(({ url }) => url), args }));
      }
      await scene.met(bound);
      await agree(scene, bound);
      // Whoever does without is no member of those that bind.
      const [host] = bound as [Member];
      for (const [index, runtime] of unable.entries()) {
        const args = [...withKeys, ...argsOf(`u${index}`), '--no-channel-binding'];
        const without = await scene.start(runtime, `u${index}`, { through: [host.url], args });
        await scene.complained(without, 'KEY_MISMATCH');
        await scene.complained(host, 'channelBinding');
        if (without.agent.members.size > 0) throw new Error(`${without.name} was let in without a binding`);
        without.agent.signal('SIGKILL');
        await without.agent.exited;
      }
      for (const { agent } of bound) agent.signal('SIGKILL');
    }
    saw(
      'bound',
      unable.length === 0 ? works : able.length === 0 ? refused : `${works}; ${kindsOf(unable)}: ${refused}`,
    );

    const members = await scene.startAll((_runtime, name) => [...withKeys, ...argsOf(name), '--no-channel-binding']);
    await scene.met(members);
    await agree(scene, members);
    saw('unbound');
  },
};

async function refusesToStart(
  scene: Scene,
  runtime: Runtime,
  args: readonly string[],
  { option, cure }: { readonly option: string; readonly cure: string },
): Promise<void> {
  const { code, output, errors } = await scene.run(runtime, 'agent', '--name', 'unable', '--listen', '0', ...args);
  const sentence = `${option} cannot be had on ${runtime.kind} ${runtime.version}`;
  if (code !== 2 || output !== '' || !errors.includes(sentence) || !errors.includes(cure))
    throw new Error(`${runtime.id} should have refused with ${option}, and ended with ${code}: ${output}${errors}`);
}

function kindsOf(runtimes: readonly Runtime[]): string {
  return [...new Set(runtimes.map(({ kind }) => kind))].join(', ');
}

const stateFile: Scenario = {
  short: false,
  rows: [{ id: 'state-file', title: 'a state file leads back into the cluster, with no seed' }],
  play: async (scene, saw) => {
    const argsOf = (name: string): string[] => ['--state-file', scene.path(`${name}.json`)];
    const members = await scene.startAll((_runtime, name) => argsOf(name));
    await scene.met(members);
    for (const [index, { agent, name, runtime }] of members.entries()) {
      // It leaves, so that what it remembers is on the disk.
      await agent.leave();
      members[index] = await scene.start(runtime, name, { args: argsOf(name) });
      await scene.met(members);
    }
    await agree(scene, members);
    saw('state-file');
  },
};

const demo: Scenario = {
  short: true,
  alone: true,
  rows: [{ id: 'demo', title: '`grapevine demo`' }],
  play: async (scene, saw) => {
    const [runtime] = scene.cast as [Runtime];
    const { code, output, errors } = await scene.run(runtime, 'demo', '--nodes', '3', '--for', '2s', '--json');
    if (code !== 0) throw new Error(`the demo ended with ${code}: ${output}${errors}`);
    saw('demo');
  },
};

const embedded: Scenario = {
  short: true,
  alone: true,
  rows: [
    { id: 'import', title: 'in a program: `import`' },
    { id: 'require', title: 'in a program: `require`' },
    { id: 'worker', title: 'a node in a worker thread meets one in the main thread' },
  ],
  play: async (scene, saw) => {
    const [runtime] = scene.cast as [Runtime];
    for (const way of ['import', 'require', 'worker']) {
      const { code, output, errors } = await scene.program(runtime, 'program.mjs', way);
      if (code !== 0 || output !== 'met\n') throw new Error(`${way} ended with ${code}: ${output}${errors}`);
      saw(way);
    }
  },
};

export const scenarios: readonly Scenario[] = [life, keys, tls, keysOverTls, stateFile, strangers, demo, embedded];

export const rows: readonly Row[] = scenarios.flatMap((scenario) => scenario.rows);
