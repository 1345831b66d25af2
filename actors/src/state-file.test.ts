import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';

import { turns, until } from './kernel/testing/event-loop.ts';
import { ManualClock } from './kernel/testing/manual-clock.ts';
import { StateFile, type StateFileParts } from './state-file.ts';
import { Log } from './testing/cluster.ts';

let folder: string;
let path: string;
let log: Log;
let clock: ManualClock;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'grapevine-state-'));
  path = join(folder, 'state.json');
  log = new Log();
  clock = new ManualClock();
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const stateFile = (parts: Partial<StateFileParts> = {}): StateFile =>
  new StateFile({ path, cluster: 'test', node: 'a', logger: log, clock, ...parts });
const content = (): { urls?: readonly string[] } => JSON.parse(readFileSync(path, 'utf8')) as { urls?: string[] };
const said = (): (readonly [string, string])[] => log.lines.map(({ level, message }) => [level, message] as const);

describe('the state file', () => {
  test('remembers for the next start what was written, in order', async () => {
    const file = stateFile();
    expect(await file.read()).toEqual([]);
    file.write(['ws://b:1', 'ws://c:1']);
    await file.flush();
    expect(await stateFile().read()).toEqual(['ws://b:1', 'ws://c:1']);
    expect(content()).toEqual({ version: 1, cluster: 'test', node: 'a', urls: ['ws://b:1', 'ws://c:1'] });
    expect(readdirSync(folder)).toEqual(['state.json']);
    expect(log.lines).toEqual([]);
  });

  test('takes what another node of the cluster wrote', async () => {
    const file = stateFile({ node: 'b' });
    file.write(['ws://c:1']);
    await file.flush();
    expect(await stateFile().read()).toEqual(['ws://c:1']);
  });

  test('is written at once, then at most once a second, the newest list alone', async () => {
    const file = stateFile();
    file.write(['ws://1:1']);
    file.write(['ws://2:1']);
    await until(() => clock.waits.length > 0);
    expect(content().urls).toEqual(['ws://1:1']);
    file.write(['ws://3:1']);
    expect(clock.waits).toEqual([1000]);
    clock.advance(999);
    await turns(5);
    expect(content().urls).toEqual(['ws://1:1']);
    clock.advance(1);
    await until(() => content().urls?.[0] === 'ws://3:1');
    await file.flush();
    expect(clock.waits).toEqual([]);
  });

  test('is not written again with what it has', async () => {
    const file = stateFile();
    file.write(['ws://a:1']);
    await file.flush();
    writeFileSync(path, 'somebody else');
    clock.advance(5000);
    file.write(['ws://a:1']);
    await file.flush();
    expect(readFileSync(path, 'utf8')).toBe('somebody else');
  });

  test('keeps the list as it was given, whatever becomes of the array', async () => {
    const file = stateFile();
    const urls = ['ws://a:1'];
    file.write(urls);
    urls.push('ws://b:1');
    await file.flush();
    expect(content().urls).toEqual(['ws://a:1']);
  });

  test('is flushed with the newest list, also while a write is under way, and leaves no timer', async () => {
    const file = stateFile();
    file.write(['ws://1:1']);
    file.write(['ws://2:1']);
    await file.flush();
    expect(content().urls).toEqual(['ws://2:1']);
    expect(clock.waits).toEqual([]);
    file.write(['ws://3:1']);
    expect(clock.waits).toEqual([1000]);
    await file.flush();
    expect(content().urls).toEqual(['ws://3:1']);
    expect(clock.waits).toEqual([]);
  });

  test('may be flushed by two at once', async () => {
    const file = stateFile();
    file.write(['ws://1:1']);
    file.write(['ws://2:1']);
    await Promise.all([file.flush(), file.flush()]);
    expect(content().urls).toEqual(['ws://2:1']);
    expect(readdirSync(folder)).toEqual(['state.json']);
    expect(log.lines).toEqual([]);
  });

  test('sweeps what a crash left beside it, and follows no link there', async () => {
    writeFileSync(join(folder, 'victim'), 'untouched');
    symlinkSync('victim', `${path}.tmp`);
    const file = stateFile();
    file.write(['ws://a:1']);
    await file.flush();
    expect(readFileSync(join(folder, 'victim'), 'utf8')).toBe('untouched');
    expect(readdirSync(folder).sort()).toEqual(['state.json', 'victim']);
  });

  test.each([
    ['nothing', '', 'it is empty'],
    ['half of itself', '{"version":1,"clus', 'it is no JSON: '],
    ['another kind of JSON', '[]', 'it is no object with a version'],
    ['null', 'null', 'it is no object with a version'],
    ['a version that is none', '{"version":"1"}', "its version is '1', and must be 1"],
    ['a version to come', '{"version":2}', 'a newer release wrote it, in version 2 where this one reads 1'],
    ['no cluster', '{"version":1}', "it names no 'cluster'"],
    [
      'another cluster',
      '{"version":1,"cluster":"production","urls":[]}',
      "it is of the cluster 'production', and this node's is 'test': give each a file of its own",
    ],
    ['no URLs', '{"version":1,"cluster":"test","urls":["x"]}', "its 'urls' are no array of URLs"],
  ])('that holds %s is kept aside, and said to be of no use', async (_what, text, reason) => {
    writeFileSync(path, text);
    const file = stateFile();
    expect(await file.read()).toEqual([]);
    expect(said()).toHaveLength(1);
    const [level, message] = said()[0] as readonly [string, string];
    expect(level).toBe('warn');
    expect(message).toContain(`The state file '${path}' is of no use: ${reason}`);
    expect(message).toContain(`This node starts with its seeds alone. It is kept as '${path}.bad'.`);
    expect(log.codes).toEqual(['STATE_FILE_FAILED']);
    expect(readFileSync(`${path}.bad`, 'utf8')).toBe(text);
    file.write(['ws://a:1']);
    await file.flush();
    expect(content().urls).toEqual(['ws://a:1']);
  });

  test('that cannot be kept aside is not written over', async () => {
    writeFileSync(path, 'precious');
    mkdirSync(join(`${path}.bad`, 'in the way'), { recursive: true });
    const file = stateFile();
    expect(await file.read()).toEqual([]);
    file.write(['ws://a:1']);
    await file.flush();
    expect(readFileSync(path, 'utf8')).toBe('precious');
    expect(said()[0]?.[1]).toMatch(
      /It cannot be kept as '.*\.bad' \(.*\), so nothing is written: move it, and start anew\.$/,
    );
  });

  test('that is a directory stays where it is', async () => {
    mkdirSync(path);
    const file = stateFile();
    expect(await file.read()).toEqual([]);
    file.write(['ws://a:1']);
    await file.flush();
    expect(readdirSync(folder)).toEqual(['state.json']);
    expect(said()[0]?.[1]).toContain('is of no use: it is a directory.');
  });

  test('in a directory that is not there is said once, and written when there is one', async () => {
    path = join(folder, 'later/state.json');
    const file = stateFile();
    expect(await file.read()).toEqual([]);
    file.write(['ws://1:1']);
    await file.flush();
    file.write(['ws://2:1']);
    await file.flush();
    expect(said()).toEqual(
      ['warn', 'debug'].map((level) => [
        level,
        `The state file '${path}' cannot be written: its directory does not exist. Create the directory. The next change is tried again.`,
      ]),
    );
    expect(log.codes).toEqual(['STATE_FILE_FAILED', 'STATE_FILE_FAILED']);
    mkdirSync(join(folder, 'later'));
    file.write(['ws://3:1']);
    await file.flush();
    expect(content().urls).toEqual(['ws://3:1']);
    expect(said().at(-1)).toEqual(['info', `The state file '${path}' is written again`]);
    rmSync(join(folder, 'later'), { recursive: true });
    file.write(['ws://4:1']);
    await file.flush();
    expect(said().at(-1)?.[0]).toBe('warn');
  });

  test('that could not be written waits for the next change, with no timer', async () => {
    path = join(folder, 'no/state.json');
    const file = stateFile();
    file.write(['ws://1:1']);
    await until(() => log.lines.length > 0);
    await turns(5);
    expect(clock.waits).toEqual([]);
  });
});

