/**
 * The collector of garbage: asks the instance to collect, every so often. Its own actor, so that how often is nobody
 * else's business, and so that it can be stopped and started alone.
 *
 * Invariants
 *  1. It touches nothing itself: what is garbage is the protocol's to decide.
 *
 * Source: docs/architecture.md.
 */

import type { Collect, InstanceMessage } from './instance-messages.ts';
import { tell } from './kernel/actor.ts';
import type { ActorSpec } from './kernel/behaviour.ts';
import type { Ref } from './kernel/nact.ts';

const collect: Collect = { type: 'collect' };

export function gcSpec(instance: Ref<InstanceMessage>, periodMs: number): ActorSpec<Collect> {
  return {
    name: 'gc',
    start(self) {
      self.every(periodMs, collect);
      return {
        receive() {
          tell(instance, collect);
        },
      };
    },
  };
}
