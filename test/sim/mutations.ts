/**
 * Deliberate bugs, one at a time: what each would do to a cluster, and where it goes in.
 *
 * `from` must stand in the file exactly once more than it is replaced, so that a mutation that has gone stale says so.
 */

import type { MembershipName } from '@grapevine/sim';

export interface Patch {
  /** Below packages/. */
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

export interface Mutation {
  readonly name: string;
  readonly rule: string;
  readonly patches: readonly Patch[];
  /** How nodes find each other in the histories. @default 'list' */
  readonly membership?: MembershipName;
  /** Why it is not caught, if it is known not to be. */
  readonly survives?: string;
  /** The test, below the root, that must fail on it: for what no history shows, or hardly any. @default histories */
  readonly test?: string;
}

const one = (rule: string, name: string, file: string, from: string, to: string, survives?: string): Mutation => ({
  name,
  rule,
  patches: [{ file, from, to }],
  ...(survives === undefined ? {} : { survives }),
});

/** One that a test is to catch. */
const tested = (rule: string, name: string, test: string, file: string, from: string, to: string): Mutation => ({
  name,
  rule,
  patches: [{ file, from, to }],
  test,
});

const replica = 'core/src/replica.ts';
const verdict = 'core/src/replica/verdict.ts';
const exchange = 'core/src/protocols/exchange.ts';
const incoming = 'core/src/protocols/exchange/incoming.ts';
const outgoing = 'core/src/protocols/exchange/outgoing.ts';
const sweep = 'core/src/protocols/exchange/sweep.ts';
const epidemic = 'core/src/protocols/epidemic.ts';
const store = 'core/src/store.ts';
const ties = 'core/src/store/ties.ts';
const values = 'core/src/values.ts';
const rowTable = 'core/src/store/row-table.ts';
const dotIndex = 'core/src/store/dot-index.ts';
const framing = 'transport/src/framing.ts';
const framingTest = 'packages/transport/src/framing.test.ts';

export const mutations: readonly Mutation[] = [
  // Rule 1: versions are a total order.
  one(
    '1',
    'forget to bump the clock',
    'core/src/hlc.ts',
    'Math.max(stampAt(nowMs), (times[above - 1] ?? 0) + 1, after + 1)',
    'stampAt(nowMs)',
  ),
  one(
    '1',
    'write without having heard other clocks',
    'core/src/hlc.ts',
    'if (stamp <= last && stamp >= last - TIME) return;',
    'if (stamp > 0) return;',
  ),
  one(
    '1',
    'let the later arrival win',
    replica,
    'if (former !== undefined && isNewer(former, update)) return false;',
    '',
  ),
  one('1', 'break ties by arrival', 'core/src/update.ts', 'return a.origin.name > b.origin.name;', 'return false;'),
  one(
    '1',
    'take what is stamped far ahead',
    replica,
    '} else if ((stamps[row] as Stamp) > limit) {',
    '} else if ((stamps[row] as Stamp) > limit * 2) {',
  ),
  one(
    '1',
    'reuse an epoch: an origin is its name alone',
    'core/src/origin.ts',
    'this.key = `${epoch}@${name}`',
    'this.key = `@${name}`',
  ),
  one(
    '1',
    'let a former life silence this one',
    replica,
    'if (former !== undefined && this.#isOwnLost(former, update)) {',
    'if (former !== undefined && this.name === "" && this.#isOwnLost(former, update)) {',
  ),
  one(
    '1',
    'never write under a higher epoch than the clock gave',
    replica,
    'if (known < this.#origin.epoch ||',
    'if (known >= 0 || known < this.#origin.epoch ||',
  ),

  one(
    '1',
    'count on from the stamps of a clock that was ahead',
    'core/src/hlc.ts',
    'while (above > 0 && (times[above - 1] as Stamp) > limit) above--;',
    '',
  ),
  one(
    '1',
    'leave own writes as they are that are stamped too far ahead',
    'core/src/protocols/ahead.ts',
    'const disowned = replica.rewriteAhead(nowMs);',
    'const disowned: Dots = [];',
  ),
  one(
    '1',
    'write again and keep the dots that are disowned',
    replica,
    'this.context.removeAll(dots);\n    if (this.#disowned',
    'if (this.#disowned',
  ),

  // Rule 2: the context tells the truth.
  one(
    '2',
    'claim one dot too many',
    replica,
    'this.context.extend(seen, first, last);',
    'this.context.extend(seen, first, last + 1);',
  ),
  one(
    '2',
    'claim before the handler has judged',
    'core/src/intake.ts',
    'this.pending.addAll(news.dots());',
    'this.pending.addAll(news.dots()); this.#environment.replica.context.addAll(news.dots());',
  ),
  one(
    '2',
    'claim what is held back',
    replica,
    'this.#heldBack.lacking(fresh)',
    'fresh',
    'An exchange leaves it out of what a claim says before the replica does: this is the second guard of two.',
  ),
  one(
    '2',
    'claim what is gone',
    'core/src/protocols/asks.ts',
    'const gone = ask.dots.common(dots);',
    'const gone = ask.dots.common(dots); this.#environment.replica.context.addAll(gone);',
  ),
  one(
    '2',
    'store without claiming',
    replica,
    'this.context.extend(seen, first, last);',
    'if (last > first) this.context.extend(seen, first, last);',
  ),
  one(
    '2',
    'sum only the end of an origin',
    'core/src/context.ts',
    'const from = length === 0 || first > (settled[length - 1] as number) + 1 ? length : lowerBound(settled, first - 1);',
    'const from = length;',
  ),

  // Rule 3: the exchange and its sweep.
  {
    rule: '3',
    name: 'compare contexts alone',
    patches: [
      {
        file: exchange,
        from: '} else if (!sameSum(liveWithout(replica.store, refused, message.horizonMs), message.live)) {',
        to: '} else if (message.type !== "hashes") {',
      },
      { file: incoming, from: 'if (this.#sweep.isLiveAs(message) ||', to: 'if (message.type === "end" ||' },
    ],
  },
  one(
    '3',
    'sweep after transfers alone',
    exchange,
    '} else if (!sameSum(liveWithout(replica.store, refused, message.horizonMs), message.live)) {',
    '} else if (message.type !== "hashes") {',
  ),
  one(
    '3',
    'end the transfer before all is sent, claiming all',
    outgoing,
    'if (missing.length === 0) break;',
    'if (missing.length === 0 || outgoing.oldest > 0) break;',
    'A hole of time, not of the oracles: it takes a transfer of more than eight chunks during which something is written, which an earlier run met after 58 histories.',
  ),
  {
    rule: '3',
    name: 'drop single frames of a transfer, and do not count them',
    patches: [
      {
        file: 'core/src/messages.ts',
        from: "return message.type === 'announce' ||",
        to: "return message.type === 'chunk' || message.type === 'announce' ||",
      },
      { file: incoming, from: 'if (open.next !== index) {', to: 'if (open.next > index) {' },
      { file: incoming, from: 'open.next++;', to: 'open.next = index + 1;' },
    ],
  },
  one(
    '3',
    'claim while an update is refused or left',
    incoming,
    'const claim = untaken.lacking(message.claim);',
    'const claim = message.claim;',
    'What is held back is kept out of claims a second time by the replica itself; only more than 1,024 updates from the future at once, or ones that are too large, would show it.',
  ),
  one(
    '3',
    'sweep without covering the peer',
    sweep,
    'if (replica.context.covers(taken)) this.#sweep(message, doubted, horizonMs);',
    'this.#sweep(message, doubted, horizonMs);',
  ),
  one(
    '3',
    'sweep by our own context',
    sweep,
    'const seen = Context.of(message.context);',
    'const seen = replica.context;',
  ),
  one(
    '3',
    'sweep with a list older than its context',
    sweep,
    'const context = replica.vouched(replica.context.dots());\n',
    'const context = replica.vouched(replica.context.dots());\n    const older = (this as any).older ?? dots; (this as any).older = Context.of(dots.dots()); const dotsOfNow = dots; dotsOfNow.removeAll(dots.dots()); dotsOfNow.addAll(older.dots());\n',
  ),
  one('3', 'never sweep', sweep, 'for (const update of dropped) replica.sweep(update);', 'dropped.length = 0;'),
  one(
    '3',
    'skip one bucket of the contexts',
    exchange,
    'for (let bucket = 0; bucket < CONTEXT_BUCKETS; bucket++)',
    'for (let bucket = 16; bucket < CONTEXT_BUCKETS; bucket++)',
  ),
  one(
    '3',
    'skip one bucket in the sweep',
    sweep,
    'for (let bucket = 0; bucket < LIVE_BUCKETS; bucket++)',
    'for (let bucket = 1; bucket < LIVE_BUCKETS; bucket++)',
    'One of 1,024 buckets, and only where more than 512 ids are live: the store of such a history would have to differ in that bucket alone. Skipping 64 of them (the next one) is caught.',
  ),
  one(
    '3',
    'skip some buckets in the sweep',
    sweep,
    'for (let bucket = 0; bucket < LIVE_BUCKETS; bucket++)',
    'for (let bucket = 256; bucket < LIVE_BUCKETS; bucket++)',
  ),
  one(
    '3',
    'never withdraw an invitation',
    incoming,
    'return this.#intake.backlog > 0 || isRecent;',
    'return this.#intake.backlog >= 0 || isRecent;',
    'A hole of time: an instance must crash between an invitation and its answer, on a connection that lives on. An earlier run met something of it after 119 histories.',
  ),
  one(
    '3',
    'send a value that the peer has',
    outgoing,
    'const theirs = Context.of(isModest ? message.dots : replica.context.common(message.dots));',
    'const theirs = Context.of(message.dots.slice(1));',
  ),
  one(
    '3',
    'take up a transfer over another connection',
    'core/src/protocols/sessions.ts',
    'filter(([name, session]) => this.#sessions.get(name) !== session)',
    'filter(([name]) => this.#sessions.get(name) === undefined)',
    "A transfer is known by its invitation's number, which no other has; one that was cut off is withdrawn when nothing comes of it for some cycles. So this costs time, and nothing else.",
  ),
  one(
    '3',
    'do not acknowledge',
    incoming,
    "effects.send(from, { type: 'ack', invitation, index });",
    '',
    'A hole of time: only a transfer of more than eight chunks waits for it. An earlier run met it after 95 histories.',
  ),
  one(
    '3',
    'send the latest arrival first',
    store,
    'arrivals.sort((a, b) => a - b),',
    'arrivals.sort((a, b) => b - a),',
    'A store holds only the newest update of an id, and what supersedes one during a transfer goes in a later round of the same transfer; so within one round no two updates are of one id, and their order does not show.',
  ),
  one(
    '3',
    'take claims before all is judged',
    incoming,
    'this.#intake.settled(nowMs, (settledMs) => {',
    '((at: number, then: (ms: number) => void) => then(at))(nowMs, (settledMs) => {',
    'What is under judgement is kept out of claims a second time by the replica itself, and waits for its own verdict.',
  ),
  one(
    '3',
    'vouch for what is only known by the word of others',
    replica,
    'if (this.#lacks || this.#vouching.isAwaiting) this.#vouching.doubt(taken);',
    '',
  ),
  one(
    '3',
    'vouch for what was swept while something was refused',
    replica,
    'if (this.#lacks || this.#vouching.isAwaiting) this.#vouching.doubt(dotsOf([update]));',
    '',
  ),
  one(
    '3',
    'take what a claim leaves out for a difference elsewhere',
    outgoing,
    'isWhole ? end : { ...end, context: this.#contextAs(claim, buckets) }',
    'end',
  ),
  one('3', 'send again what was refused', outgoing, 'theirs.addAll(this.refusedBy(from));', ''),
  one(
    '3',
    'claim what the peer refused',
    outgoing,
    'replica.vouched(without(replica.context.dots(buckets), refused))',
    'replica.vouched(replica.context.dots(buckets))',
    'Who refuses keeps what it refused in this very transfer out of the claim as well, and its replica does for good.',
  ),
  {
    rule: '3',
    name: 'claim what the peer refused, who takes it up',
    patches: [
      {
        file: outgoing,
        from: 'replica.vouched(without(replica.context.dots(buckets), refused))',
        to: 'replica.vouched(replica.context.dots(buckets))',
      },
      {
        file: incoming,
        from: 'const claim = untaken.lacking(message.claim);',
        to: 'const claim = message.claim;',
      },
    ],
  },
  one(
    '3',
    'drop on the word of a peer that refused',
    exchange,
    'this.#outgoing.doubtedOf(from), nowMs)',
    'null, nowMs)',
    'Who refuses keeps what it refused in this very transfer out of its claim as well, and its replica does for good.',
  ),
  one('3', 'leave the young alone for ever', outgoing, 'return rest.length === 0;', 'return rest.length >= 0;'),
  one(
    '3',
    'forget the live sum of what is dropped',
    store,
    'this.#sumUp(id, origin, sequence, update.expiresAt, arrival, -1);',
    '',
  ),

  // Rule 4: removing is a write.
  one(
    '4',
    'drop a removal',
    outgoing,
    'if ((page.stamps[slot] as Stamp) >= oldest && page.expiresAt(slot) === undefined) return true;',
    '',
  ),
  one(
    '4',
    'keep tombstones for ever',
    replica,
    'for (const tombstone of this.store.tombstonesUpTo(nowMs - ttlMs)) {',
    'for (const tombstone of this.store.tombstonesUpTo(0)) {',
  ),
  one('4', 'announce tombstones that are collected', replica, 'this.withdrawn?.(tombstone);', ''),

  // Rule 5: expiry is local and equal.
  one(
    '5',
    'send on what has expired',
    outgoing,
    'if ((page.stamps[slot] as Stamp) >= oldest && page.expiresAt(slot) === undefined) return true;',
    'if ((page.stamps[slot] as Stamp) >= oldest) return true;',
  ),
  one(
    '5',
    'let the last one not expire',
    replica,
    'for (const update of expired) this.#put',
    'for (const update of expired.slice(1)) this.#put',
  ),
  one('5', 'sum up what is about to expire', store, 'if (second * 1000 > horizonMs) slot.addTo(sum', 'slot.addTo(sum'),

  // Rule 6: refusal hides.
  one('6', 'push what is hidden', replica, 'return isKept;', 'return true;'),
  one(
    '6',
    'show what was ignored',
    verdict,
    "return hiddenView(verdict.type === 'dead' ? 'deadletter' : 'ignored', former);",
    'return undefined;',
  ),
  one(
    '6',
    'do not store what is hidden',
    replica,
    'if (isJudged) update.view = viewOf(update, newest.get(id) === row, former, verdict);',
    "if (isJudged) { update.view = viewOf(update, newest.get(id) === row, former, verdict); if (verdict.type === 'ignore') return false; }",
  ),
  one(
    '6',
    'answer feedback with dots that were unknown',
    epidemic,
    'this.#answerPush(from, without(dots, lacked), lacked);',
    'this.#answerPush(from, dots, []);',
  ),
  one(
    '6',
    'never lose interest',
    epidemic,
    'return counter + pushes < rounds ? counter + pushes : undefined;',
    'return counter;',
  ),
  one(
    '6',
    'never show again what was tied to a node that was thought to be gone',
    ties,
    'if (isNow === writer.isThere) continue;',
    'if (isNow || isNow === writer.isThere) continue;',
  ),
  one(
    '6',
    'show what is tied to a former process of a node',
    replica,
    'return least !== undefined && epoch >= least;',
    'return least !== undefined && epoch > 0;',
  ),
  one('6', 'push on what was superseded', epidemic, 'this.#infective.remove(update.origin, update.sequence);', ''),

  // Rule 7: pure rumor mongering.
  one('7', 'close gaps at once', 'core/src/protocols/gaps.ts', 'this.#former.common(missing)', 'missing'),
  one(
    '7',
    'forget removed rumors early',
    'core/src/protocols/removed.ts',
    'filter(({ until }) => until <= nowMs - this.#ttlMs)',
    'filter(({ until }) => until <= nowMs)',
  ),

  // Rule 9, and the subscribers.
  one(
    '9',
    'forget an origin while what superseded its writes is young',
    replica,
    'if (seen !== undefined && update.stamp > seen.newest) seen.newest = update.stamp;',
    '',
  ),
  one('9', 'never forget an origin', replica, 'wallOf(newest) >= nowMs - this.forgetAfterMs', 'wallOf(newest) >= 0'),
  one(
    '9',
    'go on after a long sleep',
    replica,
    'this.#awakeMs !== undefined && nowMs - this.#awakeMs > this.forgetAfterMs',
    'this.#awakeMs !== undefined && nowMs - this.#awakeMs > Infinity',
  ),
  one(
    '9',
    'take a clock that was set for sleep',
    'core/src/watched-clock.ts',
    'if (nowBootMs !== null) listener.clockSet(nowBootMs - bootMs);',
    '',
  ),
  one(
    '9',
    'keep tombstones that came while the clock was ahead until it is as late again',
    replica,
    'this.store.ageTombstones(nowMs);',
    '',
  ),
  one(
    '9',
    'rejoin under the former epoch',
    replica,
    'this.#lives.clear();\n    this.#takeEpoch(nowMs);',
    'this.#lives.clear();',
  ),
  one(
    '9',
    'rejoin with what it knew',
    replica,
    'this.context.forget(origin);\n      this.store.forget(origin);\n    }\n    this.refused.clear',
    'this.store.forget(origin);\n    }\n    this.refused.clear',
  ),
  // A process must fall asleep within the 400 ms of a judgement, and wake to another timer before the verdict.
  tested(
    '9',
    'store after a long sleep what was under judgement before it',
    'packages/core/src/protocols/sleep.test.ts',
    'core/src/protocols/turn.ts',
    'this.#parts.intake.abandon();',
    '',
  ),
  one(
    '9',
    'take no claim about nodes that are there',
    replica,
    'this.#isThere(origin, (epochs ??= latestEpochs(this.context.origins(), dots)), inView),',
    'origin.epoch < 0,',
  ),
  // It shows only where tombstones are kept for longer than forgetAfter, which is refused where an instance is spawned, and
  // nearly so where one arrives late.
  tested(
    '9',
    'forget an origin under its tombstones',
    'test/sim/found.test.ts',
    store,
    'return (this.#find(origin)?.rows ?? 0) > 0;',
    'for (const update of this) if (update.origin.key === origin.key && update.value !== undefined) return true; return false;',
  ),
  // The columns of the store.
  one(
    '-',
    'drop the last live row when a page is made anew',
    store,
    'if (id === undefined) continue;\n        const row',
    'if (id === undefined || slot === page.used - 1) continue;\n        const row',
  ),
  one(
    '-',
    'keep the slot of a row that has moved, by its id',
    store,
    'this.#byId.renumber(this.#hash.text(id), rowAt(page, slot), row);',
    'this.#byId.renumber(this.#hash.text(id), rowAt(page, slot), rowAt(merged, slot));',
  ),
  one(
    '-',
    'keep the slot of a row that has moved, by its dot',
    store,
    'this.#byDot.renumber(writer, page.sequences[slot] as number, row);',
    'this.#byDot.renumber(writer, page.sequences[slot] as number, rowAt(merged, slot));',
  ),
  one(
    '-',
    'take a row that has moved for one that is gone',
    store,
    'const writer = this.#find(update.origin);\n    const found = writer === undefined ? -1 : this.#byDot.get(writer, update.sequence);',
    'const found = -1;',
  ),
  // A history would have to move rows in the middle of a walk.
  tested(
    '-',
    'go on iterating by place when rows have moved',
    'packages/core/src/store/store-columns.test.ts',
    store,
    'if (walk.moves !== this.#moves) {',
    'if (walk.moves === -1) {',
  ),
  one(
    '-',
    'lose an id when its neighbour in the table is deleted',
    rowTable,
    'if (isBehindGap) continue;',
    'if (isBehindGap || next >= 0) continue;',
  ),
  one(
    '-',
    'lose the entries of a segment that is made larger',
    rowTable,
    'for (let at = 0; at < entries.length; at += 2)\n    if (entries[at + 1] !== 0) segment',
    'for (let at = 2; at < entries.length; at += 2)\n    if (entries[at + 1] !== 0) segment',
  ),
  // A history would have to hold more ids than a segment has entries.
  tested(
    '-',
    'split a segment by another bit than it is chosen by',
    'packages/core/src/store/row-table.test.ts',
    rowTable,
    '(isOne(of, bits) ? high : low)',
    '(isOne(of, bits + 1) ? high : low)',
  ),
  one(
    '-',
    'move values without their rows',
    values,
    'this.#starts[row] = filled;\n      filled += length;',
    'filled += length;',
  ),
  one('-', 'let a block of dots go with the first of them', dotIndex, 'if (count > 0) return;', ''),
  one(
    '-',
    'look into the block of dots that was found last',
    dotIndex,
    'if (ordinal === this.#ordinal && number === this.#writer) return this.#block;',
    'if (ordinal === this.#ordinal && this.#block !== -1) return this.#block;',
  ),
  one(
    '-',
    'tell subscribers of no removal',
    replica,
    'if (former !== undefined && visible(former) !== undefined) this.changes.add(update);',
    '',
  ),
  one(
    '-',
    'tell subscribers of nothing that the sweep drops',
    replica,
    'if (this.observed && visible(update) !== undefined)\n',
    'if (this.observed && this.name === "")\n',
  ),

  // The bytes of frames. The simulator knows no sockets.
  tested(
    '-',
    'mask other bytes by the mask of the frame before',
    framingTest,
    framing,
    'this.#poolAt += maskBytes;',
    '',
  ),
  tested(
    '-',
    'send the bytes that the turn sent before, where there are as many',
    framingTest,
    framing,
    'if (this.#payload === payload) return;',
    'if (this.#payload?.length === payload.length) return;',
  ),
];
