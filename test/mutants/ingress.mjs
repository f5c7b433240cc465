/**
 * Bugs for the MQTT ingress: rules of docs/mqtt-ingress.md. `edits` are texts that stand exactly once in their file, and what is put in
 * their place; `tests` are the files that must notice.
 */
const tests = ['test/ingress.test.ts'];

export const MUTANTS = [
  {
    name: 'puback-before-durable',
    breaks: 'PUBACK and PUBREC mean that it is on the disk',
    edits: [
      {
        file: 'gateway/embedded-broker.ts',
        find: '      guest.publish(publish).then(\n',
        replace: '      Promise.resolve(void guest.publish(publish).catch(() => {})).then(\n',
      },
    ],
    tests,
  },
  {
    name: 'full-answered',
    breaks: 'a full queue: nothing is answered',
    edits: [
      {
        file: 'gateway/ingress-guest.ts',
        find: '    this.#end(held, held.publish.qos === 0 ? undefined : error);',
        replace: '    this.#end(held, undefined);',
      },
      {
        file: 'gateway/ingress-guest.ts',
        find: '    this.#end(held, this.#refuse(held.publish, error));',
        replace: '    this.#refuse(held.publish, error);\n    this.#end(held, undefined);',
      },
    ],
    tests,
  },
  {
    name: 'full-cuts-at-once',
    breaks: 'a full queue is tried again until holdMs are over',
    edits: [{ file: 'gateway/ingress-guest.ts', find: '!isNoRoom(outcome)', replace: 'true' }],
    tests,
  },
  {
    name: 'overtaken-where-full',
    breaks: 'nothing of a client passes what waits for room',
    edits: [{ file: 'gateway/ingress-guest.ts', find: 'Promise.race([storing, turn()])', replace: "'pending'" }],
    tests,
  },
  {
    name: 'held-without-end',
    breaks: 'after holdMs the connection ends',
    edits: [{ file: 'gateway/ingress-guest.ts', find: '      this.#watch();\n      void', replace: '      void' }],
    tests,
  },
  {
    name: 'answered-by-the-interval',
    breaks: 'PUBACK waits for the disk in every durability',
    edits: [{ file: 'shared/core/send-desk.ts', find: " || call.answer === 'disk'", replace: '' }],
    tests: ['shared/core/durability-modes.test.ts'],
  },
  {
    name: 'packet-id-beside-the-frame',
    breaks: 'QoS 2: the packet id is in the frame of the message',
    edits: [{ file: 'gateway/ingress-guest.ts', find: '      ...(position && { position }),\n', replace: '' }],
    tests,
  },
  {
    name: 'pubcomp-before-forgotten',
    breaks: 'QoS 2: PUBCOMP comes when the disk has forgotten the id',
    edits: [
      {
        file: 'gateway/packet-ids.ts',
        find: '      if (this.#name !== undefined) await this.#write(this.#name, encodeIds(others));\n',
        replace: '      void others;\n',
      },
    ],
    tests,
  },
  {
    name: 'packet-id-of-a-refused-one',
    breaks: 'QoS 2: a message that is not stored leaves no id behind',
    edits: [
      {
        file: 'gateway/packet-ids.ts',
        find: '      await this.#place();\n',
        replace: '      await this.#place();\n      this.#ids.add(id);\n',
      },
    ],
    tests,
  },
  {
    name: 'places-never-given-back',
    breaks: 'a session in which nothing waits leaves nothing in the ring',
    edits: [{ file: 'gateway/ingress-role.ts', find: "    await packetIds.close('keep').catch(() => {});\n", replace: '' }],
    tests,
  },
  {
    name: 'subscriptions-granted',
    breaks: 'subscribing is refused with 0x80',
    edits: [
      { file: 'gateway/embedded-broker.ts', find: '      done(null, null);\n', replace: '      done(null, subscription);\n' },
    ],
    tests,
  },
  {
    name: 'published-inside',
    breaks: 'nobody hears anything from an ingress, not even the broker in it',
    edits: [
      {
        file: 'gateway/embedded-broker.ts',
        find: "          Object.assign(packet, { topic: TAKEN, payload: '', retain: false });\n",
        replace: '',
      },
    ],
    tests,
  },
  {
    name: 'will-of-the-well',
    breaks: 'an ingress that ends says nothing of its clients',
    edits: [{ file: 'gateway/ingress-role.ts', find: '        this.#isClosing = true;\n', replace: '' }],
    tests,
  },
  {
    name: 'read-without-end',
    breaks: 'beyond inFlightLimit nothing more is read from a client',
    edits: [{ file: 'gateway/mqtt-gate.ts', find: ' && this.#heldBytes < this.#heldBytesMax', replace: '' }],
    tests,
  },
  {
    name: 'packets-of-any-length',
    breaks: 'a packet above packetLimit ends its connection at the header',
    edits: [
      {
        file: 'gateway/packet-lengths.ts',
        find: "      if (1 + bytes + value > this.#bytesMax) return 'too-long';\n",
        replace: '',
      },
    ],
    tests: ['gateway/packet-lengths.test.ts'],
  },
  {
    name: 'wildcards-meet-the-broker',
    breaks: 'a wildcard never stands for a topic that begins with $',
    edits: [
      {
        file: 'shared/message/topic-filter.ts',
        find: "  if (topic.startsWith('$') && !filter.startsWith('$')) return false;\n",
        replace: '',
      },
    ],
    tests: ['shared/message/topic-filter.test.ts'],
  },
];
