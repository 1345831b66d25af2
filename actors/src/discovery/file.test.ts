import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';

import { turns, until } from '../kernel/testing/event-loop.ts';
import { file, type FileOptions } from './file.ts';

let folder: string;
let path: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'grapevine-file-'));
  path = join(folder, 'peers');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('a file', () => {
  test('has one URL a line, with comments and empty lines between', async () => {
    writeFileSync(
      path,
      '\uFEFF# the old ones\r\nws://10.0.0.1:7001\r\n\r\n  wss://b.example # and why\n#ws://c:1\nws://[::1]:7001',
    );
    expect(await file({ path }).find()).toEqual(['ws://10.0.0.1:7001', 'wss://b.example', 'ws://[::1]:7001']);
  });

  test('may be a JSON array of texts', async () => {
    writeFileSync(path, '\n ["ws://10.0.0.1:7001", "ws://10.0.0.2:7001"]');
    expect(await file({ path }).find()).toEqual(['ws://10.0.0.1:7001', 'ws://10.0.0.2:7001']);
  });

  test('names a URL twice and is understood once', async () => {
    writeFileSync(path, 'ws://a:1\nws://a:1\n');
    expect(await file({ path }).find()).toEqual(['ws://a:1']);
  });

  test('finds nothing until it is there, nor in a directory that is not', async () => {
    expect(await file({ path }).find()).toEqual([]);
    expect(await file({ path: join(folder, 'no/peers') }).find()).toEqual([]);
  });

  test('keeps the good lines and names the bad ones, with what is wrong', async () => {
    writeFileSync(path, 'ws://a:1\nhttp://b:2\n# fine\nws://c:1e9\nws://d:4#x\n10.0.0.1:7001\n');
    const source = file({ path });
    expect(await source.find()).toEqual(['ws://a:1']);
    expect(source.problems()).toMatchObject(
      [
        "line 2: 'http://b:2' must begin with ws:// or wss://.",
        "line 4: 'ws://c:1e9' is no URL: it must be like 'ws://10.0.0.2:7001' or 'wss://[2001:db8::2]:7001'.",
        "line 5: 'ws://d:4#x' must have no part after a '#'.",
        "line 6: '10.0.0.1:7001' must begin with ws:// or wss://.",
      ].map((words) => ({ code: 'DISCOVERY_FAILED', message: `'${path}', ${words}` })),
    );
    writeFileSync(path, 'ws://a:1\n');
    await source.find();
    expect(source.problems()).toEqual([]);
  });

  test('names the bad entries of an array too', async () => {
    writeFileSync(path, '["ws://a:1", 7001]');
    const source = file({ path });
    expect(await source.find()).toEqual(['ws://a:1']);
    expect(source.problems()).toMatchObject([{ message: `'${path}', entry 2: 7001 must be a text.` }]);
  });

  test('rejects what begins as JSON and is none', async () => {
    writeFileSync(path, '["ws://a:1",');
    await expect(file({ path }).find()).rejects.toMatchObject({
      code: 'DISCOVERY_FAILED',
      message: expect.stringContaining(`'${path}' begins with '[' and is no JSON array of texts: `),
    });
  });

  test('rejects what cannot be read', async () => {
    await expect(file({ path: folder }).find()).rejects.toMatchObject({
      code: 'DISCOVERY_FAILED',
      message: `'${folder}' cannot be read: it is a directory.`,
    });
  });

  test('needs a path, and knows no other options', () => {
    expect(() => file({} as FileOptions)).toThrow("'path' is required: the path of a file");
    expect(() => file({ path: '', intervalMs: 0, watch: true } as FileOptions)).toThrow(
      /^3 options are wrong: 'path' must .*; 'intervalMs' must .*; 'watch' is no option here/,
    );
  });
});

