/**
 * Bugs for the node that applications see: rules of docs/queues.md, docs/library.md and docs/local-api.md. `edits` are texts that stand
 * exactly once in their file, and what is put in their place; `tests` are the files that must notice, asked in order until one does.
 *
 * Left out, because nothing changes that anybody could see:
 * - a transaction as several batches of one step: they share a frame
 * - a letter planned behind what its transaction sends: it stands between none of that either way
 */
export const MUTANTS = [
  // Who waits for an answer
  {
    name: 'long-wait-forgotten',
    breaks: 'every call is answered, however long it waits and however many come after it',
    edits: [
      {
        file: 'shared/core/open-calls.ts',
        find: '    if (before !== undefined) this.#longer.set(this.#tokens[place] ?? 0, before);\n',
        replace: '    void before;\n',
      },
    ],
    tests: ['shared/core/open-calls.test.ts'],
  },
  {
    name: 'answer-of-another-call',
    breaks: 'an answer goes to the call that it is for',
    edits: [
      {
        file: 'shared/core/open-calls.ts',
        find: 'return this.#tokens[place] === token ? this.#thens[place] : undefined;',
        replace: 'return this.#thens[place];',
      },
    ],
    tests: ['shared/core/open-calls.test.ts'],
  },
  // Leases, back-off, poison
  {
    name: 'poison-comes-again',
    breaks: 'poison: after deliveriesMax deliveries a message is given up',
    edits: [
      {
        file: 'shared/core/coming-back.ts',
        find: '    if (this.isPoison(message)) return this.poison(message, token);\n',
        replace: '',
      },
    ],
    tests: ['shared/core/back-off.test.ts'],
  },
  {
    name: 'own-delay-of-zero-overruled',
    breaks: 'a nack with a delay, 0 too, has that one',
    edits: [
      {
        file: 'shared/core/coming-back.ts',
        find: 'const delayMs = ownDelayMs ?? this.#delayOf(message);',
        replace: 'const delayMs = ownDelayMs || this.#delayOf(message);',
      },
    ],
    tests: ['shared/core/back-off.test.ts'],
  },
  {
    name: 'first-wait-too-early',
    breaks: 'back-off: no wait after the first failed delivery, retryMs after the second',
    edits: [
      {
        file: 'shared/queue/retry-delays.ts',
        find: 'if (retryMs === 0 || failedDeliveries < 2) return 0;',
        replace: 'if (retryMs === 0 || failedDeliveries < 1) return 0;',
      },
      { file: 'shared/queue/retry-delays.ts', find: '(failedDeliveries - 2)', replace: '(failedDeliveries - 1)' },
    ],
    tests: ['shared/queue/retry-delays.test.ts'],
  },
  {
    name: 'restart-shortens-the-wait',
    breaks: 'the wait of a message that came back is on the disk',
    edits: [
      {
        file: 'shared/ring/live-set.ts',
        find: '          this.setState(entry);',
        replace: '          this.setState({ ...entry, notBeforeMs: 0 });',
      },
    ],
    tests: ['shared/core/back-off.test.ts'],
  },
  {
    name: 'jitter-without-chance',
    breaks: 'retryJitterPercent makes waits differ',
    edits: [{ file: 'shared/core/coming-back.ts', find: '? chanceOf(random) : 0.5', replace: '? 0.5 : 0.5' }],
    tests: ['shared/core/back-off.test.ts'],
  },
  {
    name: 'lease-ends-twice',
    breaks: 'a lease that is being ended cannot be ended again',
    edits: [{ file: 'shared/core/lease-endings.ts', find: '    this.#parts.leases.end(lease);\n  }', replace: '  }' }],
    tests: ['shared/core/back-off.test.ts'],
  },
  {
    name: 'lease-of-another-opening',
    breaks: 'a lease ends with its node: its name means nothing afterwards',
    edits: [{ file: 'shared/queue/leases.ts', find: 'return lease?.id === id ? lease : undefined;', replace: 'return lease;' }],
    tests: ['shared/queue/leases.test.ts'],
  },
  {
    name: 'extended-in-vain',
    breaks: 'extend makes the lease hold from now',
    edits: [
      {
        file: 'shared/queue/leases.ts',
        find: 'this.restore({ ...lease, deadlineMs });',
        replace: 'this.restore({ ...lease, deadlineMs: Math.min(deadlineMs, lease.deadlineMs) });',
      },
    ],
    tests: ['shared/queue/leases.test.ts'],
  },
  {
    name: 'killer-never-counted',
    breaks: 'what may have ended a node is counted before it is handed out',
    edits: [
      {
        file: 'shared/core/delivery-counts.ts',
        find: 'return message.messageId <= this.#suspectIdMax || this.of(message) > 0;',
        replace: 'return this.of(message) > 0;',
      },
    ],
    tests: ['shared/core/delivery-counts.test.ts'],
  },
  {
    name: 'cancelled-receiver-takes-along',
    breaks: 'a message on its way to one who gave up goes back at once',
    edits: [
      {
        file: 'shared/core/handing-out.ts',
        find: '    this.#goBack(({ waiting }) => waiting.token === token);\n',
        replace: '    void token;\n',
      },
    ],
    tests: ['shared/core/competing.test.ts'],
  },
  // Selectors
  {
    name: 'after-begins-anew',
    breaks: 'after a place is the next message, whether or not the one at the place is still there',
    edits: [{ file: 'shared/core/selection.ts', find: 'list?.firstAfter(place.lookupId)', replace: 'list?.head' }],
    tests: ['shared/core/receiving.test.ts'],
  },
  {
    name: 'named-looks-once',
    breaks: 'who names a message that is held back gets it when it is free',
    edits: [{ file: 'shared/core/named-search.ts', find: '    this.#retryParked();\n', replace: '' }],
    tests: ['shared/core/held-back.test.ts'],
  },
  {
    name: 'places-starve',
    breaks: 'who wants a message by its place is served',
    edits: [
      {
        file: 'shared/core/servings.ts',
        find: '    for (const waiting of waits.placed.values()) this.#servePlaced(queue, waiting);\n',
        replace: '',
      },
    ],
    tests: ['shared/core/receiving.test.ts'],
  },
  // Strict and paused
  {
    name: 'strict-two-of-a-stream',
    breaks: 'strict: of each stream one message is under lease at a time',
    edits: [
      { file: 'shared/queue/strict-order.ts', find: '    if (line.leased > 0) return false;\n', replace: '' },
      {
        file: 'shared/queue/strict-order.ts',
        find: 'return line.leased === 0 && line.slots[line.first] === slot',
        replace: 'return line.slots[line.first] === slot',
      },
    ],
    tests: ['shared/queue/strict-order.test.ts'],
  },
  {
    name: 'strict-overtakes',
    breaks: 'strict: nothing is handed out while an earlier one of its stream waits for its delay',
    edits: [
      {
        file: 'shared/queue/strict-order.ts',
        find: '    for (let at = line.first; line.slots[at] !== slot; at++) if (!this.#index.isListed(line.slots[at] ?? NO_SLOT)) return false;\n',
        replace: '',
      },
    ],
    tests: ['shared/queue/strict-order.test.ts', 'shared/core/held-back.test.ts'],
  },
  {
    name: 'paused-hands-out',
    breaks: 'a paused queue takes messages and hands out none',
    edits: [
      { file: 'shared/queue/queues.ts', find: "    if (queue.options.state === 'paused') return NO_SLOT;\n", replace: '' },
      { file: 'shared/queue/queues.ts', find: "return queue.options.state !== 'paused' && (", replace: 'return (' },
      { file: 'shared/core/servings.ts', find: "    if (queue.options.state === 'paused') return NO_SLOT;\n", replace: '' },
    ],
    tests: ['shared/core/held-back.test.ts'],
  },
  // Handles
  {
    name: 'alone-but-for-the-parts',
    breaks: 'who has a queue alone has its subqueues alone',
    edits: [
      {
        file: 'shared/core/handles.ts',
        find: 'for (const part of [queue, queue.parent]) {',
        replace: 'for (const part of [queue]) {',
      },
    ],
    tests: ['shared/core/handles.test.ts'],
  },
  {
    name: 'idle-handle-for-ever',
    breaks: 'a handle that is not used for idleMs ends',
    edits: [
      {
        file: 'shared/core/handles.ts',
        find: 'if (handle !== undefined && handle.deadlineMs > this.#store.nowMs) return handle;',
        replace: 'if (handle !== undefined) return handle;',
      },
    ],
    tests: ['shared/core/handles.test.ts'],
  },
  {
    name: 'alone-beside-who-waits',
    breaks: 'who waits without a handle when another opens the queue alone is told so',
    edits: [
      {
        file: 'shared/core/desk.ts',
        find: 'for (const part of [queue, ...queue.subqueues.values()]) this.#receives.openedAlone(part);',
        replace: 'void queue;',
      },
    ],
    tests: ['shared/core/handles.test.ts'],
  },
  // Purge and delete
  {
    name: 'purge-without-end',
    breaks: 'a message that arrives while a purge runs stays',
    edits: [
      {
        file: 'shared/core/clearing.ts',
        find: 'slot !== NO_SLOT && index.rank(slot) <= job.idMax && waiting',
        replace: 'slot !== NO_SLOT && waiting',
      },
    ],
    tests: ['shared/core/queue-desk.test.ts'],
  },
  {
    name: 'purged-uncounted',
    breaks: 'what is purged is accounted for as Q_PURGED',
    edits: [
      {
        file: 'shared/core/endings.ts',
        find: '    return joined(end, { ...NOTHING, ...account });',
        replace: "    return cause.class === 'Q_PURGED' ? end : joined(end, { ...NOTHING, ...account });",
      },
    ],
    tests: ['shared/core/queue-desk.test.ts'],
  },
  {
    name: 'deletion-stops-half-way',
    breaks: 'a node that dies in the middle of a deletion goes on when it opens',
    edits: [
      {
        file: 'shared/core/clearing.ts',
        find: '    for (const queue of parts.store.queues.deleting) this.delete(undefined, queue);\n',
        replace: '',
      },
    ],
    tests: ['shared/core/queue-desk.test.ts'],
  },
  {
    name: 'queue-id-again',
    breaks: 'the id of a queue is never used again',
    edits: [
      {
        file: 'shared/custody/queue-meta.ts',
        find: "  if (typeof idMax === 'number') queues.raiseIds(idMax);\n",
        replace: '  void idMax;\n',
      },
    ],
    tests: ['shared/core/queue-desk.test.ts'],
  },
  {
    name: 'deleted-queue-keeps-leases',
    breaks: 'the leases of a deleted queue are unknown from then on',
    edits: [
      { file: 'shared/core/receive-desk.ts', find: '    for (const lease of leased) this.#leases.end(lease);\n', replace: '' },
    ],
    tests: ['shared/core/competing.test.ts'],
  },
  // Subqueues
  {
    name: 'move-forgotten-at-recovery',
    breaks: 'a move is on the disk: the STATE says the queue',
    edits: [
      {
        file: 'shared/ring/live-set.ts',
        find: '          this.setState(entry);',
        replace: '          this.setState({ ...entry, queue: 0 });',
      },
    ],
    tests: ['shared/core/moves.test.ts'],
  },
  {
    name: 'move-count-not-copied',
    breaks: 'a copy says how often its message was moved',
    edits: [{ file: 'shared/ring/message-index.ts', find: 'moveCount: this.moveCount(slot),', replace: 'moveCount: 0,' }],
    tests: ['shared/ring/laps.test.ts'],
  },
  {
    name: 'moved-before-durable',
    breaks: 'on its way between two queues nobody gets a message',
    edits: [
      { file: 'shared/core/queue-desk.ts', find: "      if (outcome === 'durable') planned.landed();\n", replace: '' },
      {
        file: 'shared/core/queue-desk.ts',
        find: '    planned.settle();\n',
        replace: '    planned.settle();\n    planned.landed();\n',
      },
    ],
    tests: ['shared/core/moves.test.ts'],
  },
  {
    name: 'moves-into-any-queue',
    breaks: 'a message moves between a queue and its parts only',
    edits: [
      {
        file: 'shared/core/moves.ts',
        find: 'if ((target.parent ?? target) !== whole) throw',
        replace: "if (whole.name === '') throw",
      },
    ],
    tests: ['shared/core/moves.test.ts'],
  },
  // Transactions
  {
    name: 'refused-commit-leaves-numbers',
    breaks: 'a transaction that is refused changes nothing: counters go back',
    edits: [
      { file: 'shared/custody/draft.ts', find: 'for (const back of this.#close().reverse()) back();', replace: 'this.#close();' },
    ],
    tests: ['shared/core/commit-desk.test.ts'],
  },
  {
    name: 'marks-again-after-restart',
    breaks: 'no two transactions bear the same mark',
    edits: [{ file: 'shared/core/commit-desk.ts', find: 'this.#idPrefix = ', replace: "this.#idPrefix = '' && " }],
    tests: ['shared/core/commit-desk.test.ts'],
  },
  {
    name: 'commit-without-an-ack',
    breaks: 'sends and acks of a transaction are in one frame',
    edits: [
      {
        file: 'shared/core/commit-desk.ts',
        find: 'const acks = parts.flatMap((part) => part.acks);',
        replace: 'const acks = parts.flatMap((part) => part.acks).slice(1);',
      },
    ],
    tests: ['shared/core/commit-desk.test.ts'],
  },
  {
    name: 'commit-takes-one-lease-twice',
    breaks: 'a lease stands in a transaction once',
    edits: [
      {
        file: 'shared/core/commit-desk.ts',
        find: 'if (leases.has(step.lease)) refuseProperty(',
        replace: 'if (leases.size < 0) refuseProperty(',
      },
    ],
    tests: ['shared/core/commit-desk.test.ts'],
  },
  {
    name: 'commit-overtakes-who-waits',
    breaks: 'a queue that others wait for refuses a transaction at once',
    edits: [
      {
        file: 'shared/core/send-desk.ts',
        find: 'return node === this.#store.self.name ? this.#blocked.first(queue)?.refusal : undefined;',
        replace: 'return node === queue ? this.#blocked.first(queue)?.refusal : undefined;',
      },
    ],
    tests: ['shared/core/commit-desk.test.ts'],
  },
  {
    name: 'commit-judges-one-by-one',
    breaks: 'room in the ring is judged for all of a transaction together',
    edits: [
      {
        file: 'shared/custody/planned.ts',
        find: '    store.draft.takes(ringBytesOf(newcomer) + metaBytes);\n',
        replace: '',
      },
    ],
    tests: ['shared/core/commit-desk.test.ts'],
  },
  {
    name: 'commit-alternates',
    breaks: 'what a transaction sends has consecutive numbers, in order',
    edits: [
      {
        file: 'shared/core/commit-desk.ts',
        find: "const sends = call.steps.filter((step) => step.do === 'send');",
        replace: "const sends = call.steps.filter((step) => step.do === 'send').reverse();",
      },
    ],
    tests: ['shared/core/commit-desk.test.ts'],
  },
  // Keys, producers, outcome
  {
    name: 'key-in-memory-only',
    breaks: 'a sendKey is on the disk, in the frame of its message',
    edits: [
      {
        file: 'shared/core/repeats.ts',
        find: 'return this.#keys.plan(destination, sendKey, identity);',
        replace: 'this.#keys.plan(destination, sendKey, identity);\n    return [];',
      },
    ],
    tests: ['shared/core/send-keys.test.ts'],
  },
  {
    name: 'key-of-another-destination',
    breaks: 'each destination has keys of its own',
    edits: [
      {
        file: 'shared/core/send-keys.ts',
        find: 'return this.#destinations.get(this.#full(destination))?.byKey.get(key);',
        replace:
          'this.#full(destination);\n    return [...this.#destinations.values()].map(({ byKey }) => byKey.get(key)).find((one) => one !== undefined);',
      },
    ],
    tests: ['shared/core/send-keys.test.ts'],
  },
  {
    name: 'key-used-by-a-refusal',
    breaks: 'a send that was refused used no key',
    edits: [
      {
        file: 'shared/core/send-keys.ts',
        find: 'return this.#destinations.get(this.#full(destination))?.byKey.get(key);',
        replace:
          "const keys = this.#keysOf(this.#full(destination));\n    const known = keys.byKey.get(key);\n    if (known === undefined) keys.byKey.set(key, { sequence: keys.next, identity: '', request: undefined });\n    return known;",
      },
    ],
    tests: ['shared/core/send-keys.test.ts'],
  },
  {
    name: 'repeat-answered-before-durable',
    breaks: 'a repeat is answered when the first one is on the disk',
    edits: [
      {
        file: 'shared/core/repeats.ts',
        find: 'if (known instanceof OnItsWay) known.join(token);',
        replace: 'if (known instanceof OnItsWay) this.#shell.answer(token, known.result);',
      },
    ],
    tests: ['shared/core/producers.test.ts', 'shared/core/send-keys.test.ts'],
  },
  {
    name: 'number-used-by-a-refusal',
    breaks: 'a request that was refused did not use its number',
    edits: [
      {
        file: 'shared/core/producers.ts',
        find: '      return undefined;\n',
        replace: '      this.#producers.set(producer, { last: number, onTheirWay: new Map() });\n      return undefined;\n',
      },
    ],
    tests: ['shared/core/producers.test.ts'],
  },
  {
    name: 'producer-in-memory-only',
    breaks: 'a producer may repeat after a crash of the node',
    edits: [
      {
        file: 'shared/core/repeats.ts',
        find: 'if (by !== undefined) return [this.#producers.plan(by, answer)];',
        replace: 'if (by !== undefined) return [];',
      },
    ],
    tests: ['shared/core/producers.test.ts'],
  },
  {
    name: 'older-number-stored-again',
    breaks: 'nothing of a number that was stored is stored again',
    edits: [
      {
        file: 'shared/core/producers.ts',
        find: '(number === last ? this.#lastAnswer(producer, durability) : DONE)',
        replace: '(number === last ? this.#lastAnswer(producer, durability) : undefined)',
      },
    ],
    tests: ['shared/core/producers.test.ts'],
  },
  {
    name: 'retired-in-memory-only',
    breaks: 'the name of a retired producer begins at 1 again, after a restart too',
    edits: [{ file: 'shared/core/producers.ts', find: 'return metaDelete(', replace: "return metaDelete('w/' + " }],
    tests: ['shared/core/producers.test.ts'],
  },
  {
    name: 'kept-for-a-reused-number',
    breaks: 'outcome tells a number that was lost from the message that has it now',
    edits: [
      {
        file: 'shared/core/outcome.ts',
        find: 'return epoch === undefined || given === epoch',
        replace: 'return epoch === undefined || given !== undefined',
      },
    ],
    tests: ['shared/core/outcome.test.ts'],
  },
  {
    name: 'kept-before-durable',
    breaks: 'kept is said of what is on its way when it is on the disk',
    edits: [
      {
        file: 'shared/core/commit-desk.ts',
        find: "if (when === 'now') return shell.answer(token, result);",
        replace: 'if (when) return shell.answer(token, result);',
      },
    ],
    tests: ['shared/core/outcome.test.ts'],
  },
  // Endings
  {
    name: 'letter-although-off',
    breaks: 'deadLetter off: there is no letter',
    edits: [
      {
        file: 'shared/core/endings.ts',
        find: "const isWanted = hasLetter(cause.class) && known.content.properties.deadLetter !== 'off';",
        replace: 'const isWanted = hasLetter(cause.class);',
      },
    ],
    tests: ['shared/core/endings.test.ts'],
  },
  {
    name: 'dead-letter-queue-ignored',
    breaks: 'the letters of a queue go to its own dead letter queue',
    edits: [
      {
        file: 'shared/core/endings.ts',
        find: 'const to = own === queue?.name ? DEAD_QUEUE : own;',
        replace: 'const to = own.length > 0 ? DEAD_QUEUE : own;',
      },
    ],
    tests: ['shared/core/endings.test.ts'],
  },
  {
    name: 'never-told',
    breaks: 'who asked is told that his message was never received',
    edits: [
      {
        file: 'shared/core/endings.ts',
        find: "return ending !== 'DROPPED' && ending !== 'CORRUPT'",
        replace: "return ending !== 'RECEIVE_TIMEOUT' && ending !== 'DROPPED' && ending !== 'CORRUPT'",
      },
    ],
    tests: ['shared/core/endings.test.ts'],
  },
  {
    name: 'told-twice',
    breaks: 'the end of a message is told once',
    edits: [
      {
        file: 'shared/core/endings.ts',
        find: "return this.#told(known, copy ?? end, 'ACK_RECEIVE');",
        replace: "return this.#told(known, this.#told(known, copy ?? end, 'ACK_RECEIVE'), 'ACK_RECEIVE');",
      },
    ],
    tests: ['shared/core/endings.test.ts'],
  },
  {
    name: 'words-about-words',
    breaks: 'acknowledgements are never acknowledged',
    edits: [
      {
        file: 'shared/custody/words.ts',
        find: "    deadLetter: 'off',\n",
        replace: "    deadLetter: 'off',\n    acknowledge: 'full',\n",
      },
      { file: 'shared/custody/entering.ts', find: 'attended: isMessage && isAttended(', replace: 'attended: isAttended(' },
    ],
    tests: ['shared/core/endings.test.ts'],
  },
  {
    name: 'journal-without-copy',
    breaks: 'a queue with a journal leaves a copy of what is received',
    edits: [
      {
        file: 'shared/core/endings.ts',
        find: 'const copy = this.#isJournalled(slot)\n',
        replace: 'const copy = this.#isJournalled(slot) && content.body.length < 0\n',
      },
    ],
    tests: ['shared/core/endings.test.ts'],
  },
  {
    name: 'letter-expires',
    breaks: 'the timers of a letter have no force',
    edits: [
      {
        file: 'shared/custody/entering.ts',
        find: 'const times = isMessage ? message(',
        replace: 'const times = isMessage || !isMessage ? message(',
      },
    ],
    tests: ['shared/core/due-work.test.ts'],
  },
  {
    name: 'time-of-the-queue-ignored',
    breaks: 'timeToBeReceivedMs of a queue is for messages that say none',
    edits: [
      {
        file: 'shared/custody/entering.ts',
        find: 'const queueMs = queue?.options.timeToBeReceivedMs ?? 0;',
        replace: 'const queueMs = 0;',
      },
    ],
    tests: ['shared/core/endings.test.ts'],
  },
  {
    name: 'expires-under-lease',
    breaks: "what is under lease when its time comes is the receiver's",
    edits: [
      {
        file: 'shared/queue/queues.ts',
        find: 'this.#expires(due) && !this.#away.has(due.id)) slots',
        replace: 'this.#expires(due)) slots',
      },
    ],
    tests: ['shared/core/due-work.test.ts'],
  },
  {
    name: 'express-forgotten-at-the-end',
    breaks: 'a node that is stopped in order writes express messages down',
    edits: [{ file: 'shared/core/desk.ts', find: '    this.#express.close();\n', replace: '' }],
    tests: ['shared/core/express.test.ts'],
  },
  {
    name: 'express-for-another-node',
    breaks: 'express for another node is stored like any other message',
    edits: [
      {
        file: 'shared/core/express-sends.ts',
        find: 'return store.isLocal(destination) && intake.routedOf(',
        replace: 'return intake.routedOf(',
      },
    ],
    tests: ['shared/core/express.test.ts'],
  },
  {
    name: 'hops-without-end',
    breaks: '15 hops are the end of any message',
    edits: [
      {
        file: 'shared/custody/arrivals.ts',
        find: "    if (hop.count >= HOP_COUNT_MAX) return 'HOP_COUNT_EXCEEDED';\n",
        replace: '',
      },
    ],
    tests: ['shared/custody/policy.test.ts'],
  },
  {
    name: 'redrive-in-two-frames',
    breaks: 'a redrive ends the letter in the frame of the new message',
    edits: [
      {
        file: 'shared/core/letter-desk.ts',
        find: "const acks = [...planned.acks, { id, reason: 'replaced' as const }];",
        replace: 'const { acks } = planned;',
      },
      {
        file: 'shared/core/letter-desk.ts',
        find: '    store.commit({ puts: planned.puts, acks, metas: planned.changes }, (outcome) =>\n      shell.answer(token, outcomeResult(store.ring, outcome, sent)),\n    );',
        replace:
          "    store.commit({ puts: planned.puts, acks, metas: planned.changes }, (outcome) => {\n      if (outcome === 'durable') store.commit({ acks: [{ id, reason: 'replaced' }] }, () => {});\n      shell.answer(token, outcomeResult(store.ring, outcome, sent));\n    });",
      },
    ],
    tests: ['shared/core/letter-desk.test.ts'],
  },
  {
    name: 'redrive-with-old-timers',
    breaks: 'the timers of the old message are not taken along',
    edits: [{ file: 'shared/core/letter-desk.ts', find: '      timeToBeReceivedMs: _received,\n', replace: '' }],
    tests: ['shared/core/letter-desk.test.ts'],
  },
  // The library
  {
    name: 'stop-keeps-what-it-has',
    breaks: 'a cancelled stop gives back what its handlers have',
    edits: [
      {
        file: 'shared/node/library/consumer.ts',
        find: 'ending?.catch(() => {}) ?? giveBack(this.#node, lease)',
        replace: 'ending?.catch(() => {}) ?? lease',
      },
    ],
    tests: ['shared/node/library/consumer.test.ts'],
  },
  {
    name: 'one-more-at-once',
    breaks: 'a consumer never exceeds its concurrency',
    edits: [
      {
        file: 'shared/node/library/consumer.ts',
        find: 'this.#workers.size < this.#concurrency',
        replace: 'this.#workers.size < this.#concurrency + 1',
      },
      {
        file: 'shared/node/library/consumer.ts',
        find: 'this.#workers.size <= this.#concurrency',
        replace: 'this.#workers.size <= this.#concurrency + 1',
      },
    ],
    tests: ['shared/node/library/consumer.test.ts'],
  },
  {
    name: 'late-reply-to-the-next',
    breaks: 'a late reply never goes to the next request',
    edits: [{ file: 'shared/node/library/requests.ts', find: 'this.#count += 1;', replace: 'this.#count = this.#pending;' }],
    tests: ['shared/node/library/requests.test.ts'],
  },
  {
    name: 'trigger-place-not-stored',
    breaks: 'a restart does not fire a trigger again',
    edits: [
      {
        file: 'shared/node/library/triggers.ts',
        find: "    await this.#node.call({ verb: 'commit', steps: [placeStep(this.name, this.#place)] });\n",
        replace: '',
      },
    ],
    tests: ['shared/node/library/triggers.test.ts'],
  },
  {
    name: 'trigger-sends-without-its-place',
    breaks: 'a send fires in the frame that moves the place',
    edits: [
      {
        file: 'shared/node/library/triggers.ts',
        find: 'steps: [copy, placeStep(this.name, lookupId)]',
        replace: 'steps: [copy]',
      },
    ],
    tests: ['shared/node/library/triggers.test.ts'],
  },
  {
    name: 'doubt-gives-back',
    breaks: 'what a transaction in doubt received is not given back',
    edits: [
      {
        file: 'shared/node/library/transaction.ts',
        find: "    if (!hasCode(error, 'IN_DOUBT')) await open.giveBack();",
        replace: '    await open.giveBack();',
      },
    ],
    tests: ['shared/node/library/transaction.test.ts'],
  },
  // The local API
  {
    name: 'gone-client-keeps-its-lease',
    breaks: 'a message leased for a client that is gone goes back at once',
    edits: [
      {
        file: 'shared/node/api/receive-endpoints.ts',
        find: 'undelivered: () => giveBack(serving, received.lease)',
        replace: 'undelivered: () => void received',
      },
    ],
    tests: ['shared/node/api/server.test.ts'],
  },
  {
    name: 'number-of-a-send-ignored',
    breaks: 'a numbered send is done once, through the local API',
    edits: [
      {
        file: 'shared/node/api/send-endpoints.ts',
        find: '    ...takeProducer(query),\n    ...(sendKey',
        replace: '    ...(takeProducer(query) && {}),\n    ...(sendKey',
      },
    ],
    tests: ['shared/node/api/verbs.test.ts'],
  },
  {
    name: 'number-of-a-commit-ignored',
    breaks: 'a numbered transaction is done once, through the local API',
    edits: [
      {
        file: 'shared/node/api/send-endpoints.ts',
        find: "node.call({ verb: 'commit', steps, ...by })",
        replace: "node.call({ verb: 'commit', steps, ...(by && {}) })",
      },
    ],
    tests: ['shared/node/api/verbs.test.ts'],
  },
  {
    name: 'stream-beyond-prefetch',
    breaks: 'a stream holds prefetch leases at most',
    edits: [
      {
        file: 'shared/node/api/stream-endpoint.ts',
        find: 'this.#outstanding.size >= this.#plan.prefetch',
        replace: 'this.#outstanding.size > this.#plan.prefetch',
      },
    ],
    tests: ['shared/node/api/stream.test.ts'],
  },
  {
    name: 'lease-of-anybody',
    breaks: 'a lease is ended by the client that got it alone',
    edits: [
      {
        file: 'shared/node/api/lease-book.ts',
        find: "    if (entry.client !== client) throw denied(client, 'receive', 'this lease belongs to another client');\n",
        replace: '',
      },
    ],
    tests: ['shared/node/api/remote.test.ts'],
  },
  // Routes
  {
    name: 'body-freed-with-the-first-place',
    breaks: 'a body that several destinations share is freed with the last of them',
    edits: [{ file: 'shared/ring/frame-content.ts', find: 'if (left === 0 && index', replace: 'if (left >= 0 && index' }],
    tests: ['shared/core/forwarding.test.ts'],
  },
  {
    name: 'body-never-freed',
    breaks: 'a body that several destinations share is freed with the last of them',
    edits: [{ file: 'shared/ring/frame-content.ts', find: 'if (left === 0 && index', replace: 'if (left < 0 && index' }],
    tests: ['shared/core/forwarding.test.ts'],
  },
  {
    name: 'body-stored-for-each',
    breaks: 'several destinations share one stored body',
    edits: [{ file: 'shared/custody/forwarding.ts', find: 'if (countMax < 2 ||', replace: 'if (countMax < 20 ||' }],
    tests: ['shared/core/forwarding.test.ts'],
  },
  {
    name: 'last-match-decides',
    breaks: 'routes: the first one that fits decides',
    edits: [{ file: 'shared/queue/routes.ts', find: 'return this.routes.find(', replace: 'return this.routes.findLast(' }],
    tests: ['shared/queue/routes.test.ts'],
  },
  {
    name: 'chain-not-followed',
    breaks: 'a route that leads to a queue with a route leads on',
    edits: [
      {
        file: 'shared/queue/routes.ts',
        find: 'const onward = next && this.#first(next);',
        replace: 'const onward = undefined as Route | undefined;',
      },
    ],
    tests: ['shared/queue/routes.test.ts'],
  },
  {
    name: 'original-always-stays',
    breaks: 'a message that a route takes on stays only where its own queue is named',
    edits: [
      {
        file: 'shared/queue/routes.ts',
        find: "original: isKept ? 'stays' : 'goes'",
        replace: "original: isKept ? 'stays' : 'stays'",
      },
    ],
    tests: ['shared/queue/routes.test.ts'],
  },
  {
    name: 'number-of-a-routed-message-given-again',
    breaks: 'the number of a message that a route takes on is counted in its frame',
    edits: [
      {
        file: 'shared/custody/entering.ts',
        find: 'return { puts: [], acks: [], changes: [...changes, change], settle };',
        replace: 'return { puts: [], acks: [], changes: [...changes], settle: change ? settle : settle };',
      },
    ],
    tests: ['shared/core/forwarding.test.ts'],
  },
  {
    name: 'one-bad-destination-refuses-all',
    breaks: 'a destination that is not there is a dead letter for that one alone',
    edits: [
      {
        file: 'shared/custody/forwarding.ts',
        find: "return this.#intake.canReach(node) ? undefined : 'BAD_DST_Q';",
        replace: 'return undefined;',
      },
    ],
    tests: ['shared/core/forwarding.test.ts'],
  },
  {
    name: 'routed-circle-without-end',
    breaks: 'the hops of a message count on when a route takes it on',
    edits: [{ file: 'shared/custody/forwarding.ts', find: '...(told && { hop: told }),', replace: '...(told && {}),' }],
    tests: ['test/routes.test.ts'],
  },
  {
    name: 'topic-freed-unconfirmed',
    breaks: "what goes to a topic is freed by the broker's PUBACK",
    edits: [
      { file: 'shared/relay/topic-publisher.ts', find: "    flying.at = 'published';\n", replace: "    flying.at = 'ending';\n" },
    ],
    tests: ['shared/core/topics.test.ts'],
  },
  {
    name: 'topic-filled-as-it-comes',
    breaks: 'what fills a gap in a topic is no wildcard',
    edits: [{ file: 'shared/message/topic-template.ts', find: ".replaceAll(/[+#\\p{Cc}\\p{Surrogate}]/gu, '_')", replace: '' }],
    tests: ['shared/relay/topic-formats.test.ts'],
  },
  {
    name: 'event-id-of-the-copy',
    breaks: 'the id of an event is the identity of the message that the route took on',
    edits: [
      {
        file: 'shared/message/topic-template.ts',
        find: 'return previous ?? identityText(identity);',
        replace: 'return identityText(identity);',
      },
    ],
    tests: ['shared/relay/topic-formats.test.ts'],
  },
  {
    name: 'filled-to-the-brokers-topics',
    breaks: 'nothing is published below ringmail/ or $',
    edits: [
      {
        file: 'shared/relay/topic-formats.ts',
        find: '  if (problem !== undefined) return',
        replace: '  if (problem === undefined && topic === "") return',
      },
    ],
    tests: ['shared/relay/topic-formats.test.ts'],
  },
];
