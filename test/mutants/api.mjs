/**
 * Bugs for the local API and for the consumers of a central behind it: rules of docs/local-api.md. `edits` are texts that stand exactly
 * once in their file, and what is put in their place; `tests` are the files that must notice, asked in order until one does.
 *
 * Left out, because no test of ours can see it: a token that is not compared in constant time.
 */
const hostile = ['shared/node/api/server-hostile.test.ts'];
const server = ['shared/node/api/server.test.ts'];
const verbs = ['shared/node/api/verbs.test.ts'];
const remote = ['shared/node/api/remote.test.ts'];
const limits = ['shared/node/api/client-limits.test.ts'];
const stream = ['shared/node/api/stream.test.ts'];

export const MUTANTS = [
  {
    name: 'producers-forgotten-at-restart',
    breaks: 'the number of a named producer outlives its node',
    edits: [
      {
        file: 'shared/core/producers.ts',
        find: "metaValues(store.ring.metas, 'w/')",
        replace: "metaValues(store.ring.metas, 'w!')",
      },
    ],
    tests: ['shared/core/producers.test.ts'],
  },
  {
    name: 'steps-each-alone',
    breaks: 'the steps of a transaction happen together, or none does',
    edits: [
      {
        file: 'shared/node/api/send-endpoints.ts',
        find: "  const result = await node.call({ verb: 'commit', steps, ...by });\n",
        replace:
          "  for (const step of steps.slice(1)) await node.call({ verb: 'commit', steps: [step] });\n  const result = await node.call({ verb: 'commit', steps: steps.slice(0, 1), ...by });\n",
      },
    ],
    tests: [...verbs, ...server, 'test/local-api.test.ts'],
  },
  {
    name: 'steps-in-another-order',
    breaks: 'what a transaction sends comes in the order of its steps',
    edits: [
      {
        file: 'shared/node/api/transaction-json.ts',
        find: 'return steps.map((step, index) =>',
        replace: 'return [...steps].reverse().map((step, index) =>',
      },
    ],
    tests: [...verbs, ...server, 'test/local-api.test.ts'],
  },
  {
    name: 'wait-outlives-its-client',
    breaks: 'a client that goes away takes its wait with it',
    edits: [
      {
        file: 'shared/node/api/server.ts',
        find: '      for (const waiting of connection.underWay) waiting.abort();\n',
        replace: '',
      },
    ],
    tests: [...server, ...hostile, 'shared/node/api/aborted-wait.test.ts'],
  },
  {
    name: 'answer-that-left-nobody',
    breaks: 'a lease whose answer never left is given back at once',
    edits: [
      {
        file: 'shared/node/api/server.ts',
        find: '      if (!response.writableFinished) reply.undelivered?.();\n',
        replace: '',
      },
      {
        file: 'shared/node/api/server.ts',
        find: '      reply.undelivered?.();\n      return;\n',
        replace: '      return;\n',
      },
    ],
    tests: [...server, ...hostile, 'shared/node/api/aborted-wait.test.ts', 'test/local-api.test.ts'],
  },
  {
    name: 'leases-go-with-the-connection',
    breaks: 'a connection that ends leaves leased what was leased to it',
    edits: [
      {
        file: 'shared/node/api/server.ts',
        find: '    response.writeHead(reply.status, withLength(reply));\n',
        replace:
          "    response.writeHead(reply.status, withLength(reply));\n    socket.once('close', () => reply.undelivered?.());\n",
      },
    ],
    tests: [...server, ...verbs, 'test/local-api.test.ts'],
  },
  {
    name: 'lease-of-another-client',
    breaks: 'a lease is ended by the client alone that got it',
    edits: [
      {
        file: 'shared/node/api/lease-book.ts',
        find: "    if (entry.client !== client) throw denied(client, 'receive', 'this lease belongs to another client');\n",
        replace: '    void denied;\n',
      },
    ],
    tests: remote,
  },
  {
    name: 'lease-unknown-to-the-book',
    breaks: 'over the network a lease that nobody got there is unknown',
    edits: [
      {
        file: 'shared/node/api/lease-book.ts',
        find: "    if (entry === undefined) throw new RingmailError('LEASE_UNKNOWN', { lease });\n",
        replace: '    if (entry === undefined) return;\n',
      },
    ],
    tests: remote,
  },
  {
    name: 'lease-counted-for-ever',
    breaks: 'leases that ended are no longer counted against their client',
    edits: [{ file: 'shared/node/api/lease-book.ts', find: '    LeaseBook.release(entry.client);\n', replace: '' }],
    tests: [...limits, ...remote],
  },
  {
    name: 'clients-without-limits',
    breaks: 'a client has so much in use at once, and no more',
    edits: [
      {
        file: 'shared/node/api/client-account.ts',
        find: 'if (pending + count > pendingMax) throw',
        replace: 'if (pending + count > pendingMax + 1e9) throw',
      },
    ],
    tests: limits,
  },
  {
    name: 'limit-reached-too-early',
    breaks: 'a client has as much as it may have',
    edits: [
      {
        file: 'shared/node/api/client-account.ts',
        find: 'if (pending + count > pendingMax) throw',
        replace: 'if (pending + count >= pendingMax) throw',
      },
    ],
    tests: limits,
  },
  {
    name: 'requests-counted-for-ever',
    breaks: 'what ended is no longer counted against its client',
    edits: [{ file: 'shared/node/api/server.ts', find: "      client.give('requests');\n", replace: '' }],
    tests: [...limits, ...server, ...verbs],
  },
  {
    name: 'bodies-counted-for-ever',
    breaks: 'bodies that were served take no memory, and are not counted',
    edits: [{ file: 'shared/node/api/body-pool.ts', find: '    this.#pool.give(this.#taken);\n', replace: '' }],
    tests: [...limits, ...hostile, ...server],
  },
  {
    name: 'bodies-without-bound',
    breaks: 'bodies of all clients together are bounded',
    edits: [
      {
        file: 'shared/node/api/body-pool.ts',
        find: 'if (this.#bytes + bytes > this.#bytesMax)',
        replace: 'if (this.#bytes + bytes > this.#bytesMax + 1e12)',
      },
    ],
    tests: [...limits, ...hostile, ...server],
  },
  {
    name: 'body-truncated',
    breaks: 'a body is sent as it came, all of it',
    edits: [
      {
        file: 'shared/node/api/body-pool.ts',
        find: 'resolve(concatBytes(chunks));',
        replace: 'resolve(concatBytes(chunks.slice(0, 1)));',
      },
    ],
    tests: [...hostile, ...server, 'shared/node/api/body-forms.test.ts', 'test/local-api.test.ts'],
  },
  {
    name: 'half-a-body-sent',
    breaks: 'a body that ends early is not sent',
    edits: [
      {
        file: 'shared/node/api/body-pool.ts',
        find: "if (!isWhole) reject(invalid('the body ended early'));",
        replace: 'if (!isWhole) resolve(concatBytes(chunks));',
      },
    ],
    tests: [...hostile, ...server],
  },
  {
    name: 'length-believed',
    breaks: 'a body without a length, or with more than it said, is bounded as it comes',
    edits: [
      {
        file: 'shared/node/api/body-pool.ts',
        find: 'if (this.#taken + bytes > bytesMax) throw',
        replace: 'if (this.#taken + bytes > bytesMax + 1e12) throw',
      },
    ],
    tests: hostile,
  },
  {
    name: 'length-in-characters',
    breaks: 'Content-Length counts bytes',
    edits: [
      {
        file: 'shared/node/api/server.ts',
        find: "'Content-Length': Buffer.byteLength(body) };\n}\n\nconst STATUS",
        replace: "'Content-Length': body.length };\n}\n\nconst STATUS",
      },
    ],
    tests: [...server, ...verbs, 'shared/node/api/body-forms.test.ts'],
  },
  {
    name: 'encoded-body-taken',
    breaks: 'an encoded body is refused, and not queued as it is',
    edits: [
      {
        file: 'shared/node/api/body-pool.ts',
        find: 'if (encoding !== undefined)\n',
        replace: "if (encoding === 'none at all')\n",
      },
    ],
    tests: server,
  },
  {
    name: 'requests-ahead-without-bound',
    breaks: 'requests sent ahead on one connection are bounded',
    edits: [
      {
        file: 'shared/node/api/server.ts',
        find: 'if (socket.destroyed || underWay.size >= PIPELINED_COUNT_MAX) {',
        replace: 'if (socket.destroyed || underWay.size >= PIPELINED_COUNT_MAX * 1e9) {',
      },
    ],
    tests: hostile,
  },
  {
    name: 'closing-leaves-them-waiting',
    breaks: 'who waits for a message is told that the node stops',
    edits: [
      {
        file: 'shared/node/api/server.ts',
        find: 'for (const waiting of underWay) waiting.abort(this.#stopping);',
        replace: 'void underWay;',
      },
    ],
    tests: [...server, ...stream],
  },
  {
    name: 'token-by-its-beginning',
    breaks: 'a token is known by its whole hash',
    edits: [
      {
        file: 'shared/node/api/tokens.ts',
        find: 'if (timingSafeEqual(sha256, hash)) found = client;',
        replace: 'if (timingSafeEqual(sha256.subarray(0, 0), hash.subarray(0, 0))) found = client;',
      },
    ],
    tests: remote,
  },
  {
    name: 'rights-contain-one-another',
    breaks: 'a token may do what its line says, and nothing else',
    edits: [
      {
        file: 'shared/node/api/rights.ts',
        find: 'if (!rights.may.has(needed)) throw',
        replace: "if (!rights.may.has(needed) && !rights.may.has('admin')) throw",
      },
    ],
    tests: remote,
  },
  {
    name: 'queues-of-others',
    breaks: 'a token for some queues is for no others',
    edits: [
      {
        file: 'shared/node/api/rights.ts',
        find: 'return rights?.queues === undefined || rights',
        replace: 'return rights?.queues !== rights?.queues || queue.length > 0 || rights?.queues === undefined || rights',
      },
    ],
    tests: remote,
  },
  {
    name: 'transaction-sends-anywhere',
    breaks: 'a transaction may do no more than its steps could alone',
    edits: [
      {
        file: 'shared/node/api/send-endpoints.ts',
        find: "      return demand(client, 'send', step.destination);",
        replace: '      return undefined;',
      },
    ],
    tests: remote,
  },
  {
    name: 'positions-of-adapters',
    breaks: 'other processes do not touch the positions of adapters',
    edits: [
      {
        file: 'shared/node/api/transaction-json.ts',
        find: 'if (name.startsWith(POSITION_PREFIX)) return name;',
        replace: 'if (name.length > 0 || name.startsWith(POSITION_PREFIX)) return name;',
      },
    ],
    tests: [...verbs, ...server, ...remote, 'test/local-api.test.ts'],
  },
];
