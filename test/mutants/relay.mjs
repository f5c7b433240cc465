/**
 * Bugs for custody over MQTT, at both of its ends: rules of docs/mqtt.md. `edits` are texts that stand exactly once in their file, and
 * what is put in their place; `tests` are the files that must notice, asked in order until one does. What custody itself promises
 * wherever it goes is in custody.mjs.
 */
const sender = ['shared/relay/relay-sender.test.ts'];
const receiver = ['shared/relay/relay-receiver.test.ts'];
const down = ['shared/relay/relay-down.test.ts'];
const reconnect = ['shared/node/reconnect-wait.test.ts'];
const lazy = ['shared/relay/lazy-connection.test.ts', 'test/lazy-uplink.test.ts'];
const whole = ['shared/relay/relay.test.ts', 'shared/relay/relay-gaps.test.ts', 'shared/relay/relay-chaos.test.ts'];

export const MUTANTS = [
  {
    name: 'twin-unsaid',
    breaks: 'two stores that answer one offer are noticed',
    edits: [
      {
        file: 'shared/relay/relay-sender.ts',
        find: 'if (incarnation === answer.incarnation ||',
        replace: 'if (incarnation !== answer.incarnation ||',
      },
    ],
    tests: sender,
  },
  {
    name: 'receipt-when-taken',
    breaks: 'a receipt comes when the disk has it, not before',
    edits: [
      {
        file: 'shared/relay/relay-receiver.ts',
        find: '        return peer.planned(stream);',
        replace: '        peer.planned(stream);\n        return peer.tell(stream);',
      },
    ],
    tests: receiver,
  },
  {
    name: 'answer-before-durable',
    breaks: 'an offer is answered when everything taken before is on the disk',
    edits: [
      {
        file: 'shared/relay/relay-receiver.ts',
        find: 'if (peer.heldOffer !== undefined && peer.inFlight === 0)',
        replace: 'if (peer.heldOffer !== undefined)',
      },
      {
        file: 'shared/relay/relay-receiver.ts',
        find: 'if (offered === undefined) return; // it stays held',
        replace: 'if (offered === undefined) throw new Error();',
      },
    ],
    tests: receiver,
  },
  {
    name: 'takes-of-any-session',
    breaks: 'a publish of a session that is over is not taken',
    edits: [
      {
        file: 'shared/relay/relay-receiver.ts',
        find: 'isOver || !equalBytes(session.nonce, header.nonce)) {',
        replace: 'isOver || header.nonce.length === 0) {',
      },
    ],
    tests: receiver,
  },
  {
    name: 'takes-while-an-offer-waits',
    breaks: 'an offer that waits ends the session before it',
    edits: [
      {
        file: 'shared/relay/relay-receiver.ts',
        find: "session.state === 'fenced' || peer?.heldOffer !== undefined;",
        replace: "session.state === 'fenced';",
      },
    ],
    tests: receiver,
  },
  {
    name: 'older-offer-ends-the-newer',
    breaks: 'an older offer that comes late does not end the newer session',
    edits: [
      { file: 'shared/relay/relay-peer.ts', find: '&& attempt < newest.attempt;', replace: '&& attempt < newest.attempt - 1e9;' },
    ],
    tests: receiver,
  },
  {
    name: 'offer-for-another',
    breaks: 'an offer for another central is not answered',
    edits: [{ file: 'shared/relay/relay-receiver.ts', find: '    if (sync.receiver !== this.#name) return;\n', replace: '' }],
    tests: receiver,
  },
  {
    name: 'offer-of-whoever',
    breaks: 'an offer in the name of another sender is refused',
    edits: [{ file: 'shared/relay/relay-receiver.ts', find: ' || sync.offer.sender !== from) {', replace: ') {' }],
    tests: receiver,
  },
  {
    name: 'hole-not-told',
    breaks: 'what was let fall is told in the receipt',
    edits: [
      { file: 'shared/relay/relay-peer.ts', find: 'hasMissed: this.#holed.has(text) });', replace: 'hasMissed: false });' },
    ],
    tests: receiver,
  },
  {
    name: 'room-not-told',
    breaks: 'a stream without credit hears when there is room again',
    edits: [
      {
        file: 'shared/relay/relay-peer.ts',
        find: 'if (credit === 0) this.#starved.set(streamText(key), key);\n    else this',
        replace: 'this',
      },
    ],
    tests: receiver,
  },
  {
    name: 'room-for-less-than-the-next',
    breaks: 'room for less than the next message is no room',
    edits: [
      {
        file: 'shared/relay/relay-peer.ts',
        find: 'if (credit < blocked.bytesNeeded || !hasMoved)',
        replace: 'if (credit === 0 || !hasMoved)',
      },
    ],
    tests: receiver,
  },
  {
    name: 'repeat-unanswered',
    breaks: 'a repeat is answered with where the stream stands',
    edits: [
      { file: 'shared/relay/relay-receiver.ts', find: '        return peer.tell(stream);\n', replace: '        return;\n' },
    ],
    tests: receiver,
  },
  {
    name: 'item-astray-taken',
    breaks: 'an item for another queue than its topic says is not taken',
    edits: [
      {
        file: 'shared/relay/relay-receiver.ts',
        find: 'const isAstray = queue !== undefined && stream',
        replace: "const isAstray = queue === '' && stream",
      },
    ],
    tests: receiver,
  },
  {
    name: 'late-will-stands',
    breaks: 'the late will of an old connection is contradicted',
    edits: [
      {
        file: 'shared/relay/relay-receiver.ts',
        find: "status.kind === 'offline') this.#sayOnline();",
        replace: "status.kind === 'online') void 0;",
      },
    ],
    tests: receiver,
  },
  {
    name: 'hello-each-time',
    breaks: 'words of a session that is over cause one hello',
    edits: [
      {
        file: 'shared/relay/relay-receiver.ts',
        find: '    if (told !== undefined && equalBytes(told, nonce)) return;\n',
        replace: '    void [told, equalBytes];\n',
      },
      {
        file: 'shared/relay/relay-receiver.ts',
        find: 'isOver || !equalBytes(session.nonce, header.nonce)) {',
        replace: 'isOver || String(session.nonce) !== String(header.nonce)) {',
      },
    ],
    tests: receiver,
  },
  {
    name: 'stale-nonce-frees',
    breaks: 'a receipt of another session is counted and ignored',
    edits: [
      {
        file: 'shared/relay/relay-sender.ts',
        find: ' || !this.#sender.isCurrent(receipt.nonce)) {',
        replace: ') {',
      },
    ],
    tests: sender,
  },
  {
    name: 'receipt-of-another-store',
    breaks: 'a receipt of another store than the one that answered frees nothing',
    edits: [
      {
        file: 'shared/relay/relay-sender.ts',
        find: 'if (receipt.incarnation !== this.#answeredBy?.incarnation) {',
        replace: "if (receipt.incarnation === '') {",
      },
    ],
    tests: [...sender, ...down, ...whole],
  },
  {
    name: 'offer-repeated-as-another',
    breaks: 'an answer to an older offer is ignored',
    edits: [
      {
        file: 'shared/relay/relay-sender.ts',
        find: '      if (this.#sync.dueMs <= nowMs) this.#repeatSync(this.#sync, nowMs);\n',
        replace: '      if (this.#sync.dueMs <= nowMs) this.#startSync(nowMs);\n',
      },
      {
        file: 'shared/relay/relay-sender.ts',
        find: '    this.#syncDelay.lengthen();\n    this.#sendSync(sync, nowMs);\n',
        replace: '    void [sync, nowMs];\n',
      },
    ],
    tests: sender,
  },
  {
    name: 'offline-ignored',
    breaks: 'a receiver that went away is not published to',
    edits: [
      {
        file: 'shared/relay/relay-sender.ts',
        find: "    if (status.kind === 'offline') {\n      this.#seenStatus",
        replace: "    if (status.kind === 'offline' && this.#duty === 'standing-by') {\n      this.#seenStatus",
      },
      {
        file: 'shared/relay/relay-sender.ts',
        find: 'const seen =',
        replace: "if (status.kind === 'offline') return;\n    const seen =",
      },
    ],
    tests: [...sender, ...down],
  },
  {
    name: 'new-hello-unheard',
    breaks: 'a receiver that subscribed anew is offered to at once',
    edits: [
      {
        file: 'shared/relay/relay-sender.ts',
        find: 'if (seen === this.#seenStatus) return;',
        replace: "if (seen.replace(/ [0-9]+$/, '') === this.#seenStatus?.replace(/ [0-9]+$/, '')) return;",
      },
    ],
    tests: [...sender, ...down],
  },
  {
    name: 'window-of-publishes-unbounded',
    breaks: 'the window has a number of publishes',
    edits: [
      {
        file: 'shared/relay/send-window.ts',
        find: 'return this.count < this.#limits.publishCountMax && this',
        replace: 'return this',
      },
    ],
    tests: sender,
  },
  {
    name: 'window-of-bytes-unbounded',
    breaks: 'the window has a number of bytes',
    edits: [
      { file: 'shared/relay/send-window.ts', find: ' && this.bytes < this.#limits.bytesMax;', replace: ';' },
      {
        file: 'shared/relay/send-window.ts',
        find: ' : this.#limits.bytesMax - this.bytes;',
        replace: ' : Math.max(this.#limits.bytesMax, this.bytes);',
      },
    ],
    tests: sender,
  },
  {
    name: 'window-never-smaller',
    breaks: 'what a receipt passed takes no more room in the window',
    edits: [
      {
        file: 'shared/relay/send-window.ts',
        find: 'if (publish.parts.length === 0) this.bytes -= publish.bytes;',
        replace: 'if (publish.parts.length > 0) this.bytes -= publish.bytes;',
      },
    ],
    tests: [...sender, ...whole],
  },
  {
    name: 'relay-credit-ignored',
    breaks: 'no more is out than the receiver allows',
    edits: [
      {
        file: 'shared/relay/relay-publisher.ts',
        find: 'return wantedBytes === 0 || outstanding + wantedBytes <= stream.credit ||',
        replace: 'return outstanding >= 0 || wantedBytes === 0 ||',
      },
    ],
    tests: sender,
  },
  {
    name: 'credit-of-what-is-out-forgotten',
    breaks: 'credit counts from the cursor: what is on its way has taken its part',
    edits: [
      {
        file: 'shared/relay/relay-publisher.ts',
        find: 'const outstanding = this.window.outstandingOf(stream) + batch.bytesOf(stream);',
        replace: 'const outstanding = batch.bytesOf(stream);',
      },
    ],
    tests: sender,
  },
  {
    name: 'gap-waits-for-credit',
    breaks: 'a gap needs no credit, so that it passes a full queue',
    edits: [{ file: 'shared/relay/relay-publisher.ts', find: 'return isGapNext(track.stream) || (', replace: 'return (' }],
    tests: ['shared/relay/relay-gaps.test.ts'],
  },
  {
    name: 'batch-reversed',
    breaks: 'items of a publish stand in the order of their numbers',
    edits: [
      {
        file: 'shared/relay/batch.ts',
        find: '    this.items.push(encoded);\n',
        replace: '    this.items.unshift(encoded);\n',
      },
    ],
    tests: [...whole, ...sender],
  },
  {
    name: 'batch-of-other-topics',
    breaks: 'items of one publish are all for the queue of its topic',
    edits: [
      { file: 'shared/relay/relay-publisher.ts', find: 'if (track?.topic !== topic || ', replace: 'if (track === undefined || ' },
    ],
    tests: sender,
  },
  {
    name: 'batch-beyond-its-bytes',
    breaks: 'no publish exceeds the limit of a batch',
    edits: [
      {
        file: 'shared/relay/batch.ts',
        find: ' || (this.items.length > 0 && bytes > bytesMax)) {',
        replace: ' || bytesMax < 0) {',
      },
    ],
    tests: sender,
  },
  {
    name: 'partition-by-the-queue',
    breaks: 'what one node sends goes to one partition, so that order survives',
    edits: [
      {
        file: 'shared/relay/topics.ts',
        find: 'partition: partitionOf(origin, path.partitionCount) });',
        replace: 'partition: partitionOf(destination + origin.length, path.partitionCount) });',
      },
    ],
    tests: ['shared/relay/topics.test.ts'],
  },
  {
    name: 'partition-by-another-hash',
    breaks: 'which partition a node has is written down: every version, in every language, takes the same',
    edits: [
      {
        file: 'shared/relay/topics.ts',
        find: 'return crc32(toUtf8(origin)) % count;',
        replace: 'return (crc32(toUtf8(origin)) >>> 8) % count;',
      },
    ],
    tests: ['shared/relay/topics.test.ts'],
  },
  {
    name: 'cursor-back-is-progress',
    breaks: 'what was published and stands still is published again in a new session',
    edits: [
      {
        file: 'shared/relay/relay-sender.ts',
        find: '    if (hasProgressed) this.#progressed(nowMs);',
        replace: '    if (hasProgressed || receipt.cursors.length >= 0) this.#publisher.window.headSinceMs = nowMs;',
      },
    ],
    tests: [...sender, ...whole],
  },
  {
    name: 'asks-without-pause',
    breaks: 'an unanswered sync is repeated ever more rarely',
    edits: [
      {
        file: 'shared/relay/backoff.ts',
        find: 'this.#delayMs = Math.min(2 * this.#delayMs, this.#limits.maxMs);',
        replace: 'this.#delayMs = Math.min(this.#delayMs, this.#limits.maxMs);',
      },
    ],
    tests: sender,
  },
  {
    name: 'status-of-anybody',
    breaks: 'a status says of its topic that it is there, and of nobody else',
    edits: [
      {
        file: 'shared/relay/relay-central.ts',
        find: "status === 'unknown-version' || status.node !== node) {",
        replace: "status === 'unknown-version') {",
      },
    ],
    tests: down,
  },
  {
    name: 'awake-for-who-is-away',
    breaks: 'a gateway that is away is not asked',
    edits: [
      {
        file: 'shared/relay/relay-central.ts',
        find: '      this.#there.delete(node);\n      this.#heard.delete(node);\n',
        replace: '      this.#there.delete(node);\n',
      },
    ],
    tests: down,
  },
  {
    name: 'statuses-without-end',
    breaks: 'nodes without number that say that they are there cost a bounded memory',
    edits: [
      {
        file: 'shared/relay/relay-central.ts',
        find: 'if (this.#there.size < RELAY_PEER_COUNT_MAX) return true;',
        replace: 'if (this.#there.size >= 0) return true;',
      },
    ],
    tests: down,
  },
  {
    name: 'packet-limit-unheard',
    breaks: 'what is larger than the broker says it takes is not published, and ends with its letter',
    edits: [
      {
        file: 'shared/relay/relay-sender.ts',
        find: 'this.#publisher.payloadBytesMax = packetBytesMax - PUBLISH_PACKET_BYTES;',
        replace: 'this.#publisher.payloadBytesMax = Number.POSITIVE_INFINITY;',
      },
    ],
    tests: ['shared/relay/relay-refused.test.ts'],
  },
  {
    name: 'half-a-jitter',
    breaks: 'who connects again waits anything from nothing to the bound',
    edits: [
      {
        file: 'shared/node/reconnect-wait.ts',
        find: 'this.#chance() * this.#boundMs',
        replace: '(0.5 + this.#chance() / 2) * this.#boundMs',
      },
    ],
    tests: reconnect,
  },
  {
    name: 'any-connection-is-a-success',
    breaks: 'waits start small only after a connection that lasted',
    edits: [{ file: 'shared/node/reconnect-wait.ts', find: 'upMs > GOOD_MS', replace: 'upMs >= 0' }],
    tests: reconnect,
  },
  {
    name: 'back-before-the-goodbye',
    breaks: 'who comes back is not overtaken by his own last word',
    edits: [{ file: 'shared/node/mqtt-broker.ts', find: 'void this.#leaving\n', replace: 'void Promise.resolve()\n' }],
    tests: ['shared/node/mqtt-broker.test.ts'],
  },
  {
    name: 'lazy-and-deaf-to-what-waits',
    breaks: 'what waits calls a lazy uplink, and keeps it until there is a receipt',
    edits: [
      {
        file: 'shared/relay/relay-uplink.ts',
        find: 'return isHeld || isAwaited?.() === true ?',
        replace: 'return isAwaited?.() === true ?',
      },
      {
        file: 'shared/relay/relay-uplink.ts',
        find: "const isHeld = this.sender.duty === 'on-duty' && sender.heldCount > 0;",
        replace: '',
      },
    ],
    tests: lazy,
  },
  {
    name: 'lazy-and-deaf-to-topics',
    breaks: 'what is for a topic calls a lazy uplink',
    edits: [{ file: 'shared/relay/relay-uplink.ts', find: 'isHeld || isAwaited?.() === true', replace: 'isHeld' }],
    tests: lazy,
  },
  {
    name: 'lazy-gives-up',
    breaks: 'what is wanted stays wanted until it was up',
    edits: [{ file: 'shared/relay/lazy-connection.ts', find: "if (state.connection === 'down') return undefined;", replace: '' }],
    tests: lazy,
  },
  {
    name: 'lazy-never-looks',
    breaks: 'what waits at the central comes after checkEveryMs',
    edits: [
      {
        file: 'shared/relay/lazy-connection.ts',
        find: "load === 'nothing-waits' && nowMs < state.untilMs",
        replace: "load === 'nothing-waits'",
      },
    ],
    tests: lazy,
  },
  {
    name: 'lazy-spare-broker-is-none',
    breaks: 'a broker that rests may take over',
    edits: [{ file: 'shared/core/uplinks.ts', find: 'const stands = relay.isResting || ', replace: 'const stands = ' }],
    tests: lazy,
  },
  {
    name: 'lazy-spare-way-is-none',
    breaks: 'a way that rests may take over',
    edits: [
      {
        file: 'shared/core/uplinks.ts',
        find: '=> relay.isResting || (relay.sender.duty ===',
        replace: '=> (relay.sender.duty ===',
      },
    ],
    tests: lazy,
  },
];
