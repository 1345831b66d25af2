/**
 * The options of hybrid gossip: those of mail, and the two halves', together or apart.
 *
 * Invariants
 *  1. What stands outside goes to every half that knows it; what stands in a half goes before it.
 *  2. A wrong option outside is reported once, by its own path.
 */

import { type OptionRules, optionsObject, show, unknownOption, type Violation, wholeNumber } from '../options.ts';
import { type EntropyOptions, entropyRules, resolveEntropy } from './entropy.ts';
import { resolveRumor, type RumorOptions, rumorRules } from './rumor-options.ts';

export interface HybridOptions extends Partial<RumorOptions>, Partial<Omit<EntropyOptions, keyof RumorOptions>> {
  /**
   * How many peers get a write at once with its value; 0: none, the rumor alone spreads it. In a cluster no larger than
   * this everybody has a write after one hop, for the least possible number of payloads; the writer sends them all.
   * @default 16
   */
  readonly mail?: number;
  /** Options for the rumor half alone. */
  readonly rumor?: Partial<RumorOptions>;
  /** Options for the entropy half alone. */
  readonly entropy?: Partial<EntropyOptions>;
}

export interface ResolvedHybrid {
  readonly mail: number;
  readonly gc: number | false;
  readonly rumor: RumorOptions;
  readonly entropy: EntropyOptions;
}

const ASK_DELAY_WITH_MAIL_MS = 20;

type Given = Readonly<Record<string, unknown>>;

const outer: OptionRules<{ mail: number; rumor: object; entropy: object }> = {
  mail: { check: wholeNumber('peers', 0), default: 16 },
  rumor: { check: isOptions, default: {} },
  entropy: { check: isOptions, default: {} },
};

/** @returns the options, complete; violations are appended to `violations` */
export function resolveHybrid(options: HybridOptions, violations: Violation[]): ResolvedHybrid {
  const shared: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(optionsObject('', options, known, violations))) {
    if (value === undefined) continue;
    const rule = find(outer, name) ?? find(rumorRules, name) ?? find(entropyRules, name);
    const problem = rule === undefined ? unknownOption(name, known) : rule.check(value);
    if (problem === undefined) shared[name] = value;
    else violations.push({ path: name, problem: rule === undefined ? problem : `${problem}, not ${show(value)}` });
  }
  const mail = (shared['mail'] as number | undefined) ?? outer.mail.default;
  const rumor = { ...only(rumorRules, shared), ...(shared['rumor'] as Given | undefined) };
  const entropy = { ...only(entropyRules, shared), ...(shared['entropy'] as Given | undefined) };
  const resolved = {
    mail,
    rumor: resolveRumor('rumor', rumor, violations, mail > 0 ? ASK_DELAY_WITH_MAIL_MS : 0),
    entropy: resolveEntropy('entropy', entropy, violations),
  };
  return { ...resolved, gc: moreOften(resolved.rumor.gc, resolved.entropy.gc) };
}

const known: readonly string[] = [...new Set([outer, rumorRules, entropyRules].flatMap((rules) => Object.keys(rules)))];

function find(rules: object, name: string): { readonly check: (value: unknown) => string | undefined } | undefined {
  return Object.hasOwn(rules, name)
    ? (rules as Record<string, { check: (value: unknown) => string | undefined }>)[name]
    : undefined;
}

function only(rules: object, given: Given): Given {
  return Object.fromEntries(Object.entries(given).filter(([name]) => Object.hasOwn(rules, name)));
}

function isOptions(value: unknown): string | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? undefined
    : 'must be an object of options';
}

function moreOften(a: number | false, b: number | false): number | false {
  if (a === false || b === false) return a === false ? b : a;
  return Math.min(a, b);
}