/** A file system of its own over the test's folder, or the reason why there can be none. */
function mounted(options: string): string | null {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', folder], { stdio: 'ignore' });
    return null;
  } catch {
    return 'this user may not mount a file system';
  }
}

const unmount = (): void => void execFileSync('umount', [folder], { stdio: 'ignore' });

const mayMount = ((): boolean => {
  folder = mkdtempSync(join(tmpdir(), 'grapevine-mount-'));
  const isMounted = mounted('size=64k') === null;
  if (isMounted) unmount();
  rmSync(folder, { recursive: true, force: true });
  return isMounted;
})();

(mayMount ? describe : describe.skip)('the state file, on a file system that this user may mount,', () => {
  afterEach(unmount);

  test('is kept whole on a full disk, which is said once, and written again when there is room', async () => {
    mounted('size=64k');
    const file = stateFile();
    file.write(['ws://before:1']);
    await file.flush();
    // The disk has room for a name, and for nothing in it.
    fill(join(folder, 'ballast'));
    for (const host of ['one', 'two']) {
      file.write([`ws://${host}:1`, ...Array.from({ length: 500 }, (_, index) => `ws://filler-${index}:7001`)]);
      await file.flush();
    }
    expect(said()).toEqual(
      ['warn', 'debug'].map((level) => [
        level,
        `The state file '${path}' cannot be written: the disk is full. Make room. The next change is tried again.`,
      ]),
    );
    expect(readdirSync(folder).sort()).toEqual(['ballast', 'state.json']);
    expect(content().urls).toEqual(['ws://before:1']);
    rmSync(join(folder, 'ballast'));
    file.write(['ws://after:1']);
    await file.flush();
    expect(content().urls).toEqual(['ws://after:1']);
    expect(await stateFile().read()).toEqual(['ws://after:1']);
  });

  test('on a file system that is read-only says so, and is read all the same', async () => {
    mounted('size=64k');
    const file = stateFile();
    file.write(['ws://before:1']);
    await file.flush();
    execFileSync('mount', ['-o', 'remount,ro', folder], { stdio: 'ignore' });
    expect(await file.read()).toEqual(['ws://before:1']);
    file.write(['ws://after:1']);
    await file.flush();
    expect(said()).toEqual([
      [
        'warn',
        `The state file '${path}' cannot be written: the file system is read-only. ` +
          'Name a place that can be written, such as a mounted volume. The next change is tried again.',
      ],
    ]);
    expect(content().urls).toEqual(['ws://before:1']);
  });
});

