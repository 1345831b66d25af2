/**
 * The kinds of frames: the first number of every frame.
 *
 * Invariants
 *  1. A number once given is never given to another kind: older peers ignore kinds that they do not know.
 *  2. 0 to 15 speak of the connection itself (0 is the hello), 16 to 127 of one gossip instance.
 */

export const kinds = {
  hello: 0,
  channel: 1,
  'refuse-channel': 2,
  origins: 3,
  'forget-origins': 4,
  hashes: 16,
  'bucket-sums': 17,
  contexts: 18,
  chunk: 19,
  end: 20,
  ack: 21,
  'live-sums': 22,
  'live-dots': 23,
  refused: 24,
  room: 25,
  withheld: 26,
  'held-back': 27,
  disowned: 28,
  updates: 32,
  announce: 33,
  feedback: 34,
  ask: 35,
  gone: 36,
  pull: 37,
  custom: 48,
} as const;

/** Numbers that stand for words in frames: the index in the list. */
export const directions = ['push', 'pull', 'push-pull'] as const;
export const causes = ['mail', 'push', 'answer'] as const;
