/** Every conversation of the corpus ends as it says, and harms nobody. */
import { join } from 'node:path';
import { expect, jest, test } from '@jest/globals';
import { kinds } from '../../packages/wire/src/kinds.ts';
import { readCorpus, replay } from './replay.ts';
import { readScript } from './script.ts';

jest.setTimeout(120_000);

const corpus = readCorpus(join(__dirname, 'corpus'));

test.each([...corpus])('%s', async (_name, conversations) => {
  expect(conversations.map(({ outcome }) => outcome)).not.toContain(null);
  expect(await replay(conversations, true)).toEqual([]);
});

test('there is a valid frame of every kind', () => {
  expect(Object.keys(kinds).filter((kind) => !corpus.has(`valid-${kind}`))).toEqual([]);
});

test('a line that is none is told by its number', () => {
  expect(() => readScript('session\n# frames\n0102\nzz\n')).toThrow('Line 4');
});
