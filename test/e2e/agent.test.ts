import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, describe, expect, jest, test } from '@jest/globals';

import { type Agent, agreed, connected, endAgents, script, startAgent, until } from './agents.ts';

// Each starts some processes; on a busy machine that alone takes seconds.
jest.setTimeout(60_000);
afterEach(endAgents);

const lineCount = 5000;

/** Runs the command to its end, with this input. */
async function run(args: readonly string[], input = ''): Promise<{ code: number; out: string; err: string }> {
  const child = spawn(process.execPath, [script, ...args], { stdio: 'pipe' });
  let [out, err] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
  child.stdin.end(input);
  const [code] = (await once(child, 'close')) as [number];
  return { code, out, err };
}

const said = (agent: Agent, event: string): number => agent.events.filter((one) => one.event === event).length;

describe('agents', () => {
  test('that are given a line and its end bring it to another before they leave', async () => {
    const a = await startAgent({ name: 'a', seeds: [] });
    const { code } = await run(['agent', '--name', 'b', '--join', a.url, '--exit-on-end'], '{"id": "x", "value": 1}\n');
    expect(code).toBe(0);
    await until('the line is there', () => a.replica().get('x') === 1);
  });

  test('end with 1 and say how much was lost where nobody could take what they were given', async () => {
    const nowhere = ['--join', 'ws://127.0.0.1:1', '--leave-within', '200ms'];
    const input = '{"id": "x", "value": 1}\n{"id": "y", "value": 2}\n';
    const { code, err } = await run(['agent', '--name', 'b', ...nowhere, '--exit-on-end'], input);
    expect(code).toBe(1);
    expect(err).toContain('not delivered: 2 of the writes made here (2 in grapevine)');
  });

  test('say first that they are ready, and where', async () => {
    const a = await startAgent({ name: 'a' });
    expect(a.events[0]).toMatchObject({
      event: 'ready',
      node: 'a',
      url: expect.stringMatching(/^ws:\/\/127\.0\.0\.1:\d+$/),
    });
    await until('a snapshot', () => said(a, 'snapshot') === 1);
  });

  test('exchange what is added, removed and expires', async () => {
    const a = await startAgent({ name: 'a' });
    const b = await startAgent({ name: 'b', peers: [a] });
    const c = await startAgent({ name: 'c', listen: null, peers: [a, b] });
    await connected(a, b, c);
    expect(c.events[0]).toMatchObject({ event: 'ready', url: null });
    a.add('flag', { on: true });
    b.add('soon gone', 1, { expiresIn: 3000 });
    c.add('removed', [1, 2]);
    // Who gets an update only when its time is up never sees it, and so hears of no end.
    await until('all have all', () => [a, b, c].every((agent) => agent.replica().size === 3));
    b.remove('removed');
    await until('all heard the end of it', () =>
      [a, b, c].every((agent) => said(agent, 'removed') === 1 && said(agent, 'expired') === 1),
    );
    expect([...(await agreed([a, b, c]))]).toEqual([['flag', { on: true }]]);
    expect(c.events.find((event) => event.event === 'update' && event.id === 'flag')).toMatchObject({
      at: expect.any(Number),
      node: 'c',
      gossip: 'grapevine',
      value: { on: true },
      origin: 'a',
    });
    await a.leave();
    await until('the others noticed', () => [b, c].every((agent) => !agent.members.includes('a')));
    expect(b.events.findLast((event) => event.event === 'nodedown')).toMatchObject({ node: 'b', id: 'a' });
  });

  test('keep gossips apart, and take the first when a line names none', async () => {
    const gossips = ['flags', 'presence'];
    const a = await startAgent({ name: 'a', gossips });
    const b = await startAgent({ name: 'b', gossips, peers: [a] });
    a.add('x', 1);
    a.add('x', 2, { gossip: 'presence' });
    a.add('x', 3, { gossip: 'unknown' });
    await until('b has both', () => b.replica('flags').has('x') && b.replica('presence').has('x'));
    expect([b.replica('flags').get('x'), b.replica('presence').get('x')]).toEqual([1, 2]);
    await until('the third is answered', () => a.complaints.includes('line 3: no gossip "unknown"'));
  });

  test('answer a bad line with its number, and carry out all others', async () => {
    const a = await startAgent({ name: 'a' });
    const lines = [
      '{"id": "first", "value": 1}',
      'nonsense',
      '',
      '{"id": 7, "value": 1}',
      '{"id": "", "value": 1}',
      '{"id": "second", "value": 2}',
      '{"id": "x", "expiresin": 5, "value": 2}',
      '{"id": "x"}',
      '[]',
      '{"id": "x", "value": 1, "expiresIn": -1}',
      `{"id": "large", "value": "${'x'.repeat(2 ** 20)}"}`,
      '{"id": "third", "value": 3}',
    ];
    a.writeText(lines.join('\n'));
    await until('the last line is carried out', () => a.replica().has('third'));
    expect([...a.replica().keys()]).toEqual(['first', 'second', 'third']);
    const answered = (): string[] => a.complaints.match(/^line \d+: ./gm) ?? [];
    await until('all are answered', () => answered().length === 8);
    expect(answered().map((line) => Number.parseInt(line.slice(5), 10))).toEqual([2, 4, 5, 7, 8, 9, 10, 11]);
    expect(a.complaints.split('\n').filter((line) => line !== '' && !line.startsWith('line '))).toEqual([]);
  });

  test('take thousands of lines at once, in their order, and print each change', async () => {
    const a = await startAgent({ name: 'a' });
    const b = await startAgent({ name: 'b', peers: [a] });
    await connected(a, b);
    a.addMany(Array.from({ length: lineCount }, (_, i) => [`id-${i % 100}`, i]));
    const last = lineCount - 1;
    await until('both have the last', () => [a, b].every((agent) => agent.replica().get(`id-${last % 100}`) === last));
    const values = a.events.flatMap((event) => (event.event === 'update' ? [event.value] : []));
    expect(values.join()).toBe(Array.from({ length: lineCount }, (_, i) => i).join());
    expect((await agreed([a, b])).size).toBe(100);
  });

  test('leave at SIGTERM with exit code 0 once all is printed, and what they wrote is elsewhere', async () => {
    const a = await startAgent({ name: 'a' });
    const b = await startAgent({ name: 'b', peers: [a] });
    await connected(a, b);
    a.addMany(Array.from({ length: lineCount }, (_, i) => [`id-${i}`, i]));
    await until('a is at it', () => said(a, 'update') > 0);
    expect(await a.leave()).toEqual({ code: 0, signal: null });
    const printed = a.replica().size;
    await until('b holds what a printed', () => b.replica().size >= printed);
    for (const [id, value] of a.replica()) expect(b.replica().get(id)).toBe(value);
    expect(a.complaints).toBe('');
  });

  test('leave at SIGINT, and at the end of their input only when told to', async () => {
    const a = await startAgent({ name: 'a' });
    const b = await startAgent({ name: 'b' });
    b.add('x', 1);
    b.endInput();
    a.signal('SIGINT');
    expect(await a.exited).toEqual({ code: 0, signal: null });
    expect(await b.exited).toEqual({ code: 0, signal: null });
    expect(b.replica().get('x')).toBe(1);
  });

  test('stay when their input ends and nobody told them to leave', async () => {
    const child = spawn(process.execPath, [script, 'agent', '--name', 'a', '--listen', '0', '--json'], {
      stdio: 'pipe',
    });
    let out = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
    child.stdin.end('{"id": "x", "value": 1}\n');
    const other = await startAgent({ name: 'b', peers: [await urlOf(child, () => out)] });
    await until('its write is here', () => other.replica().has('x'));
    expect(child.exitCode).toBeNull();
    child.kill('SIGTERM');
    expect(await once(child, 'close')).toEqual([0, null]);
  });

  test('tell people in words', async () => {
    const { code, out } = await run(
      ['agent', '--name', 'a', '--exit-on-end'],
      '{"id": "flag", "value": {"on": true}}\n',
    );
    expect(code).toBe(0);
    expect(out).toMatch(/^\d\d:\d\d:\d\d\.\d{3} ready {6}a does not listen\n/);
    expect(out).toContain('update     grapevine: flag = {"on":true} (a)\n');
  });
});