test('a directory without the right to write is said once', async () => {
  chmodSync(folder, 0o555);
  const file = stateFile();
  await asNobody(async () => {
    file.write(['ws://a:1']);
    await file.flush();
    file.write(['ws://b:1']);
    await file.flush();
  });
  expect(said()).toEqual(
    ['warn', 'debug'].map((level) => [
      level,
      `The state file '${path}' cannot be written: this process has not the right to. ` +
        'Give it the right to write in that directory. The next change is tried again.',
    ]),
  );
  expect(readdirSync(folder)).toEqual([]);
  chmodSync(folder, 0o755);
});

test('a file without the right to read is kept aside', async () => {
  writeFileSync(path, '{}');
  chmodSync(path, 0o000);
  chmodSync(folder, 0o777);
  await asNobody(async () => expect(await stateFile().read()).toEqual([]));
  expect(said()[0]?.[1]).toContain('is of no use: this process has not the right to.');
  expect(readdirSync(folder)).toEqual(['state.json.bad']);
});

/** Root may write everywhere: as root, acts as somebody who may not. */
async function asNobody(act: () => Promise<void>): Promise<void> {
  const isRoot = process.geteuid?.() === 0;
  if (isRoot) process.seteuid?.(65_534);
  try {
    await act();
  } finally {
    if (isRoot) process.seteuid?.(0);
  }
}

/** Takes all the room there is. */
function fill(ballast: string): void {
  for (let bytes = 65_536; bytes >= 1; bytes = Math.floor(bytes / 2)) {
    try {
      writeFileSync(ballast, Buffer.alloc(bytes), { flag: 'a' });
    } catch {
      // Less, then.
    }
  }
}
