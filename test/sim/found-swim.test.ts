/** Bugs that the simulator found in SWIM with gossip on top of it, each as the shortest history that shows it. */
import { describe, expect, test } from '@jest/globals';
import { type HistoryOptions, runHistory } from '@grapevine/sim';

describe('found by the simulator, where nodes find each other by SWIM:', () => {
  test.each<HistoryOptions & { readonly what: string }>([
    {
      what: 'a node that comes back elsewhere with its clock behind gets in, though one who suspects its former self told it first',
      seed: 41066,
      nodes: 4,
      minutes: 5,
      without: ['drops', 'skewMs', 'sleeps', 'twins', 'refusals'],
      only: new Set([3004, 3007, 3010, 3015, 3016, 4001, 4003, 4006, 4007]),
    },
    {
      what: 'a node that only dials does not release its only hub, whose word of it would be the last: an earlier life of it could not come in',
      seed: 110,
      nodes: 8,
      minutes: 2,
      hubs: 1,
      without: ['jitterMs', 'drops', 'skewMs', 'handlers', 'crashes', 'jumps', 'sleeps', 'refusals', 'frames'],
      only: new Set([23, 20, 1017, 1010]),
    },
    {
      what: 'an own write that was pulled before it was pushed is not pushed with its value to a node that has announced it',
      seed: 1080,
      nodes: 5,
      minutes: 4,
    },
  ])('$what', ({ what: _, ...options }) => {
    expect(runHistory({ ...options, membership: 'swim' }).violation).toBeNull();
  });
});
