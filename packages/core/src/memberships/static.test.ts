import { describe, expect, test } from '@jest/globals';
import type { Member, MembershipMachine } from '../membership.ts';
import { seededRandom } from '../random.ts';
import { staticMembership } from './static.ts';

const NOW = 0;

function aMachine(peers: readonly string[]): {
  machine: MembershipMachine;
  dialled: (readonly string[])[];
  views: (readonly Member[])[];
  others: string[];
} {
  const dialled: (readonly string[])[] = [];
  const views: (readonly Member[])[] = [];
  const others: string[] = [];
  const machine = staticMembership({ peers }).create({
    self: { name: 'self', epoch: 1, url: null },
    effects: {
      dial: (urls) => dialled.push(urls),
      connect: () => others.push('connect'),
      hangUp: () => others.push('hangUp'),
      expel: () => others.push('expel'),
      discover: () => others.push('discover'),
      remember: () => others.push('remember'),
      outlive: () => others.push('outlive'),
      view: (members) => views.push(members),
      send: () => others.push('send'),
      setTimer: () => others.push('setTimer'),
      report: () => others.push('report'),
    },
    random: seededRandom(1),
  });
  return { machine, dialled, views, others };
}

const member = (name: string, epoch = 1): Member => ({ name, epoch, url: null });

describe('the static membership', () => {
  test('dials its list, once', () => {
    const { machine, dialled } = aMachine(['ws://10.0.0.2:7001', 'wss://10.0.0.3:7001']);
    machine.start(NOW);
    expect(dialled).toEqual([['ws://10.0.0.2:7001', 'wss://10.0.0.3:7001']]);
  });

  test('shows exactly who is connected, whoever dialled, and each once', () => {
    const { machine, views } = aMachine([]);
    machine.start(NOW);
    machine.connected(member('a'), NOW);
    machine.connected(member('b'), NOW);
    machine.connected(member('a', 2), NOW);
    machine.disconnected('b', NOW, false);
    expect(views).toEqual([[member('a')], [member('a'), member('b')], [member('a', 2), member('b')], [member('a', 2)]]);
  });

  test('says nothing new when somebody unknown is gone', () => {
    const { machine, views } = aMachine([]);
    machine.disconnected('a', NOW, false);
    expect(views).toEqual([]);
  });

  test('needs no message and no timer, and lets no message in', () => {
    const { machine, others } = aMachine([]);
    machine.start(NOW);
    machine.connected(member('a'), NOW);
    machine.receive('a', {}, NOW);
    machine.tick('x', NOW);
    machine.leave(NOW);
    expect(others).toEqual([]);
    expect(staticMembership().accepts({})).toBe(false);
  });

  test.each([[['10.0.0.2:7001']], [[7001]], ['ws://a'], [null]])('refuses %p as peers', (peers) => {
    expect(() => staticMembership({ peers: peers as string[] })).toThrow(
      expect.objectContaining({
        code: 'OPTIONS_INVALID',
        message: expect.stringContaining("'peers' must be an array"),
      }),
    );
  });
});
