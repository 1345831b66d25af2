/**
 * The conformance suites themselves: modules that break one rule each fail, and by the test that names the rule.
 */
import { describe, expect, test } from '@jest/globals';
import {
  entropy,
  keepAll,
  type Machine,
  type Membership,
  type Protocol,
  type Received,
  staticMembership,
  type Update,
} from '@grapevine/core';
import { membershipSuite, protocolSuite, type Runner } from '@grapevine/sim';

/** The names of the tests that fail. */
function failuresOf(suite: (runner: Runner) => void): string[] {
  const failures: string[] = [];
  suite({
    describe: (_name, body) => body(),
    test: (name, body) => {
      try {
        body();
      } catch {
        failures.push(name);
      }
    },
    expect,
  });
  return failures;
}

/** Entropy whose machines are changed. */
function changed(
  change: (machine: Machine, environment: Parameters<Protocol['create']>[0]) => Partial<Machine>,
): Protocol {
  const sound = entropy();
  return {
    ...sound,
    create: (environment) => {
      const machine = sound.create(environment);
      return new Proxy(machine, {
        get: (target, name) => {
          const own = (change(machine, environment) as Record<string | symbol, unknown>)[name];
          const value = own ?? (target as unknown as Record<string | symbol, unknown>)[name];
          return typeof value === 'function' ? (value as (...all: unknown[]) => unknown).bind(target) : value;
        },
      });
    },
  };
}

function protocolFailures(protocol: Protocol): string[] {
  return failuresOf((runner) => protocolSuite(runner, () => protocol, { repairs: true }));
}

function membershipFailures(changes: (membership: Membership) => Membership): string[] {
  return failuresOf((runner) => membershipSuite(runner, (peers) => changes(staticMembership({ peers }))));
}

describe('the protocol suite', () => {
  test('passes entropy through the same proxy that changes it', () => {
    expect(protocolFailures(changed(() => ({})))).toEqual([]);
  });

  test('catches what stores before the handler has judged', () => {
    const hasty = changed((machine, { replica }) => ({
      receive: (batch: readonly Received[], nowMs: number): void => {
        for (const { message } of batch) if (message.type === 'chunk') replica.admit(message.updates, keepAll, nowMs);
        machine.receive(batch, nowMs);
      },
    }));
    expect(protocolFailures(hasty)).toContain('keeps out of store and context what a handler has not judged (rule 2)');
  });

  test('catches what says the value again to who has it', () => {
    const chatty = changed((machine, { effects }) => ({
      add: (updates: readonly Update[], nowMs: number): void => {
        machine.add(updates, nowMs);
        for (const _ of [1, 2]) effects.send(['node-0', 'node-1'], { type: 'chunk', invitation: 9, index: 0, updates });
      },
    }));
    expect(protocolFailures(chatty)).toContain('does not send a value to a peer twice, nor back to where it came from');
  });

  test('catches what throws at a strange message, and what says what it does not accept itself', () => {
    const brittle = changed((machine) => ({
      receive: (batch: readonly Received[], nowMs: number): void => {
        if (batch.some(({ from }) => from === 'a stranger')) throw new Error('who is that?');
        machine.receive(batch, nowMs);
      },
    }));
    expect(protocolFailures(brittle)).toEqual(['survives whatever a peer may say, from whomever']);
    const secretive = { ...entropy(), accepts: (): boolean => false };
    expect(protocolFailures(secretive)).toContain('brings a write to a peer, and accepts all that it says itself');
  });

  test('catches chance of its own', () => {
    let draws = 0;
    const sound = entropy();
    const dicing: Protocol = {
      ...sound,
      create: (environment) => sound.create({ ...environment, random: () => (++draws * 0.618) % 1 }),
    };
    expect(protocolFailures(dicing)).toContain('does the same again for the same seed');
  });

  test('catches a promise that is not kept', () => {
    const deaf = changed(() => ({ receive: (): void => undefined }));
    expect(protocolFailures(deaf)).toEqual(
      expect.arrayContaining([
        'brings every write to every node in view, as it promises',
        'lets who was away catch up, and removed ids stay removed, as it promises (rules 3 and 4)',
      ]),
    );
  });
});

describe('the membership suite', () => {
  const withView = (view: (members: readonly { name: string }[], self: object) => readonly object[]) =>
    membershipFailures((sound) => ({
      ...sound,
      create: (environment) => {
        const { effects, self } = environment;
        const publish = (members: readonly { name: string }[]): void => effects.view(view(members, self) as never);
        return sound.create({ ...environment, effects: { ...effects, view: publish } });
      },
    }));

  test('passes the static membership through the same change', () => {
    expect(withView((members) => members)).toEqual([]);
  });

  test('catches a view that holds the node itself, or somebody twice', () => {
    const name = 'a view never holds the node itself, nor anybody twice';
    expect(withView((members, self) => [...members, self])).toContain(name);
    expect(withView((members) => [...members, ...members])).toContain(name);
  });

  test('catches a view that nobody leaves', () => {
    const ever = new Map<string, { name: string }>();
    expect(
      withView((members) => {
        for (const member of members) ever.set(member.name, member);
        return [...ever.values()];
      }),
    ).toContain('who is gone leaves the view, and a quiet cluster keeps its own');
  });

  test('catches a promise that is not kept', () => {
    expect(
      failuresOf((runner) => membershipSuite(runner, (peers) => staticMembership({ peers }), { spreads: true })),
    ).toEqual(['who knows one node comes to know all, as it promises']);
  });
});
