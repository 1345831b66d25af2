/**
 * Ours through the conformance suites, and the flood and hearsay of docs/extending.md.
 *
 * The page holds the very text of flood and hearsay between their class and the proof; it is compiled and run here too.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import * as core from '@grapevine/core';
import { entropy, hybrid, type Membership, type Protocol, rumor, staticMembership, swim } from '@grapevine/core';
import { membershipSuite, protocolSuite, type Runner } from '@grapevine/sim';
import { transformSync } from '@swc/core';

const runner: Runner = { describe, test, expect };

protocolSuite(runner, () => rumor());
protocolSuite(runner, () => rumor({ eager: false, removal: 'reset-counter', rounds: 2 }));
protocolSuite(runner, () => rumor({ direction: 'push-pull' }));
protocolSuite(runner, () => entropy(), { repairs: true });
protocolSuite(runner, () => hybrid(), { repairs: true });
protocolSuite(runner, () => hybrid({ mail: 0 }), { repairs: true });
membershipSuite(runner, (peers) => staticMembership({ peers }));
membershipSuite(runner, (seeds) => swim({ seeds }), { spreads: true });

/** What stands on the page from a declaration to the proof after it. */
function onPage(declaration: string, until: string, name: string): unknown {
  const page = readFileSync(join(__dirname, '../../docs/extending.md'), 'utf8');
  const from = page.indexOf(declaration);
  const source = page.slice(from, page.indexOf(until, from));
  const { code } = transformSync(source, {
    jsc: { parser: { syntax: 'typescript' }, target: 'es2023' },
    module: { type: 'commonjs' },
  });
  // oxlint-disable-next-line no-new-func, typescript/no-implied-eval -- the page's code is what is to be tested
  return new Function('Intake', `${code}; return ${name};`)(core.Intake);
}

const flood = onPage('/** Passes every update on, once. */', '// Two nodes in one process', 'flood') as () => Protocol;
protocolSuite(runner, flood, { reachesAll: true });

const hearsay = onPage(
  '/** Dials the seeds, and everybody of whom it hears. */',
  'const system = start();',
  'hearsay',
) as (seeds: readonly string[]) => Membership;
membershipSuite(runner, hearsay, { spreads: true });