describe('the watch of a file', () => {
  let stop = (): void => {};
  let changes = 0;
  /** A poll so rare that it never comes: what is noticed, the watch noticed. */
  const never = 2 ** 31 - 1;

  afterEach(() => stop());

  async function watching(options: Partial<FileOptions> = {}): Promise<() => Promise<readonly string[]>> {
    const source = file({ path, intervalMs: never, ...options });
    await source.find();
    changes = 0;
    stop = source.watch?.(() => (changes += 1)) ?? stop;
    return () => source.find();
  }

  test('tells of a file that is written over', async () => {
    writeFileSync(path, 'ws://a:1\n');
    const find = await watching();
    writeFileSync(path, 'ws://b:1\n');
    await until(() => changes > 0);
    // The first may have been seen by the look that every watch begins with; the second is the watch's alone.
    changes = 0;
    writeFileSync(path, 'ws://c:1\n');
    await until(() => changes > 0);
    expect(await find()).toEqual(['ws://c:1']);
  });

  test('tells of a file that appears, is replaced, and goes', async () => {
    const find = await watching();
    writeFileSync(path, 'ws://a:1\n');
    await until(() => changes > 0);
    writeFileSync(`${path}.new`, 'ws://b:1\n');
    changes = 0;
    renameSync(`${path}.new`, path);
    await until(() => changes > 0);
    expect(await find()).toEqual(['ws://b:1']);
    changes = 0;
    rmSync(path);
    await until(() => changes > 0);
    expect(await find()).toEqual([]);
  });

  test('tells of a link beside it that is swapped, as Kubernetes does with a ConfigMap', async () => {
    const version = (name: string, text: string): void => {
      mkdirSync(join(folder, name));
      writeFileSync(join(folder, name, 'peers'), text);
      symlinkSync(name, join(folder, '..data_tmp'));
      renameSync(join(folder, '..data_tmp'), join(folder, '..data'));
    };
    version('..1', 'ws://a:1\n');
    symlinkSync('..data/peers', path);
    const find = await watching();
    version('..2', 'ws://b:1\n');
    await until(() => changes > 0);
    changes = 0;
    version('..3', 'ws://c:1\n');
    await until(() => changes > 0);
    expect(await find()).toEqual(['ws://c:1']);
  });

  test('notices by reading what no watch can: a change behind a link into another directory', async () => {
    const elsewhere = join(folder, 'elsewhere');
    mkdirSync(elsewhere);
    writeFileSync(join(elsewhere, 'peers'), 'ws://a:1\n');
    symlinkSync(join(elsewhere, 'peers'), path);
    const find = await watching({ intervalMs: 5 });
    writeFileSync(join(elsewhere, 'peers'), 'ws://b:1\n');
    await until(() => changes > 0);
    expect(await find()).toEqual(['ws://b:1']);
  });

  test('notices a file in a directory that was not there', async () => {
    path = join(folder, 'later/peers');
    const find = await watching({ intervalMs: 5 });
    mkdirSync(join(folder, 'later'));
    writeFileSync(path, 'ws://a:1\n');
    await until(() => changes > 0);
    expect(await find()).toEqual(['ws://a:1']);
  });

  test('notices what changed between the find and the watch', async () => {
    const source = file({ path, intervalMs: never });
    await source.find();
    writeFileSync(path, 'ws://a:1\n');
    changes = 0;
    stop = source.watch?.(() => (changes += 1)) ?? stop;
    await until(() => changes > 0);
    expect(changes).toBe(1);
  });

  test('says nothing of a neighbour, nor of a file that was replaced by the same', async () => {
    writeFileSync(path, 'ws://a:1\n');
    await watching();
    const neighbour = file({ path: join(folder, 'neighbour'), intervalMs: never });
    await neighbour.find();
    let heard = false;
    const stopNeighbour = neighbour.watch?.(() => (heard = true));
    replace(path, 'ws://a:1\n');
    replace(join(folder, 'neighbour'), 'ws://b:1\n');
    await until(() => heard);
    stopNeighbour?.();
    await turns(20);
    expect(changes).toBe(0);
    replace(path, 'ws://c:1\n');
    await until(() => changes > 0);
    expect(changes).toBe(1);
  });

  test('keeps no process alive', () => {
    writeFileSync(path, 'ws://a:1\n');
    // A process of its own, that runs what is built, and has nothing else to do.
    const script = `
      import { file } from '@grapevine/actors';
      const source = file({ path: ${JSON.stringify(path)}, intervalMs: 1000 });
      await source.find();
      source.watch(() => {});
      console.log('watching');
    `;
    const { status, stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
      cwd: __dirname,
      encoding: 'utf8',
      timeout: 20_000,
    });
    expect([status, stdout]).toEqual([0, 'watching\n']);
  }, 30_000);

  test('tells nobody after its end, and leaves no watcher', async () => {
    writeFileSync(path, 'ws://a:1\n');
    const before = systemWatches();
    const source = file({ path, intervalMs: 1 });
    await source.find();
    replace(path, 'ws://b:1\n');
    changes = 0;
    const end = source.watch?.(() => (changes += 1));
    expect(systemWatches()).toBe(before === null ? null : before + 1);
    // Its first look, which would find a change, is under way.
    end?.();
    end?.();
    expect(systemWatches()).toBe(before);
    // A second watch hears of the next change: by then the first would have, too.
    const second = file({ path, intervalMs: 1 });
    await second.find();
    let heard = false;
    const stopSecond = second.watch?.(() => (heard = true));
    replace(path, 'ws://c:1\n');
    await until(() => heard);
    stopSecond?.();
    expect(changes).toBe(0);
    expect(systemWatches()).toBe(before);
  });
});

function replace(target: string, text: string): void {
  writeFileSync(`${target}.new`, text);
  renameSync(`${target}.new`, target);
}

/** How many directories the system watches for this process; `null` where it does not say. */
function systemWatches(): number | null {
  const folderOfHandles = '/proc/self/fdinfo';
  if (!existsSync(folderOfHandles)) return null;
  return readdirSync(folderOfHandles)
    .map((handle) => {
      try {
        return readFileSync(join(folderOfHandles, handle), 'utf8').match(/^inotify wd:/gm)?.length ?? 0;
      } catch {
        // The handle of the listing itself.
        return 0;
      }
    })
    .reduce((sum, count) => sum + count, 0);
}
