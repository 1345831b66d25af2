/**
 * One line of an agent's standard input, as what it asks for.
 *
 * Invariants
 *  1. A line is checked for its shape here; ids and values are checked by the gossip, and both are answered alike.
 *  2. A field that means nothing is an error, so that a misspelt `expiresIn` does not live for ever.
 */

export type Command =
  | {
      readonly type: 'add';
      readonly gossip: string | undefined;
      readonly id: string;
      readonly value: unknown;
      readonly expiresIn: number | undefined;
      /** Whether it goes with this node. */
      readonly ephemeral: boolean | undefined;
    }
  | { readonly type: 'remove'; readonly gossip: string | undefined; readonly id: string }
  /** Prints counters and the hash of every replica: for operators and tests. */
  | { readonly type: 'status' };

/** The fields of each kind of line. */
const fields: Readonly<Record<Command['type'], ReadonlySet<string>>> = {
  add: new Set(['id', 'value', 'expiresIn', 'ephemeral', 'gossip']),
  remove: new Set(['id', 'remove', 'gossip']),
  status: new Set(['status']),
};

/** @throws Error whose message says what is wrong with the line */
export function parseCommand(text: string): Command {
  const line = parseJson(text);
  if (typeof line !== 'object' || line === null || Array.isArray(line))
    throw new Error('expected an object such as {"id": "flag", "value": true}');
  const given = line as Readonly<Record<string, unknown>>;
  const type = 'status' in given ? 'status' : 'remove' in given ? 'remove' : 'add';
  for (const field in given)
    if (!fields[type].has(field))
      throw new Error(`"${field}" means nothing here; known are ${[...fields[type]].join(', ')}`);
  if (type === 'status') return { type };
  const { id, gossip, expiresIn, ephemeral } = given;
  if (typeof id !== 'string') throw new Error('"id" must be a text');
  if (gossip !== undefined && typeof gossip !== 'string') throw new Error('"gossip" must be the name of an instance');
  if (type === 'remove') {
    if (given['remove'] !== true) throw new Error('"remove" must be true');
    return { type, gossip, id };
  }
  if (!('value' in given)) throw new Error('needs a "value", or "remove": true');
  if (expiresIn !== undefined && typeof expiresIn !== 'number') throw new Error('"expiresIn" must be milliseconds');
  if (ephemeral !== undefined && typeof ephemeral !== 'boolean') throw new Error('"ephemeral" must be true or false');
  return { type, gossip, id, value: given['value'], expiresIn, ephemeral };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new Error(`not JSON: ${(error as Error).message}`, { cause: error });
  }
}
