/**
 * Bugs for custody: rules of docs/custody.md, and promises that rest on them. The yard must notice each within 500 seeds, or, where it is
 * too rare for that, the `tests` it names. `edits` are texts that stand exactly once in their file, and what is put in their place.
 */
const sim = { seeds: 500 };

export const MUTANTS = [
  {
    name: 'sync-disabled',
    breaks: 'an acknowledgement means that it is on the disk: nothing waits for the medium',
    edits: [
      {
        file: 'shared/core/drive.ts',
        find: 'if (pending === undefined) done();',
        replace: "if (pending === undefined || output.kind === 'write') done();",
      },
      {
        file: 'shared/core/drive.ts',
        find: 'else pending.then(done, fail);',
        replace: 'else pending.then(done, fail);\n      if (pending !== undefined) pending.catch(() => {});',
      },
    ],
    sim,
  },
  {
    name: 'send-answered-before-durable',
    breaks: 'a send is answered when the message is on the disk',
    edits: [
      {
        file: 'shared/core/send-desk.ts',
        find: 'if (intervalMs !== undefined) this.#shell.answer(token, sent);',
        replace: 'this.#shell.answer(token, sent);',
      },
    ],
    sim,
  },
  {
    name: 'accepts-against-the-durable-cursor',
    breaks: 'what arrives is compared with the planned cursor, the frame in flight included',
    edits: [
      { file: 'shared/custody/receiver.ts', find: 'if (next <= cursor.planned) {', replace: 'if (next <= cursor.durable) {' },
      {
        file: 'shared/custody/receiver.ts',
        find: "if (at.item.number > cursor.planned) return 'ahead';",
        replace: "if (at.item.number > cursor.planned || at.item.number < cursor.durable) return 'ahead';",
      },
      {
        file: 'shared/custody/entering.ts',
        find: 'return endsHere ? (destinations.get(handle)?.next ?? 1) : outgoing.open(handle, key).next;',
        replace: 'return endsHere && destinations.size < 0 ? 1 : outgoing.size < 0 ? outgoing.open(handle, key).next : 1;',
      },
    ],
    sim,
  },
  {
    name: 'tells-the-planned-cursor',
    breaks: 'others are told the durable cursor only',
    edits: [
      {
        file: 'shared/custody/receiver.ts',
        find: 'const cursor = this.#cursor(neighbour, stream).durable;',
        replace: 'const cursor = this.#cursor(neighbour, stream).planned;',
      },
    ],
    sim,
  },
  {
    name: 'released-on-puback',
    breaks: "a broker's PUBACK is not custody: only the receipt frees",
    edits: [
      {
        file: 'shared/relay/relay-publisher.ts',
        find: "      publishes.push({ topic: batch.topic, payload, qos: 1, retain: 'transient' });",
        replace:
          "      publishes.push({ topic: batch.topic, payload, qos: 1, retain: 'transient' });\n      for (const { stream } of batch.parts) this.#sender.acknowledged(stream.key, stream.send, stream.credit);",
      },
    ],
    sim,
  },
  {
    name: 'cursor-in-memory-only',
    breaks: 'a message is stored and its cursor moved in one frame',
    edits: [
      {
        file: 'shared/custody/receiver.ts',
        find: 'const metas: MetaChange[] = [...planned.changes, metaChange(',
        replace: "const metas: MetaChange[] = [...planned.changes.filter(({ key }) => !key.startsWith('d/')), metaChange('x/' + ",
      },
    ],
    sim,
  },
  {
    name: 'number-in-memory-only',
    breaks: 'a number is assigned in the frame that makes the message durable',
    edits: [
      {
        file: 'shared/custody/entering.ts',
        find: 'return { puts: [put], acks: [], changes: [...changes, counted.change], settle };',
        replace:
          "return { puts: [put], acks: [], changes: counted.change.key.startsWith('o/') ? changes : [...changes, counted.change], settle };",
      },
    ],
    sim,
  },
  {
    name: 'frees-one-too-many',
    breaks: 'a message is freed only when the cursor of the receiver has passed it',
    edits: [
      {
        file: 'shared/custody/outgoing.ts',
        find: 'slot !== NO_SLOT && index.number(slot) < cursor; slot = stream.list.head',
        replace: 'slot !== NO_SLOT && index.number(slot) <= cursor; slot = stream.list.head',
      },
    ],
    sim,
  },
  {
    name: 'no-fork-check',
    breaks: 'a store that was rolled back is a fork, never swallowed',
    edits: [
      {
        file: 'shared/custody/ticket.ts',
        find: 'const shown = equalBytes(offer.ticket, current) ||',
        replace: 'const shown = offer.ticket.length > 0 || equalBytes(offer.ticket, current) ||',
      },
      {
        file: 'shared/custody/sender.ts',
        find: 'if (key.origin === this.#store.self.name) return true;',
        replace: "if (key.origin === '') return true;",
      },
      {
        file: 'shared/custody/receiver.ts',
        find: "if (own !== 'whole') return false;",
        replace: 'if (own.length > 0) return false;',
      },
    ],
    sim,
  },
  {
    name: 'repeats-unflagged',
    breaks: 'what goes on under a new incarnation may be a repeat, and says so',
    edits: [
      {
        file: 'shared/custody/rehoming.ts',
        find: "const content = { body, properties, maybeDuplicate: 'maybe' as const,",
        replace: 'const content = { body, properties,',
      },
    ],
    sim,
  },
  {
    name: 'fork-loses-what-it-holds',
    breaks: 'what a forked store still holds goes on under the new incarnation',
    edits: [
      {
        file: 'shared/custody/rehoming.ts',
        find: 'this.#wait((done) => this.#store.commit({ puts: planned.puts, acks, metas }, done));',
        replace: 'this.#wait((done) => this.#store.commit({ acks, metas: freed.changes }, done));',
      },
      { file: 'shared/custody/rehoming.ts', find: '      planned.settle();\n', replace: '' },
    ],
    sim,
  },
  {
    name: 'state-not-copied-forward',
    breaks: 'a copy says all there is to say of its message',
    edits: [
      { file: 'shared/ring/message-index.ts', find: 'deliveryCount: this.deliveryCount(slot),', replace: 'deliveryCount: 0,' },
      { file: 'shared/ring/message-index.ts', find: 'notBeforeMs: this.notBeforeMs(slot),', replace: 'notBeforeMs: 0,' },
    ],
    sim,
  },
  {
    name: 'dead-letter-without-letter',
    breaks: 'what an application gives up is in $dead',
    edits: [
      {
        file: 'shared/core/endings.ts',
        find: "return withBeside(this.#store.ring, end, () => this.#intake.beginDead(letter, ending, 'replacing', to));",
        replace:
          "return cause.class === 'POISON' ? end : withBeside(this.#store.ring, end, () => this.#intake.beginDead(letter, ending, 'replacing', to));",
      },
    ],
    sim,
  },
  {
    name: 'expires-too-early',
    breaks: 'a message lives as long as it says',
    edits: [
      {
        file: 'shared/custody/queue-timers.ts',
        find: 'const left = (ms: number) => queueTimeMs + Math.max(0, ms - elapsedMs);',
        replace: 'const left = (ms: number) => queueTimeMs + Math.max(0, ms / 2 - elapsedMs);',
      },
    ],
    sim,
  },
  {
    name: 'losses-uncounted',
    breaks: 'every loss is counted: what expires has an account',
    edits: [
      {
        file: 'shared/core/endings.ts',
        find: 'return joined(end, { ...NOTHING, ...account });',
        replace: "return cause.class === 'RECEIVE_TIMEOUT' ? end : joined(end, { ...NOTHING, ...account });",
      },
    ],
    sim,
  },
  {
    name: 'least-urgent-first',
    breaks: 'the most urgent message is received first',
    edits: [
      {
        file: 'shared/queue/queues.ts',
        find: 'for (let priority = PRIORITY_MAX; priority >= 0; priority--) {',
        replace: 'for (let priority = 0; priority <= PRIORITY_MAX; priority++) {',
      },
    ],
    sim,
  },
  {
    name: 'lease-never-ends',
    breaks: 'a message whose lease is over is ready again',
    edits: [
      {
        file: 'shared/core/receive-desk.ts',
        find: 'if (expired.length > 0) this.#comingBack.expired(expired);',
        replace: 'void expired;',
      },
    ],
    sim,
  },
  {
    name: 'ack-answered-before-durable',
    breaks: 'received means that the acknowledgement is on the disk',
    edits: [
      {
        file: 'shared/core/lease-endings.ts',
        find: "if (token !== undefined) shell.answer(token, outcomeResult(store.ring, outcome, { kind: 'done' }));\n    });",
        replace: "void outcome;\n    });\n    if (token !== undefined) shell.answer(token, { kind: 'done' });",
      },
    ],
    sim,
  },
  {
    name: 'clones-swallowed',
    breaks: 'a message whose number another one has is never taken for a repeat',
    edits: [
      {
        file: 'shared/custody/arrivals.ts',
        find: 'return arrived !== undefined && contradicts(spans, item.number, arrived.epoch);',
        replace: 'return arrived === undefined && contradicts(spans, item.number, { counter: 0, random: 0 });',
      },
    ],
    // An old image and an empty gateway, and a new message between them: hardly one seed in two thousand.
    tests: ['shared/core/cloned.test.ts'],
  },
  {
    name: 'full-queue-swallows',
    breaks: 'what does not fit waits: nothing is dropped for lack of room',
    edits: [
      {
        file: 'shared/custody/arrivals.ts',
        find: 'if (!this.#hasRoom(queue, bytes)) return undefined;',
        replace: 'if (!this.#hasRoom(queue, bytes)) return { puts: [], acks: [], changes, settle: () => {} };',
      },
    ],
    sim,
  },
  {
    name: 'old-session-believed',
    breaks: 'words of an older session mean nothing',
    edits: [
      {
        file: 'shared/custody/sender.ts',
        find: 'const current = this.#nonce.length > 0 && equalBytes(nonce, this.#nonce);',
        replace: 'const current = this.#nonce.length > 0 && nonce.length > 0;',
      },
    ],
    sim,
  },
  {
    name: 'gap-beyond-its-counter',
    breaks: 'damage that takes a counter back keeps no node from serving, and gives no number of a gap out again',
    edits: [
      { file: 'shared/custody/outgoing.ts', find: '      stream.next = Math.max(stream.next, gap.to + 1);\n', replace: '' },
    ],
    // Damage, a fork and an end on the way together: one seed in several hundred.
    tests: ['shared/custody/rehoming.test.ts'],
  },
];
