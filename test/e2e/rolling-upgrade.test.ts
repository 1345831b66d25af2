/**
 * A rolling upgrade of five nodes, process by process: from the release before protocol version 2 to this one.
 *
 * The old release is built from its commit. A clone that does not have it (a shallow one) skips this, and says so in the name of
 * the suite.
 */
import { type ChildProcess, execFileSync, fork, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from '@jest/globals';

jest.setTimeout(300_000);

/** The last commit before frames were sealed and sums had four lanes. */
const before = '47640bf';
const root = join(__dirname, '../..');
const isHere = spawnSync('git', ['cat-file', '-e', `${before}^{commit}`], { cwd: root }).status === 0;

let old = '';
const nodes: ChildProcess[] = [];

interface Answer {
  readonly number: number;
  readonly ids: readonly string[];
  readonly members: number;
}

const suite = 'an upgrade of five nodes, one after the other';

(isHere ? describe : describe.skip)(
  isHere ? suite : `${suite}: this clone lacks ${before} (git fetch --unshallow)`,
  () => {
    beforeAll(() => {
      old = mkdtempSync(join(tmpdir(), 'grapevine-before-'));
      const archive = execFileSync('git', ['archive', before], { cwd: root, maxBuffer: 2 ** 28 });
      execFileSync('tar', ['-x', '-C', old], { input: archive });
      // The packages of others from here, those of the workspace from there.
      mkdirSync(join(old, 'node_modules'));
      for (const name of readdirSync(join(root, 'node_modules')))
        if (name !== '@grapevine' && name !== '.cache' && name !== 'grapevine')
          symlinkSync(join(root, 'node_modules', name), join(old, 'node_modules', name));
      cpSync(join(root, 'node_modules/@grapevine'), join(old, 'node_modules/@grapevine'), {
        recursive: true,
        verbatimSymlinks: true,
      });
      symlinkSync('../packages/grapevine', join(old, 'node_modules/grapevine'));
      // The front door had another name.
      const program = readFileSync(join(__dirname, 'rolling-upgrade-node.mjs'), 'utf8');
      writeFileSync(join(old, 'node.mjs'), program.replace('@grapevine/node', 'grapevine'));
      execFileSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-b', 'packages/grapevine'], {
        cwd: old,
      });
    });

    afterEach(() => {
      for (const node of nodes.splice(0)) node.kill('SIGKILL');
    });

    afterAll(() => {
      rmSync(old, { recursive: true });
    });

    test.each([
      ['without keys', ''],
      ['with keys over plain connections', 'a1b2c3d4e5f60718293a4b5c6d7e8f90'],
    ])('%s loses nothing that was written and brings back nothing that was removed', async (_what, key) => {
      const after = join(__dirname, 'rolling-upgrade-node.mjs');
      const ports = await freePorts(5);
      const urls = ports.map((port) => `ws://127.0.0.1:${port}`);
      const start = async (index: number, program: string): Promise<void> => {
        const others = JSON.stringify(urls.filter((_, other) => other !== index));
        const node = fork(program, [`n${index}`, `${ports[index]}`, others, key]);
        nodes[index] = node;
        await new Promise((resolve) => void node.once('message', resolve));
      };
      const written: string[] = [];
      let wanted = '';
      const write = async (at: number, tag: string): Promise<void> => {
        const ids = Array.from({ length: 100 }, (_, index) => `${tag} ${index}`);
        await ask(nodes[at] as ChildProcess, { add: ids });
        await ask(nodes[at] as ChildProcess, { remove: ids.slice(0, 2) });
        written.push(...ids.slice(2));
        wanted = sorted(written);
      };
      const settled = async (): Promise<void> => {
        const deadline = performance.now() + 60_000;
        for (;;) {
          const answers = await Promise.all(nodes.map((node) => ask(node, {})));
          const differing = answers.filter(({ ids, members }) => members !== 4 || sorted(ids) !== wanted);
          if (differing.length === 0) return;
          if (performance.now() > deadline)
            throw new Error(
              `not equal after a minute: ${JSON.stringify(answers.map(({ ids, members }) => [ids.length, members]))}`,
            );
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
      };
      for (const index of ports.keys()) await start(index, join(old, 'node.mjs'));
      await write(0, 'before');
      await settled();
      for (const index of ports.keys()) {
        const node = nodes[index] as ChildProcess;
        const gone = new Promise((resolve) => void node.once('exit', resolve));
        node.send({ number: -1, leave: true });
        await gone;
        await start(index, after);
        // A node of the release before keeps what is tied to one of this release, and passes it on as it is.
        await ask(nodes[index] as ChildProcess, { tie: [`tied ${index}`] });
        written.push(`tied ${index}`);
        await write((index + 2) % 5, `step ${index}`);
        await settled();
      }
      expect(written.length).toBe(6 * 98 + 5);
    });
  },
);

function sorted(ids: readonly string[]): string {
  return [...ids].toSorted((a, b) => (a < b ? -1 : 1)).join();
}

let asked = 0;
function ask(
  node: ChildProcess,
  question: { readonly add?: string[]; readonly tie?: string[]; readonly remove?: string[] },
): Promise<Answer> {
  const number = ++asked;
  return new Promise((resolve) => {
    const hear = (answer: Answer): void => {
      if (answer.number !== number) return;
      node.off('message', hear);
      resolve(answer);
    };
    node.on('message', hear);
    node.send({ number, ...question });
  });
}

/** Ports that are free now: an upgraded node comes back at its former one. */
async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  await Promise.all(servers.map((server) => new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
