/**
 * Bugs for the link, and for the custody it rests on: rules of docs/link.md and docs/link-session.md. Each names the test files that
 * must notice it. `edits` are texts that stand exactly once in their file, and what is put in their place.
 */
const SESSION = ['shared/link/link-session.test.ts'];
const TWO_NODES = ['test/link.test.ts'];
const PACKETS = ['shared/link/packets.test.ts'];
const CUSTODY = ['shared/custody/custody.test.ts'];
const RUNS = ['shared/custody/arrival-runs.test.ts'];

export const MUTANTS = [
  // Metered uplinks.
  {
    name: 'bytes-of-the-line-for-free',
    breaks: 'a backlog takes what the cap of a metered uplink says',
    edits: [
      {
        file: 'shared/link/line-writer.ts',
        find: 'this.#meter?.spend(piece.length, nowMs);',
        replace: 'this.#meter?.spend(1, nowMs);',
      },
    ],
    tests: ['test/metered.test.ts'],
  },
  {
    name: 'alarms-wait-for-the-meter-of-a-line',
    breaks: 'messages of priority 6 and 7 do not wait for a cap',
    edits: [
      {
        file: 'shared/link/outbound.ts',
        find: 'const made = this.#make(maker, hurry, () => this.#scheduler.nextFrom(URGENT_PRIORITY_MIN));',
        replace: 'const made = this.#make(maker, hurry, () => this.#scheduler.nextFrom(URGENT_PRIORITY_MIN + 2));',
      },
    ],
    tests: ['test/metered.test.ts'],
  },
  {
    name: 'held-back-for-ever',
    breaks: 'what a meter holds back goes when it opens, whether or not something else happens',
    edits: [
      {
        file: 'shared/link/outbound.ts',
        find: 'let atMs = this.#sender.isHeldBack ? this.#meter?.opensAtMs : undefined;',
        replace: 'let atMs: number | undefined;',
      },
    ],
    tests: ['test/metered.test.ts'],
  },
  // Custody: what is told, and what is freed.
  {
    name: 'acknowledged-before-durable',
    breaks: 'an acknowledgement means that it is on the disk',
    edits: [
      {
        file: 'shared/custody/receiver.ts',
        find: "    this.#planned(neighbour, cursor, next);\n    return 'new';",
        replace:
          "    this.#planned(neighbour, cursor, next);\n    cursor.durable = next;\n    what.whenDurable();\n    return 'new';",
      },
      {
        file: 'shared/custody/receiver.ts',
        find: '      this.#planned(neighbour, cursor, next);\n      return planned.count;',
        replace:
          '      this.#planned(neighbour, cursor, next);\n      cursor.durable = next;\n      whenDurable();\n      return planned.count;',
      },
    ],
    tests: TWO_NODES,
  },
  // Messages that enter as one.
  {
    name: 'run-told-before-durable',
    breaks: 'an acknowledgement means that all of them are on the disk',
    edits: [
      {
        file: 'shared/custody/receiver.ts',
        find: '      this.#planned(neighbour, cursor, next);\n      return planned.count;',
        replace: '      this.#planned(neighbour, cursor, next);\n      cursor.durable = next;\n      return planned.count;',
      },
    ],
    tests: RUNS,
  },
  {
    name: 'run-lets-anything-in',
    breaks: 'what is not let in by itself is not let in among others',
    edits: [
      {
        file: 'shared/custody/arrival-runs.ts',
        find: 'return this.#judges.refusalOf(key, opened) === undefined ? opened : undefined;',
        replace: 'return opened;',
      },
    ],
    tests: RUNS,
  },
  {
    name: 'run-of-several-epochs',
    breaks: 'a destination knows under which epoch each number was given out',
    edits: [
      {
        file: 'shared/custody/arrival-runs.ts',
        find: '(epoch !== undefined && !isSameEpoch(epoch, usual.epoch))',
        replace: '(epoch !== undefined && usual.epoch.counter === 0)',
      },
    ],
    tests: RUNS,
  },
  {
    name: 'run-tells-nobody',
    breaks: 'who asks is told that his message is in its queue',
    edits: [
      {
        file: 'shared/custody/arrival-runs.ts',
        find: ' || opened.properties.acknowledge !== undefined) return undefined;',
        replace: ') return undefined;',
      },
    ],
    tests: RUNS,
  },
  {
    name: 'run-without-room',
    breaks: 'a full queue takes no more, however many come at once',
    edits: [
      {
        file: 'shared/custody/arrival-runs.ts',
        find: 'if (!this.#judges.hasRoom(queue, bytes + envelope.length + PUT_BYTES * puts.length)) break;',
        replace: 'if (!this.#judges.hasRoom(queue, envelope.length)) break;',
      },
    ],
    tests: RUNS,
  },
  {
    name: 'volatile-cursor-in-welcome',
    breaks: 'WELCOME tells durable cursors: what is on its way to the disk may never get there',
    edits: [
      {
        file: 'shared/custody/receiver.ts',
        find: 'return neighbour === undefined ? { stream, cursor: 1, credit: 0 } : this.#answered(neighbour, stream);',
        replace:
          "if (neighbour === undefined) return { stream, cursor: 1, credit: 0 };\n    const answered = this.#answered(neighbour, stream);\n    return session.state === 'offered' ? { ...answered, cursor: this.#cursor(neighbour, stream).planned } : answered;",
      },
    ],
    tests: SESSION,
  },
  {
    name: 'freed-when-it-arrived',
    breaks: 'received and durable are two facts: an ACK without a record frees nothing',
    edits: [
      {
        file: 'shared/link/exchange.ts',
        find: "    for (const { bytes } of news.arrived) this.#ways.dataSize?.saw('arrived', bytes);\n",
        replace:
          "    for (const { bytes, content } of news.arrived) {\n      this.#ways.dataSize?.saw('arrived', bytes);\n      if (content.kind === 'numbers')\n        this.#record({ handle: content.stream.handle, cursor: content.to + 1, credit: 65_536 }, nowMs);\n    }\n",
      },
    ],
    tests: TWO_NODES,
  },
  {
    name: 'record-frees-one-too-many',
    breaks: 'a cursor is the next number: the message it names is not durable',
    edits: [
      {
        file: 'shared/custody/sender.ts',
        find: 'stream.send = Math.max(stream.send, cursor);\n    this.#free(out, cursor);',
        replace: 'stream.send = Math.max(stream.send, cursor);\n    this.#free(out, cursor + 1);',
      },
    ],
    tests: CUSTODY,
  },
  {
    name: 'record-counts-one-too-many',
    breaks: 'credit is relative to the durable cursor, which is the next number',
    edits: [
      {
        file: 'shared/link/out-stream.ts',
        find: 'while ((this.#beyond[count]?.to ?? cursor) < cursor) count += 1;',
        replace: 'while ((this.#beyond[count]?.to ?? cursor + 1) <= cursor) count += 1;',
      },
    ],
    tests: SESSION,
  },
  {
    name: 'impossible-cursor-believed',
    breaks: 'a cursor beyond what was ever sent is ignored and counted',
    edits: [
      {
        file: 'shared/custody/sender.ts',
        find: 'if (this.#isImpossible(key, cursor)) {',
        replace: 'if (this.#isImpossible(key, cursor) && cursor < 0) {',
      },
    ],
    tests: SESSION,
  },
  {
    name: 'repeats-stored-twice',
    breaks: 'what is already planned is a repeat, and is not stored again',
    edits: [
      { file: 'shared/custody/receiver.ts', find: 'if (next <= cursor.planned) {', replace: 'if (next <= cursor.durable) {' },
      {
        file: 'shared/custody/receiver.ts',
        find: "if (at.item.number > cursor.planned) return 'ahead';",
        replace: "if (at.item.number > cursor.planned || at.item.number < cursor.durable) return 'ahead';",
      },
      {
        file: 'shared/custody/entering.ts',
        find: 'return endsHere ? ends.next(handle) : outgoing.open(handle, key).next;',
        replace: 'return endsHere && ends.size < 0 ? 1 : outgoing.size < 0 ? outgoing.open(handle, key).next : 1;',
      },
    ],
    tests: CUSTODY,
  },
  {
    name: 'speaks-before-its-ticket',
    breaks: 'a dialler says nothing sealed before its new ticket is on the disk',
    edits: [
      {
        file: 'shared/link/dialler.ts',
        find: "if (sender.state !== 'ready') return NOTHING;",
        replace: "if (sender.state === 'offered') return NOTHING;",
      },
    ],
    tests: TWO_NODES,
  },
  // Sessions.
  {
    name: 'packet-numbers-outlive-session',
    breaks: 'packet numbers and windows begin anew with a session',
    edits: [
      {
        file: 'shared/link/exchange.ts',
        find: '    this.#arrivals = new Arrivals(profile);\n',
        replace:
          '    this.#arrivals = ARRIVALS.get(profile) ?? new Arrivals(profile);\n    ARRIVALS.set(profile, this.#arrivals);\n',
      },
      {
        file: 'shared/link/exchange.ts',
        find: 'export class Exchange {',
        replace: 'const ARRIVALS = new WeakMap<LineProfile, Arrivals>();\n\nexport class Exchange {',
      },
    ],
    tests: SESSION,
  },
  {
    name: 'hello-again-resets',
    breaks: 'a HELLO that is repeated gets the WELCOME it got, and its session goes on',
    edits: [
      {
        file: 'shared/link/acceptor.ts',
        find: 'if (this.#offered !== undefined && equalBytes(hello.nonce, this.#offered.nonce)) {',
        replace: 'if (this.#offered?.nonce.length === 0) {',
      },
    ],
    tests: SESSION,
  },
  {
    name: 'welcome-to-anybody',
    breaks: 'a WELCOME answers one HELLO, by its nonce',
    edits: [
      {
        file: 'shared/link/dialler.ts',
        find: "if (state.at !== 'calling' || !equalBytes(welcome.nonceEcho, state.hello.nonce)) return { kind: 'ignored' };",
        replace: "if (state.at !== 'calling' || equalBytes(welcome.nonceEcho, NO_BYTES)) return { kind: 'ignored' };",
      },
      {
        file: 'shared/link/dialler.ts',
        find: "import { equalBytes } from '../bytes.ts';",
        replace: "import { equalBytes, NO_BYTES } from '../bytes.ts';",
      },
    ],
    tests: SESSION,
  },
  {
    name: 'bye-of-anybody-dialler',
    breaks: 'a BYE ends the session it names and no other',
    edits: [
      {
        file: 'shared/link/dialler.ts',
        find: "if (bye.sid !== sid || state.at === 'resting'",
        replace: "if (sid < 0 || state.at === 'resting'",
      },
    ],
    tests: SESSION,
  },
  {
    name: 'bye-of-anybody-acceptor',
    breaks: 'a BYE ends the session it names and no other',
    edits: [
      {
        file: 'shared/link/acceptor.ts',
        find: "if (this.#offered === undefined || packet.sid !== this.#offered.sid) return { kind: 'ignored' };",
        replace: "if (this.#offered === undefined) return { kind: 'ignored' };",
      },
    ],
    tests: SESSION,
  },
  {
    name: 'former-session-believed',
    breaks: 'packets of the session before, its ACKs among them, mean nothing',
    edits: [
      {
        file: 'shared/link/line-reader.ts',
        find: 'const packet = decodePacket(frame, this.sealId);',
        replace: 'const packet = decodePacket(frame, this.sealId) ?? decodePacket(frame, this.formerSealId);',
      },
    ],
    tests: SESSION,
  },
  {
    name: 'fenced-session-goes-on',
    breaks: 'a newer session of the same node fences the older one, which is told so',
    edits: [
      {
        file: 'shared/link/inbound.ts',
        find: "return this.#options.session.state === 'fenced';",
        replace: "return this.#options.session.state === 'fenced' && this.#streams.size === 0;",
      },
    ],
    tests: TWO_NODES,
  },
  {
    name: 'seal-without-session',
    breaks: 'the trailer of a sealed packet is seeded with its session',
    edits: [
      {
        file: 'shared/link/packets.ts',
        find: 'return crc32c(new ByteWriter(4).u32(id).finish());',
        replace: 'return crc32c(new ByteWriter(4).u32(id & 0).finish());',
      },
    ],
    tests: PACKETS,
  },
  {
    name: 'both-sides-seal-alike',
    breaks: 'nobody takes an echo of his own words for an answer',
    edits: [
      {
        file: 'shared/link/packets.ts',
        find: "return side === 'dial' ? sid : ~sid >>> 0;",
        replace: 'return sid;',
      },
    ],
    tests: TWO_NODES,
  },
  {
    name: 'session-id-of-one-side',
    breaks: 'a session id depends on both sides',
    edits: [
      {
        file: 'shared/link/packets.ts',
        find: 'return crc32c(concatBytes([dialler.nonce, acceptor.nonce, ...incarnations]));',
        replace: 'return crc32c(concatBytes([dialler.nonce, dialler.nonce, ...incarnations]));',
      },
    ],
    tests: PACKETS,
  },
  {
    name: 'plain-passes-for-sealed',
    breaks: 'a packet of a session without its seal is none',
    edits: [
      {
        file: 'shared/link/packets.ts',
        find: 'if (header & DATA_HEADER) return isSealed ? readData(header, reader) : undefined;',
        replace:
          'if (header & DATA_HEADER) return isSealed || trailer === crc32c(content) ? readData(header, reader) : undefined;',
      },
    ],
    tests: PACKETS,
  },
  {
    name: 'knocks-without-end',
    breaks: 'an acceptor knocks at most every two seconds',
    edits: [
      {
        file: 'shared/link/acceptor.ts',
        find: 'if (nowMs < this.#knockAtMs) return;',
        replace: 'if (nowMs < 0 - this.#knockAtMs) return;',
      },
    ],
    tests: SESSION,
  },
  // Losing, and repeating.
  {
    name: 'hole-is-no-loss',
    breaks: 'a hole in the packet numbers is a loss, at once',
    edits: [{ file: 'shared/link/outstanding.ts', find: 'else lost.push(packet);', replace: 'else left.push(packet);' }],
    tests: ['shared/link/outstanding.test.ts'],
  },
  {
    name: 'bitmap-read-shifted',
    breaks: 'bit i of an ACK speaks of packet largest − 1 − i',
    edits: [
      {
        file: 'shared/link/outstanding.ts',
        find: 'shows(ack.bitmap, largest - 1 - packet.position)',
        replace: 'shows(ack.bitmap, largest - packet.position)',
      },
    ],
    tests: ['shared/link/outstanding.test.ts'],
  },
  {
    name: 'bitmap-written-shifted',
    breaks: 'bit i of an ACK speaks of packet largest − 1 − i',
    edits: [
      {
        file: 'shared/link/arrivals.ts',
        find: 'const position = this.#largest - 1 - bit;',
        replace: 'const position = this.#largest - bit;',
      },
    ],
    tests: ['shared/link/arrivals.test.ts'],
  },
  {
    name: 'packet-numbers-do-not-wrap',
    breaks: 'packet numbers are compared modulo 256',
    edits: [
      {
        file: 'shared/link/arrivals.ts',
        find: 'const position = this.#heard + (ahead <',
        replace: 'const position = this.#heard + (pn >= 0 ? pn - (this.#heard % 256) : ahead <',
      },
    ],
    tests: ['shared/link/arrivals.test.ts'],
  },
  {
    name: 'ack-from-far-back-believed',
    breaks: 'an ACK of a number further back than half of them is no word of ours',
    edits: [
      {
        file: 'shared/link/outstanding.ts',
        find: 'if (back >= ',
        replace: 'if (back >= 2 * ',
      },
    ],
    tests: ['shared/link/outstanding.test.ts'],
  },
  {
    name: 'packet-number-used-again',
    breaks: 'a repeat has a packet number of its own',
    edits: [
      {
        file: 'shared/link/outstanding.ts',
        find: 'return this.#packets.shift();',
        replace: 'if (this.#packets.length === 1) this.#next -= 1;\n    return this.#packets.shift();',
      },
    ],
    tests: ['shared/link/outstanding.test.ts'],
  },
  {
    name: 'repeat-under-new-number',
    breaks: 'a repeat has the number that the message has had since it was sent',
    edits: [
      {
        file: 'shared/link/packet-maker.ts',
        find: "      if (made !== 'gone') return made;\n",
        replace:
          "      if (made !== 'gone' && made?.packet.kind === 'data')\n        return { ...made, packet: { ...made.packet, numberLow: lowNumber(resume) } };\n      if (made !== 'gone') return made;\n",
      },
    ],
    tests: TWO_NODES,
  },
  {
    name: 'repeat-skips-one',
    breaks: 'what was lost goes out again, all of it',
    edits: [
      {
        file: 'shared/link/packet-maker.ts',
        find: 'return restOf(stream, packetOf(stream, batch), batch.to + 1, to);',
        replace: 'return restOf(stream, packetOf(stream, batch), batch.to + 2, to);',
      },
    ],
    tests: TWO_NODES,
  },
  {
    name: 'repeats-all-that-followed',
    breaks: 'what was lost goes out again, and nothing that was sent after it',
    edits: [{ file: 'shared/link/packet-maker.ts', find: '      this.#sender.rewind(sending, resume);\n', replace: '' }],
    tests: SESSION,
  },
  {
    name: 'probe-forgets-what-it-gave-up',
    breaks: 'what is called lost goes out again',
    edits: [
      {
        file: 'shared/link/exchange.ts',
        find: 'if (oldest !== undefined) this.#lost(oldest);',
        replace: 'if (oldest === undefined) return;',
      },
    ],
    tests: TWO_NODES,
  },
  {
    name: 'dropped-told-as-arrived',
    breaks: 'what was dropped for want of room is told like what the line lost',
    edits: [
      {
        file: 'shared/link/exchange.ts',
        find: "if (arrival === 'arrived') this.#arrivals.arrived(",
        replace: "if (arrival === 'arrived' || arrival === 'dropped') this.#arrivals.arrived(",
      },
    ],
    tests: SESSION,
  },
  {
    name: 'reneges-on-kept-parts',
    breaks: 'what was told as arrived stays kept until its turn',
    edits: [
      {
        file: 'shared/link/kept-items.ts',
        find: "    if (!this.#resize(known?.bytes ?? 0, bytes)) return 'full';\n",
        replace:
          "    if (!this.#resize(known?.bytes ?? 0, bytes)) {\n      this.#entries.filter(({ content }) => content.kind === 'parts').forEach((entry) => this.drop(entry.number));\n      return 'full';\n    }\n",
      },
    ],
    tests: ['shared/link/kept-items.test.ts'],
  },
  {
    name: 'early-gap-forgotten',
    breaks: 'a gap that came early stays until its last number has had its turn',
    edits: [
      {
        file: 'shared/link/kept-items.ts',
        find: "return content.kind === 'item' ? afterItem(content.item) : number + 1;",
        replace: "return content.kind === 'item' ? Math.min(afterItem(content.item), number + 1) : number + 1;",
      },
    ],
    tests: ['shared/link/kept-items.test.ts'],
  },
  {
    name: 'kept-bytes-leak',
    breaks: 'what is no longer kept gives back its memory',
    edits: [
      {
        file: 'shared/link/kept-items.ts',
        find: 'if (more < 0) this.#shared.give(-more);',
        replace: 'if (more < 0 && to > 0) this.#shared.give(-more);',
      },
    ],
    tests: ['shared/link/kept-items.test.ts'],
  },
  {
    name: 'kept-is-a-view',
    breaks: 'what is kept is a copy: the buffer of the line is used again',
    edits: [
      {
        file: 'shared/link/kept-items.ts',
        find: '{ ...item, envelope: item.envelope.slice() }',
        replace: '{ ...item, envelope: item.envelope.subarray(0) }',
      },
    ],
    tests: ['shared/link/kept-items.test.ts'],
  },
  // Time.
  {
    name: 'probe-never-fires',
    breaks: 'a packet without an ACK is asked for after a while',
    edits: [
      {
        file: 'shared/link/liveness.ts',
        find: 'return packets > 0 ? Math.max(this.#askedAtMs, this.#toldAtMs) + probeMs : undefined;',
        replace: 'return packets > 64 ? Math.max(this.#askedAtMs, this.#toldAtMs) + probeMs : undefined;',
      },
    ],
    tests: ['shared/link/liveness.test.ts'],
  },
  {
    name: 'probe-backs-off-without-end',
    breaks: 'a probe waits two seconds at most, or four times the first wait',
    edits: [
      {
        file: 'shared/link/round-trip.ts',
        find: 'Math.max(PROBE_MS_MAX, PROBE_FACTOR_MAX * first)',
        replace: 'PROBE_MS_MAX ** PROBE_FACTOR_MAX',
      },
    ],
    tests: ['shared/link/round-trip.test.ts'],
  },
  {
    name: 'probe-never-backs-off',
    breaks: 'a probe in vain doubles the wait for the next',
    edits: [{ file: 'shared/link/round-trip.ts', find: 'this.#doublings += 1;', replace: 'this.#doublings = 0;' }],
    tests: ['shared/link/round-trip.test.ts'],
  },
  {
    name: 'ack-delay-measured',
    breaks: 'how long the other side waited before its ACK is not the line',
    edits: [
      {
        file: 'shared/link/exchange.ts',
        find: 'this.#roundTrip.measured(nowMs - news.newest.sentAtMs, ack.delayMs);',
        replace: 'this.#roundTrip.measured(nowMs - news.newest.sentAtMs, 0);',
      },
    ],
    tests: SESSION,
  },
  {
    name: 'last-packet-not-acknowledged',
    breaks: 'a packet that comes alone is acknowledged within the delay',
    edits: [
      {
        file: 'shared/link/arrivals.ts',
        find: 'else this.due(nowMs + this.#ackDelayMs);',
        replace: 'else if (this.#unacknowledged === 0) this.due(nowMs + this.#ackDelayMs);',
      },
    ],
    tests: ['shared/link/arrivals.test.ts'],
  },
  {
    name: 'ping-answered-later',
    breaks: 'a ping is acknowledged at once',
    edits: [
      { file: 'shared/link/exchange.ts', find: "when: isPing ? 'now' : 'soon'", replace: "when: isPing ? 'soon' : 'soon'" },
    ],
    tests: SESSION,
  },
  {
    name: 'record-told-once',
    breaks: 'a ping is answered with the records told last: an ACK may have been lost',
    edits: [
      {
        file: 'shared/link/records.ts',
        find: '    for (const stream of this.#recent) this.#untold.add(stream);\n    for (const stream of this.#recentBefore) this.#untold.add(stream);\n',
        replace: '',
      },
    ],
    tests: TWO_NODES,
  },
  {
    name: 'keepalive-never-sent',
    breaks: 'a silent line is pinged after each keepalive',
    edits: [
      {
        file: 'shared/link/liveness.ts',
        find: 'const isIdle = packets === 0 && !this.#isAsking',
        replace: 'const isIdle = packets < 0 && !this.#isAsking',
      },
    ],
    tests: ['shared/link/liveness.test.ts'],
  },
  {
    name: 'silence-means-nothing',
    breaks: 'three keepalives without a word end the session',
    edits: [
      {
        file: 'shared/link/liveness.ts',
        find: "return awake === 'always' ? this.#heardAtMs",
        replace: "return awake !== 'always' ? this.#heardAtMs",
      },
    ],
    tests: ['shared/link/liveness.test.ts'],
  },
  {
    name: 'stuck-for-ever',
    breaks: 'where no cursor moves a new session asks where the receiver is',
    edits: [
      {
        file: 'shared/link/liveness.ts',
        find: "return items === 'some' ? this.#movedAtMs + this.#options.progressMs : undefined;",
        replace: "return items === 'none' ? undefined : this.#toldAtMs + this.#options.progressMs;",
      },
    ],
    tests: ['shared/link/liveness.test.ts'],
  },
  {
    name: 'offers-anew-too-often',
    breaks: 'a new offer that moved nothing doubles the wait for the next',
    edits: [
      {
        file: 'shared/link/link-session.ts',
        find: 'Math.min(PROGRESS_MS_MAX, 2 * this.#progressMs)',
        replace: 'Math.min(PROGRESS_MS_MAX, this.#progressMs)',
      },
    ],
    tests: SESSION,
  },
  {
    name: 'half-open-socket-kept',
    breaks: 'a socket without a good packet for half a minute is given up',
    edits: [
      {
        file: 'shared/link/link-session.ts',
        find: 'return this.#goodAtMs + SOCKET_SILENCE_MS;',
        replace: 'return this.#nowMs + SOCKET_SILENCE_MS;',
      },
    ],
    tests: TWO_NODES,
  },
  // Credit, order, streams.
  {
    name: 'credit-ignored',
    breaks: 'no more bytes go out than the credit covers',
    edits: [
      {
        file: 'shared/link/out-stream.ts',
        find: 'return this.#beyondBytes + bytes <= credit;',
        replace: 'return this.#beyondBytes + bytes >= 0 && credit > 0;',
      },
    ],
    tests: SESSION,
  },
  {
    name: 'credit-zero-ignored',
    breaks: 'without credit nothing goes out, not even one message',
    edits: [
      {
        file: 'shared/link/out-stream.ts',
        find: 'return credit > 0 && (this.#beyondBytes === 0 || this.fits(bytes, credit));',
        replace: 'return this.#beyondBytes === 0 || this.fits(bytes, credit);',
      },
      {
        file: 'shared/link/packet-maker.ts',
        find: 'return sending.credit === 0 && stream.out.gaps.length === 0;',
        replace: 'return sending.credit < 0 && stream.out.gaps.length === 0;',
      },
    ],
    tests: SESSION,
  },
  {
    name: 'repeat-beyond-credit',
    breaks: 'a repeat keeps to the credit too',
    edits: [
      {
        file: 'shared/link/packet-maker.ts',
        find: '(number <= sending.cursor || envelope.length <= sending.credit);',
        replace: '(number <= sending.cursor || envelope.length >= 0);',
      },
    ],
    tests: SESSION,
  },
  {
    name: 'records-over-size',
    breaks: 'an ACK is no larger than the other side takes, however many streams there are',
    edits: [{ file: 'shared/link/records.ts', find: 'if (bytes > bytesMax) break;', replace: 'if (bytes < 0) break;' }],
    tests: SESSION,
  },
  {
    name: 'grown-credit-untold',
    breaks: 'room is told as soon as it is there',
    edits: [
      {
        file: 'shared/link/records.ts',
        find: 'return credit > 0 && (credit >= 2 * told || credit >= LOW_CREDIT_BYTES);',
        replace: 'return credit > 0 && told > LOW_CREDIT_BYTES;',
      },
    ],
    tests: SESSION,
  },
  {
    name: 'data-before-its-cursor',
    breaks: 'nothing of a stream is sent before its first cursor came',
    edits: [
      {
        file: 'shared/link/outbound.ts',
        find: "if (stream.state.at === 'new') this.#undeclared.push(stream);",
        replace:
          "if (stream.state.at === 'new') this.#undeclared.push(stream);\n      if (stream.state.at === 'declared') ready.add(stream);",
      },
    ],
    tests: SESSION,
  },
  {
    name: 'declared-once',
    breaks: 'a STREAM that nobody answered is said again',
    edits: [
      {
        file: 'shared/link/outbound.ts',
        find: 'REDECLARE_MS) this.#undeclares(stream);',
        replace: 'REDECLARE_MS) this.#declares(stream, nowMs);',
      },
    ],
    tests: SESSION,
  },
  {
    name: 'hello-says-whole',
    breaks: 'a HELLO says that it lists all streams that begin here only when it does',
    edits: [
      {
        file: 'shared/link/offer-packets.ts',
        find: "offer.own === 'whole' && listed === own ? HELLO_WHOLE : 0;",
        replace: "offer.own === 'whole' && listed <= own ? HELLO_WHOLE : 0;",
      },
    ],
    tests: ['shared/link/offer-packets.test.ts'],
  },
  {
    name: 'numbers-out-of-reach',
    breaks: 'a number is sent only where its 16 bits mean it: less than 2^15 beyond the cursor',
    edits: [
      {
        file: 'shared/link/packet-maker.ts',
        find: 'return last < sending.cursor + NUMBERS_AHEAD_MAX ||',
        replace: 'return last < sending.cursor + 2 * NUMBERS_AHEAD_MAX ||',
      },
    ],
    tests: SESSION,
  },
  {
    name: 'handle-given-to-another',
    breaks: 'a handle means one stream as long as a session lives',
    edits: [
      {
        file: 'shared/link/inbound.ts',
        find: "if (known !== undefined && streamText(known.key) !== streamText(key)) return 'conflict';",
        replace: "if (known !== undefined && streamText(known.key) === '') return 'conflict';",
      },
    ],
    tests: SESSION,
  },
  {
    name: 'least-urgent-starves',
    breaks: 'a priority that was passed over sixteen times gets a packet',
    edits: [
      {
        file: 'shared/link/scheduler.ts',
        find: 'if ((this.#passedOver[priority] ?? 0) >= PASSED_OVER_MAX)',
        replace: 'if ((this.#passedOver[priority] ?? 0) >= PASSED_OVER_MAX * 2 ** 20)',
      },
    ],
    tests: ['shared/link/scheduler.test.ts'],
  },
  {
    name: 'equals-do-not-take-turns',
    breaks: 'streams of one priority take turns',
    edits: [
      { file: 'shared/link/scheduler.ts', find: 'stream.servedAt = this.#clock;', replace: 'stream.servedAt = 0 * this.#clock;' },
    ],
    tests: ['shared/link/scheduler.test.ts'],
  },
  {
    name: 'small-waits-for-large',
    breaks: 'a more urgent small message goes between two parts of a large one',
    edits: [
      {
        file: 'shared/link/outbound.ts',
        find: 'const made = maker.make(stream, hurry);',
        replace:
          'const begun = [...this.#unfinished].find(({ parting }) => parting !== undefined);\n      const made = maker.make(begun ?? stream, hurry);',
      },
    ],
    tests: TWO_NODES,
  },
  {
    name: 'batch-one-short',
    breaks: 'every message of a batch is taken',
    edits: [
      {
        file: 'shared/link/inbound.ts',
        find: 'const items = batch.messages.map(',
        replace: 'const items = batch.messages.slice(0, Math.max(1, batch.messages.length - 1)).map(',
      },
    ],
    tests: SESSION,
  },
  {
    name: 'batch-ends-before-empty',
    breaks: 'an empty message at the end of a batch is one',
    edits: [
      {
        file: 'shared/link/data-packet.ts',
        find: '} while (reader.remaining > 0);',
        replace: '} while (reader.remaining > 1);',
      },
    ],
    tests: PACKETS,
  },
  {
    name: 'number-nearest-from-one-side',
    breaks: 'the 16 bits of a number mean the one nearest to the cursor, before it or behind it',
    edits: [
      {
        file: 'shared/link/data-packet.ts',
        find: 'const number = cursor + (ahead < LOW_NUMBERS / 2 ? ahead : ahead - LOW_NUMBERS);',
        replace: 'const number = cursor + ahead;',
      },
    ],
    tests: ['shared/link/data-packet.test.ts'],
  },
  // Refusals.
  {
    name: 'refusal-moves-cursor',
    breaks: 'no cursor moves for what the receiver refuses',
    edits: [
      {
        file: 'shared/custody/receiver.ts',
        find: "      if ('refused' in planned) return planned;\n",
        replace:
          "      if ('refused' in planned) {\n        Object.assign(cursor, { planned: next, durable: next });\n        neighbour.cursors.set(streamText(cursor.key), cursor);\n        return planned;\n      }\n",
      },
    ],
    tests: CUSTODY,
  },
  {
    name: 'refused-gap-before-durable',
    breaks: 'the gap of a refused message goes out when it and the dead letter are on the disk',
    edits: [
      {
        file: 'shared/custody/refusals.ts',
        find: '    out.list.remove(slot);\n',
        replace: '    out.list.remove(slot);\n    holdGap(out, gap);\n',
      },
      {
        file: 'shared/custody/refusals.ts',
        find: '    if (gap.to >= out.lo) holdGap(out, gap);\n    else this.#forget(out, gap);\n',
        replace: '    if (gap.to < out.lo) this.#forget(out, gap);\n',
      },
    ],
    tests: ['shared/custody/refusals.test.ts'],
  },
  {
    name: 'refused-body-lost',
    breaks: 'a refused message is a dead letter where it is held',
    edits: [
      { file: 'shared/custody/refusals.ts', find: 'puts: letter?.puts ?? [],', replace: 'puts: letter?.puts.slice(1) ?? [],' },
    ],
    tests: ['shared/custody/refusals.test.ts'],
  },
  {
    name: 'refusal-said-once',
    breaks: 'REJECT is repeated until the gap comes',
    edits: [
      {
        file: 'shared/link/rejections.ts',
        find: '    this.#againAtMs = nowMs + this.#waitMs;\n',
        replace: '    this.#againAtMs = undefined;\n',
      },
    ],
    tests: SESSION,
  },
  {
    name: 'refused-is-kept-out-for-good',
    breaks: 'the gap of a refused message has its place, and the stream goes on',
    edits: [
      {
        file: 'shared/link/in-stream.ts',
        find: "if (item.kind === 'message') {\n      const isRejected",
        replace: "if (item.kind !== 'elsewhere') {\n      const isRejected",
      },
    ],
    tests: SESSION,
  },
  {
    name: 'clogged-for-ever',
    breaks: 'what is kept for a stream that cannot go on, and is in the way of others, is dropped with the session',
    edits: [{ file: 'shared/link/inbound.ts', find: 'this.isClogged = true;', replace: 'this.isClogged = false;' }],
    tests: SESSION,
  },
  // Cutting short, and time.
  {
    name: 'cut-number-used-again',
    breaks: 'the number of a packet that was cut short is missing at the other side',
    edits: [
      {
        file: 'shared/link/outstanding.ts',
        find: '? this.#packets.pop() :',
        replace: '? (this.#next--, this.#packets.pop()) :',
      },
    ],
    tests: ['shared/link/outstanding.test.ts'],
  },
  {
    name: 'cut-is-not-repeated',
    breaks: 'what was cut short goes out again',
    edits: [
      {
        file: 'shared/link/exchange.ts',
        find: 'const taken = this.#outstanding.takeBackNewest();',
        replace: 'const taken = [this.#outstanding.takeBackNewest()].at(1);',
      },
    ],
    tests: ['test/link-cut.test.ts'],
  },
  {
    name: 'time-held-is-way',
    breaks: 'how long the other side held the question is no part of the way',
    edits: [
      {
        file: 'shared/link/time-sync.ts',
        find: 'const wayUs = t4Us - t1Us - (t3Us - t2Us);',
        replace: 'const wayUs = t4Us - t1Us;',
      },
    ],
    tests: ['shared/link/time-sync.test.ts'],
  },
  {
    name: 'time-of-another-question',
    breaks: 'an answer is believed when it is one to the question asked last',
    edits: [
      {
        file: 'shared/link/time-sync.ts',
        find: 'if (asked === undefined || id !== asked.id ||',
        replace: 'if (asked === undefined ||',
      },
    ],
    tests: ['shared/link/time-sync.test.ts'],
  },
  // Parts.
  {
    name: 'part-at-zero-taken',
    breaks: 'a later part begins behind the first',
    edits: [
      {
        file: 'shared/link/data-packet.ts',
        find: 'if (offset === undefined || offset === 0 || payload.length === 0) return undefined;',
        replace: 'if (offset === undefined || payload.length === 0) return undefined;',
      },
    ],
    tests: PACKETS,
  },
  {
    name: 'part-beyond-total-taken',
    breaks: 'no part reaches beyond the whole',
    edits: [
      {
        file: 'shared/link/assembly.ts',
        find: "if (total !== undefined && Math.max(end, this.#ranges.end) > total) return 'conflict';",
        replace: "if (total !== undefined && this.#ranges.end > total) return 'conflict';",
      },
    ],
    tests: ['shared/link/kept-items.test.ts'],
  },
  {
    name: 'declared-total-changes',
    breaks: 'parts agree on how many bytes the whole has',
    edits: [
      {
        file: 'shared/link/assembly.ts',
        find: "if (part.total !== undefined && part.total !== total) return 'conflict';",
        replace: "if (part.total !== undefined && total === undefined) return 'conflict';",
      },
    ],
    tests: ['shared/link/kept-items.test.ts'],
  },
  {
    name: 'declared-total-without-limit',
    breaks: 'a message that nothing here can store takes no memory, whatever it says of itself',
    edits: [
      {
        file: 'shared/link/in-stream.ts',
        find: 'const bytes = Math.max(total ?? 0, offset + payload.length);',
        replace: 'const bytes = payload.length;',
      },
    ],
    tests: SESSION,
  },
  {
    name: 'hole-between-parts-unseen',
    breaks: 'a message is whole when every byte of it came',
    edits: [
      {
        file: 'shared/link/byte-ranges.ts',
        find: 'return first !== undefined && first.start === 0 && first.end >= length;',
        replace: 'return first !== undefined && first.start === 0 && this.end >= length;',
      },
    ],
    tests: ['shared/link/kept-items.test.ts'],
  },
  // The line.
  {
    name: 'pacing-ignored',
    breaks: 'a serial line is handed one packet at a time, by the clock',
    edits: [
      {
        file: 'shared/link/pacing.ts',
        find: 'return this.#unsentBytes <= this.#profile.packetBytesSent && nowMs >= this.#freeAtMs - this.#earlyMs;',
        replace: 'return this.#unsentBytes <= this.#profile.packetBytesSent && nowMs >= this.#freeAtMs - 40 * this.#earlyMs;',
      },
    ],
    tests: ['shared/link/pacing.test.ts'],
  },
  {
    name: 'socket-holds-anything',
    breaks: 'a socket is handed no more once it holds 256 KiB',
    edits: [
      {
        file: 'shared/link/pacing.ts',
        find: 'return this.#unsentBytes < SOCKET_UNSENT_BYTES_MAX;',
        replace: 'return this.#unsentBytes >= 0;',
      },
    ],
    tests: ['shared/link/pacing.test.ts'],
  },
  {
    name: 'noise-shrinks-nothing',
    breaks: 'packets are smaller while the line loses them',
    edits: [
      {
        file: 'shared/link/packet-size.ts',
        find: "if (fate === 'lost') this.#lostCount += 1;",
        replace: "if (fate === 'lost') this.#lostCount += 0;",
      },
    ],
    tests: ['shared/link/packet-size.test.ts'],
  },
  {
    name: 'too-long-for-ever',
    breaks: 'after a run that is too long the next frame is found',
    edits: [
      {
        file: 'shared/link/deframer.ts',
        find: "      this.#giveUp(events, this.#isTooLong || packet !== undefined ? 'too-long' : 'malformed');\n    }\n    this.#isTooLong = false;\n",
        replace: "      this.#giveUp(events, this.#isTooLong || packet !== undefined ? 'too-long' : 'malformed');\n    }\n",
      },
    ],
    tests: ['shared/link/deframer.test.ts'],
  },
  {
    name: 'full-block-ends-with-zero',
    breaks: 'a block of 254 bytes has no zero behind it',
    edits: [
      {
        file: 'shared/link/cobs.ts',
        find: 'if (code < CODE_MAX && offset < stuffed.length) length++;',
        replace: 'if (code <= CODE_MAX && offset < stuffed.length) length++;',
      },
    ],
    tests: ['shared/link/cobs.test.ts'],
  },
  {
    name: 'lost-offer-down-not-said-again',
    breaks: 'a NOTE that offers the other direction is said again when it is lost',
    edits: [
      {
        file: 'shared/link/downstream.ts',
        find: "this.#isToSay = this.#state === 'offering';",
        replace: 'this.#isToSay = false;',
      },
    ],
    tests: ['test/downstream.test.ts'],
  },
  {
    name: 'handed-up-goes-down-too',
    breaks: 'what was handed over on one way is not handed over on another',
    edits: [{ file: 'shared/custody/sender.ts', find: '      out.upTo = Math.max(out.upTo, sent);\n', replace: '' }],
    tests: ['test/downstream.test.ts'],
  },
  {
    name: 'all-goes-up-until-it-is-told',
    breaks: 'only what was handed upwards before stays on that way',
    edits: [
      {
        file: 'shared/custody/sender.ts',
        find: 'return isUp(this.hop) && hops.isBelow(out.node) ? out.upTo : Number.MAX_SAFE_INTEGER;',
        replace: 'return hops.isBelow(out.node) ? Number.MAX_SAFE_INTEGER : Number.MAX_SAFE_INTEGER;',
      },
    ],
    tests: ['test/downstream.test.ts'],
  },
  // Compact messages.
  {
    name: 'compact-check-not-compared',
    breaks: 'what is rebuilt has the checksum that its sender told',
    edits: [
      {
        file: 'shared/link/compact.ts',
        find: 'return checkOf([written.plain.crc]) === check ? written : undefined;',
        replace: 'return check >= 0 ? written : undefined;',
      },
    ],
    tests: ['shared/link/compact.test.ts'],
  },
  {
    name: 'compact-of-our-epoch',
    breaks: "a compact message has the epoch of its sender's store",
    edits: [
      {
        file: 'shared/link/acceptor.ts',
        find: 'epoch: offer.epoch, messageBytesMax',
        replace: 'epoch: ring.epoch, messageBytesMax',
      },
    ],
    tests: TWO_NODES,
  },
  {
    name: 'credit-in-compact-bytes',
    breaks: 'credit counts the bytes of envelopes',
    edits: [
      {
        file: 'shared/link/message-batch.ts',
        find: 'this.bytes += message.envelope.length;',
        replace: 'this.bytes += wholeBytes(message);',
      },
    ],
    tests: ['shared/link/message-batch.test.ts'],
  },
  {
    name: 'compact-of-a-damaged-envelope',
    breaks: 'a checksum that is left away was right: the receiver makes a new one',
    edits: [
      {
        file: 'shared/message/plain-envelope.ts',
        find: 'if (crc !== crc32c(bytes.subarray(fieldsAt, end), this.#beginCrc)) return undefined;',
        replace: 'if (crc === NOT) return undefined;',
      },
    ],
    tests: ['shared/link/compact.test.ts'],
  },
  {
    name: 'compact-check-is-half-a-crc',
    breaks: 'the check is the upper half of a checksum XOR the lower one, to every other implementation',
    edits: [
      {
        file: 'shared/link/compact.ts',
        find: 'return (all >>> 16) ^ (all & 0xffff);',
        replace: 'return all & 0xffff;',
      },
    ],
    tests: ['test/link-vectors.test.ts'],
  },
  {
    name: 'compact-check-of-a-batch-is-an-xor',
    breaks: 'messages that are wrong in the same way are found out in a batch, too',
    edits: [
      {
        file: 'shared/link/compact.ts',
        find: 'const all = crcs.reduce((sum, crc) => crc32c(Uint8Array.of(crc, crc >>> 8, crc >>> 16, crc >>> 24), sum), 0);',
        replace: 'const all = crcs.reduce((sum, crc) => (sum ^ crc) >>> 0, 0);',
      },
    ],
    tests: ['shared/link/compact.test.ts'],
  },
  {
    name: 'parts-to-who-takes-none',
    breaks: 'parts go only to a side that takes them, when a message is repeated too',
    edits: [
      {
        file: 'shared/link/packet-maker.ts',
        find: 'return (features & FEATURE_FRAGMENTS) !== 0 && dataSize',
        replace: 'return features >= 0 && dataSize',
      },
    ],
    tests: SESSION,
  },
  {
    name: 'packet-full-whatever-is-lost',
    breaks: 'a message joins a packet only when that arrives often enough with it',
    edits: [
      {
        file: 'shared/link/packet-size.ts',
        find: 'return this.#errorRate === 0 || this.#worth(to) >= this.#worth(from);',
        replace: 'return this.#errorRate === 0 || this.#worth(to) >= 0;',
      },
    ],
    tests: ['shared/link/packet-size.test.ts'],
  },
];
