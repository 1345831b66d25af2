/**
 * The examples of README and docs are run, each as a process of its own, and must print what they say they print.
 */

import { spawn } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { transformSync } from '@swc/core';
import { afterAll, describe, expect, test } from '@jest/globals';

const root = join(__dirname, '../..');
const folder = join(root, 'node_modules/.cache/grapevine-examples', String(process.pid));
const pages = ['README.md', ...readdirSync(join(root, 'docs')).map((name) => `docs/${name}`)].filter((name) =>
  name.endsWith('.md'),
);

interface Example {
  readonly title: string;
  readonly code: string;
  readonly prints: readonly string[];
}

function examplesOf(page: string): Example[] {
  const text = readFileSync(join(root, page), 'utf8');
  return [...text.matchAll(/^```ts run\n([\s\S]*?)^```$/gm)].map((match, index) => {
    const code = match[1] as string;
    const prints = [...code.matchAll(/^\s*\/\/ prints: (.*)$/gm)].map((line) => line[1] as string);
    return { title: `${page}, example ${index + 1}`, code, prints };
  });
}

const examples = pages.flatMap(examplesOf);

/** Runs an example until it has printed as many lines as it promises, or ends. Ports are made free ones. */
async function run(example: Example, index: number): Promise<string[]> {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `example-${index}.mjs`);
  const { code } = transformSync(example.code.replace(/port: 7001/g, 'port: 0'), {
    jsc: { parser: { syntax: 'typescript' }, target: 'es2023' },
    module: { type: 'es6' },
  });
  writeFileSync(file, code);
  const child = spawn(process.execPath, [file], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  let errors = '';
  child.stderr.on('data', (data: Buffer) => (errors += data.toString()));
  await new Promise<void>((resolve) => {
    child.on('close', () => resolve());
    child.stdout.on('data', (data: Buffer) => {
      output += data.toString();
      if (output.split('\n').length > example.prints.length) child.kill();
    });
  });
  if (errors !== '') throw new Error(`${example.title} wrote to standard error:\n${errors}`);
  return output.split('\n').filter((line) => line !== '');
}

describe('the examples of the documentation', () => {
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test('every block of TypeScript is one that is run', () => {
    for (const page of pages) expect(readFileSync(join(root, page), 'utf8')).not.toMatch(/^```(ts|typescript|js)\n/m);
    expect(examples.length).toBeGreaterThanOrEqual(4);
  });

  test.each(examples.map((example, index) => ({ ...example, index })))(
    '$title prints what it says',
    async (example) => {
      expect(example.prints.length).toBeGreaterThan(0);
      expect(await run(example, example.index)).toEqual(example.prints);
    },
    20_000,
  );
});
