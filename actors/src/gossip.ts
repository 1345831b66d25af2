/**
 * The supervisor of one gossip instance: the instance, its collector of garbage and its handler, each restarted alone.
 *
 * Source: docs/architecture.md.
 */

import { gcSpec } from './gc.ts';
import { handlerSpec } from './handler.ts';
import type { Holding } from './holding.ts';
import { instanceSpec } from './instance.ts';
import type { ActorSpec } from './kernel/behaviour.ts';
import type { Ref } from './kernel/nact.ts';

/** @param onSpawn hears the places of the tree below, for tests */
export function gossipSpec(
  holding: Holding,
  onSpawn: (place: readonly string[], ref: Ref<never>) => void,
): ActorSpec<never> {
  const { name, protocol, handler } = holding.options;
  return {
    name: `gossip ${name}`,
    supervision: { strategy: 'one-for-one' },
    start(self) {
      const instance = self.spawn(instanceSpec(holding));
      holding.instanceRef = instance;
      onSpawn(['instance'], instance);
      if (protocol.gcMs !== false) onSpawn(['gc'], self.spawn(gcSpec(instance, protocol.gcMs)));
      if (handler === null) return;
      onSpawn(['handler'], self.spawn(handlerSpec(holding, handler)));
      if (holding.handlerRef !== null) onSpawn(['handler', 'judge'], holding.handlerRef);
    },
  };
}
