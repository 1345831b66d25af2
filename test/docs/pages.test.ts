/** Pages and code agree: every error code and every option is on its page, with the default that the code has. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { entropyRules, errorCodes, rumorRules, swimProfiles, swimRules } from '@grapevine/core';
import { dnsRules } from '../../actors/src/discovery/dns.ts';
import { fileRules } from '../../actors/src/discovery/file.ts';
import { gossipRules, nodeRules } from '../../actors/src/options.ts';
import { closeCodes } from '@grapevine/transport';

const page = (name: string): string => readFileSync(join(__dirname, '../../docs', name), 'utf8');

describe('docs/errors.md', () => {
  const sections = [...page('errors.md').matchAll(/^### `([A-Z_]+)`\n+Fault: (\w+)\./gm)].map(
    ([, code, fault]) => [code, fault] as const,
  );

  test('has a section for every code, and none for another', () => {
    expect(new Set(sections.map(([code]) => code))).toEqual(new Set(Object.keys(errorCodes)));
    expect(sections).toHaveLength(Object.keys(errorCodes).length);
  });

  test('names the fault that the table names', () => {
    for (const [code, fault] of sections) expect([code, fault]).toEqual([code, errorCodes[code as 'ID_INVALID']]);
  });
});

describe('close codes', () => {
  test.each(['errors.md', 'wire.md'])('of docs/%s are those of the code', (name) => {
    const section = page(name).split('\n## Close codes\n')[1]?.split('\n## ')[0] ?? '';
    const rows = [...section.matchAll(/^\| (\d{4}) \| `(\w+)` \|/gm)].map(([, code, is]) => [is, Number(code)]);
    expect(rows).toEqual(Object.entries(closeCodes));
  });
});

describe('docs/options.md', () => {
  const rowsOf = (title: string): Map<string, string> => {
    const section = page('options.md').split(`## \`${title}(options)\``)[1]?.split('\n## ')[0] ?? '';
    return new Map(
      [...section.matchAll(/^\| `(\w+)` \|[^|]*\|([^|]*)\|/gm)].map(([, name, value]) => [
        name as string,
        (value as string).trim().replaceAll('`', ''),
      ]),
    );
  };

  test.each([
    ['rumor', rumorRules],
    ['entropy', entropyRules],
  ] as const)('has every option of %s with its default', (title, rules) => {
    const expected = Object.entries(rules).map(([name, rule]) => [name, String(rule.default)] as const);
    expect(rowsOf(title)).toEqual(new Map(expected));
  });

  test('has every option of swim with its default', () => {
    const shown = (value: unknown): string =>
      typeof value === 'object' && value !== null && Object.keys(value).length === 0 ? 'none' : String(value);
    const expected = Object.entries(swimRules).map(([name, rule]) => [name, shown(rule.default)] as const);
    expect(rowsOf('swim')).toEqual(new Map(expected));
  });

  test('has what the profiles of swim have in place of its defaults', () => {
    const section = page('options.md').split('## Profiles of `swim`')[1]?.split('\n## ')[0] ?? '';
    const rows = [...section.matchAll(/^\| `(\w+)` \| (\w+) \| (\w+) \| (\w+) \|$/gm)].map((row) => row.slice(1));
    const { lan, wan, local } = swimProfiles;
    const differing = Object.entries(swimRules).filter(([name]) => [lan, wan, local].some((is) => name in is));
    expect(rows).toEqual(
      differing.map(([name, rule]) => [
        name,
        ...[lan, wan, local].map((is) => JSON.stringify(is[name as keyof typeof is] ?? rule.default)),
      ]),
    );
  });

  test.each([
    ['A node', nodeRules],
    ['A gossip instance', gossipRules],
  ] as const)('has every option of %s that is a number, with its default', (title, rules) => {
    const section = page('options.md').split(`\n## ${title}`)[1]?.split('\n## ')[0] ?? '';
    const rows = [...section.matchAll(/^\| `(\w+)` \|[^|]*\| ([0-9]+) \|/gm)].map(([, name, value]) => [
      name,
      Number(value),
    ]);
    const numbers = Object.entries(rules).flatMap(([name, rule]) => {
      const value: unknown = rule.default;
      return typeof value === 'number' ? [[name, value] as const] : [];
    });
    expect(new Map(rows as [string, number][])).toEqual(new Map(numbers));
  });

  test.each([
    ['dns', dnsRules, 'name'],
    ['file', fileRules, 'path'],
  ] as const)('has every option of %s with its default', (title, rules, required) => {
    const shown = (name: string, value: string | number | boolean | null): string =>
      name === required ? 'required' : value === null || value === '' ? 'none' : String(value);
    const expected = Object.entries(rules).map(([name, rule]) => [name, shown(name, rule.default)] as const);
    expect(rowsOf(title)).toEqual(new Map(expected));
  });
});
