/**
 * The company of one row: a victim, three honest nodes beside it, and the attacker, each a process of its own.
 *
 * Invariants
 *  1. Every row has fresh processes, so that nothing of one attack is in the figures of another.
 *  2. Nobody outlives the row.
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { Child } from '../bench/child.ts';
import { Authority, type Credentials } from '../security/authority.ts';
import type { Target } from './attack.ts';
import type { AttackerCommands } from './attacker.ts';
import type { Row } from './catalogue.ts';
import type { NodeCommands, NodeSetup } from './node.ts';

const HONEST = 3;
/** The attacker has a machine of his own elsewhere; on this one he is what gives way. */
const ATTACKER_NICENESS = 10;
/** Another loopback address, as for another machine: only Linux lets anybody come from there. */
const ATTACKER_ADDRESS = process.platform === 'linux' ? '127.0.0.2' : undefined;
/** So that whoever waits where a node dials is dialled often. */
const EAGER = { redialMinMs: 50, redialMaxMs: 100 };

export type Node = Child<NodeCommands>;

export interface CompanyOptions {
  /** Has every node write a profile of its CPU time, when it ends, to this folder. */
  readonly profileFolder?: string | undefined;
}

export class Company {
  readonly victim: Node;
  readonly honest: readonly Node[];
  readonly attacker: Child<AttackerCommands>;
  readonly #row: Row;
  readonly #keys = { current: randomBytes(32).toString('hex'), older: randomBytes(32).toString('hex') };
  #target: Target | null = null;

  private constructor(row: Row, { profileFolder }: CompanyOptions) {
    this.#row = row;
    const node = (name: string): Node => {
      const prof = ['--cpu-prof', `--cpu-prof-dir=${profileFolder}`, `--cpu-prof-name=${row.id}.${name}.cpuprofile`];
      const nodeOptions = profileFolder === undefined ? [] : prof;
      // What the victim logged is a column of the table, from the first line on.
      return new Child({ name, script: join(import.meta.dirname, 'node.js'), nodeOptions, keptChars: Infinity });
    };
    this.victim = node('victim');
    this.honest = Array.from({ length: HONEST }, (_, index) => node(`h${index + 1}`));
    this.attacker = new Child({
      name: 'attacker',
      script: join(import.meta.dirname, 'attacker.js'),
      niceness: ATTACKER_NICENESS,
    });
  }

  /** Runs `use` with a company in which all are connected, and lets them go afterwards, come what may. */
  static async run<T>(row: Row, options: CompanyOptions, use: (company: Company) => Promise<T>): Promise<T> {
    const company = new Company(row, options);
    try {
      await company.#gather();
      return await use(company);
    } finally {
      await Promise.all([company.attacker, company.victim, ...company.honest].map((each) => each.dismiss()));
    }
  }

  get nodes(): readonly Node[] {
    return [this.victim, ...this.honest];
  }

  async attack(): Promise<void> {
    await this.attacker.call('start', this.#row.id, this.#target as Target);
  }

  async #gather(): Promise<void> {
    const { baited, members, security, certificate = 'none', victim: ofTheVictim } = this.#row;
    const { current, older } = this.#keys;
    const authority = new Authority();
    const bait = baited === undefined ? null : await this.attacker.call('bait');
    const urls: string[] = [];
    for (const node of this.nodes) {
      const isVictim = node === this.victim;
      const isBaited = bait !== null && (isVictim ? baited === 'victim' : baited === 'honest' && node.name === 'h3');
      const dialled = isBaited ? [...urls, bait] : [...urls];
      const setup: NodeSetup = {
        name: node.name,
        listen: { port: 0 },
        ...(members === 'a list' ? { peers: dialled } : { seeds: dialled }),
        security: security === 'certificates' ? this.#certified(authority, node.name) : { keys: this.#first() },
        ...(isVictim ? ofTheVictim : {}),
        ...(isBaited ? EAGER : {}),
      };
      urls.push(await node.call('start', setup));
    }
    await Promise.all(this.nodes.map((node) => node.call('connected', HONEST)));
    if (security === 'a key after rotation')
      for (const keys of [[older, current], [current, older], [current]])
        for (const node of this.nodes) await node.call('rotateKeys', keys);
    await Promise.all(this.nodes.map((node) => node.call('connected', HONEST)));
    this.#target = {
      url: urls[0] as string,
      honest: { name: 'h1', url: urls[1] as string },
      bait,
      keys: this.#keys,
      credentials: credentialsFor(certificate, authority),
      from: ATTACKER_ADDRESS,
    };
  }

  /** The keys that nodes begin with. */
  #first(): readonly string[] {
    const { current, older } = this.#keys;
    switch (this.#row.security) {
      case 'an older key too':
        return [current, older];
      case 'a key after rotation':
        return [older];
      default:
        return [current];
    }
  }

  #certified(authority: Authority, name: string): NodeSetup['security'] {
    const { key, cert } = authority.issue({ name, dns: ['localhost', name] });
    return { tls: { key, cert, ca: authority.ca, requestCert: true, checkNames: true } };
  }
}

function credentialsFor(certificate: NonNullable<Row['certificate']>, authority: Authority): Credentials | null {
  switch (certificate) {
    case 'of another authority':
      return new Authority('another authority').issue({ name: 'mallory' });
    case 'expired':
      return authority.issue({ name: 'mallory', days: [-30, -1] });
    case 'of his own name':
      return authority.issue({ name: 'mallory' });
    case 'none':
      return null;
  }
}
