/** That every mutation still finds the place where it is planted: found out here, and not after half an hour. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { mutations as protocolMutations } from './mutations.ts';
import { swimMutations } from './swim-mutations.ts';

const mutations = [...protocolMutations, ...swimMutations];
const packages = join(__dirname, '..', '..', 'packages');

test.each(mutations.map(({ name, patches }) => ({ name, patches })))('$name', ({ patches }) => {
  const sources = new Map<string, string>();
  for (const { file, from, to } of patches) {
    const source = sources.get(file) ?? readFileSync(join(packages, file), 'utf8');
    expect(source).toContain(from);
    sources.set(
      file,
      source.replace(from, () => to),
    );
  }
});

test('no two have one name', () => {
  expect(new Set(mutations.map(({ name }) => name)).size).toBe(mutations.length);
});