describe('the command', () => {
  test('lists everything that is wrong with the options of a protocol, exit code 2', async () => {
    const { code, out, err } = await run(['agent', '--name', 'a', '--option', 'rounds=x', '--option', 'rumor.foo=1']);
    expect([code, out]).toEqual([2, '']);
    expect(err).toMatch(/^2 options are wrong:.*'rounds'.*'rumor\.foo'/s);
  });

  test('lists everything that is wrong with a node, exit code 2', async () => {
    // Each is found out by another: the reader of words, the flags, the node, its membership, its gossips.
    const wrong = ['--protocol', 'telepathy', '--nope', '--listen', 'abc', '--join', 'http://x', '--limit', 'maxIds=0'];
    const { code, out, err } = await run(['agent', ...wrong]);
    expect([code, out]).toEqual([2, '']);
    expect(err.split('\n').slice(0, -1)).toEqual([
      '6 options are wrong:',
      expect.stringMatching(/^ {2}--protocol 'telepathy': .*hybrid/),
      expect.stringMatching(/^ {2}--nope is no option of agent/),
      expect.stringMatching(/^ {2}--listen: 'listen' must be/),
      expect.stringMatching(/^ {2}--join: 'membership.seeds\[0\]' must begin with ws:/),
      "  --name: 'name' is required: a text of 1 to 128 bytes",
      expect.stringMatching(/^ {2}--limit maxIds: 'maxIds' must be a whole number of ids/),
    ]);
  });

  test('takes a negative number after an unknown flag for its value', async () => {
    const { err } = await run(['agent', '--name', 'a', '--delta', '-1', '-x']);
    expect(err).toMatch(/^2 options are wrong:\n {2}--delta is no option.*\n {2}-x is no option.*\n$/);
  });

  test('rejects what it does not know, exit code 2', async () => {
    expect(await run(['agent'])).toMatchObject({ code: 2, err: expect.stringContaining("--name: 'name' is required") });
    expect(await run(['agent', '--name', 'a', '--protocol', 'telepathy'])).toMatchObject({ code: 2 });
    expect(await run(['agent', '--name', 'a', '--option', 'rounds'])).toMatchObject({ code: 2 });
    expect(await run(['agent', '--name', 'a', '--join', 'ws://x', '--peer', 'ws://y'])).toMatchObject({
      code: 2,
      err: expect.stringContaining('--join does not apply to a list of peers'),
    });
    expect(await run(['demo', '--for', '20'])).toMatchObject({ code: 2, err: expect.stringContaining('20s') });
    expect(await run(['--help'])).toMatchObject({ code: 0, out: expect.stringContaining('agent') });
  });

  test('members tells who is there as a node knows it, for people and as one object', async () => {
    const a = await startAgent({ name: 'a', seeds: [], args: ['--meta', 'zone=west'] });
    const b = await startAgent({ name: 'b', seeds: [a], args: ['--meta', 'rack=3'] });
    await connected(a, b);
    await until('a knows what b says of itself', () =>
      a.events.some((event) => event.event.startsWith('node') && JSON.stringify(event).includes('rack')),
    );
    const { code, out } = await run(['members', a.url, '--json']);
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({
      node: 'a',
      members: [
        { name: 'a', state: 'alive', url: a.url, meta: { zone: 'west' } },
        { name: 'b', state: 'alive', url: b.url, meta: { rack: 3 } },
      ],
    });
    expect(await run(['members', b.url])).toMatchObject({
      code: 0,
      out: `a  alive  ${a.url}  zone=west\nb  alive  ${b.url}  rack=3\n`,
    });
  });

  test('members says why it cannot tell', async () => {
    const lone = await startAgent({ name: 'a' });
    const { code, err } = await run(['members', 'ws://127.0.0.1:1']);
    expect([code, err]).toEqual([1, expect.stringContaining('ws://127.0.0.1:1 cannot be reached')]);
    expect(await run(['members', lone.url])).toMatchObject({
      code: 1,
      err: expect.stringContaining('membership is not swim'),
    });
    expect(await run(['members', lone.url, '--timeout', 'soon'])).toMatchObject({ code: 2 });
  });

  test('says which words about finding others mean nothing together, exit code 2', async () => {
    const url = 'ws://127.0.0.1:1';
    for (const [args, flag] of [
      [['--peer', url, '--join', url], '--join'],
      [['--peer', url, '--meta', 'zone=a'], '--meta'],
      [['--membership', 'swim', '--peer', url], '--peer'],
      [['--discover', 'phone:book'], '--discover'],
    ] as const)
      expect(await run(['agent', '--name', 'a', ...args])).toMatchObject({
        code: 2,
        err: expect.stringContaining(flag),
      });
  });

  test('keeps to the limits that it is given', async () => {
    const a = await startAgent({ name: 'a', args: ['--limit', 'maxIds=2', '--limit', 'maxConnections=2'] });
    a.addMany([1, 2].map((value) => [`id ${value}`, value] as const));
    await until('two ids are there', () => a.replica().size === 2);
    a.add('id 3', 3);
    a.endInput();
    await a.exited;
    expect(a.complaints).toMatch(/^line 3: There is no room for 'id 3': 2 ids \(maxIds 2\)/m);
    expect(a.replica().size).toBe(2);
  });

  test('says what is wrong with limits as the library does, exit code 2', async () => {
    for (const [limit, problem] of [
      [
        'maxHandshakes=many',
        "An option is wrong: --limit maxHandshakes: 'maxHandshakes' must be a whole number of connections",
      ],
      ['maxIds=0', "An option is wrong: --limit maxIds: 'maxIds' must be a whole number of ids"],
      ['most=3', "--limit most: 'most' is no option here (the options are maxConnections"],
    ] as const)
      expect(await run(['agent', '--name', 'a', '--limit', limit])).toMatchObject({
        code: 2,
        err: expect.stringContaining(problem),
      });
    const twice = ['--max-connections', '3', '--limit', 'maxConnections=3'];
    expect(await run(['agent', '--name', 'a', ...twice])).toMatchObject({
      code: 2,
      err: expect.stringContaining('--max-connections does not apply beside'),
    });
  });

  describe('with --exit-if-refused', () => {
    const ifRefused = ['agent', '--json', '--exit-if-refused', '--leave-within', '1s'];
    const here = ['--listen', '0'];

    test('ends with 3 where a living node has its name, and was never ready', async () => {
      const seed = await startAgent({ name: 'seed', seeds: [] });
      const a = await startAgent({ name: 'a', seeds: [seed] });
      await connected(seed, a);
      expect(await run([...ifRefused, ...here, '--name', 'a', '--join', seed.url])).toMatchObject({
        code: 3,
        out: '',
        err: expect.stringMatching(/^refused, so this node has left \(--exit-if-refused\): .*"a"/m),
      });
      expect(a.members).toEqual(['seed']);
    });

    test('ends with 3 although another seed does not answer', async () => {
      const seed = await startAgent({ name: 'seed', seeds: [] });
      const a = await startAgent({ name: 'a', seeds: [seed] });
      await connected(seed, a);
      const seeds = ['--join', 'ws://127.0.0.1:1', seed.url];
      expect(await run([...ifRefused, ...here, '--name', 'a', ...seeds])).toMatchObject({ code: 3, out: '' });
    });

    test('ends with 3 where its cluster is another', async () => {
      const seed = await startAgent({ name: 'seed', seeds: [] });
      expect(await run([...ifRefused, '--name', 'a', '--cluster', 'other', '--join', seed.url])).toMatchObject({
        code: 3,
        out: '',
        err: expect.stringContaining('--cluster'),
      });
    });

    test('is ready where its name is free, and where it may be alone', async () => {
      const args = ['--exit-if-refused'];
      const seed = await startAgent({ name: 'seed', seeds: [], args });
      const a = await startAgent({ name: 'a', seeds: [seed], args });
      expect(a.events[0]).toMatchObject({ event: 'ready' });
      await connected(seed, a);
    });

    test('waits for a seed that does not answer, is not ready meanwhile, and ends with 0 when it is told to', async () => {
      const args = [...ifRefused, '--name', 'a', '--join', 'ws://127.0.0.1:1', '--log-level', 'debug'];
      const child = spawn(process.execPath, [script, ...args]);
      let [out, err] = ['', ''];
      child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
      // The log says that it dials in vain.
      child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
      while (!err.includes('ws://127.0.0.1:1')) await once(child.stderr, 'data');
      child.kill('SIGTERM');
      const [code] = (await once(child, 'close')) as [number];
      expect([code, out]).toEqual([0, '']);
    });
  });

  test('names cause and cure of a port in use, exit code 1', async () => {
    const a = await startAgent({ name: 'a' });
    const { port } = new URL(a.url);
    const { code, err } = await run(['agent', '--name', 'b', '--listen', port]);
    expect(code).toBe(1);
    expect(err).toContain(port);
  });
});

/** The URL in the first line of an agent. */
async function urlOf(child: ReturnType<typeof spawn>, out: () => string): Promise<string> {
  while (!out().includes('\n')) await once(child.stdout as NodeJS.ReadableStream, 'data');
  return (JSON.parse(out().split('\n')[0] as string) as { url: string }).url;
}
