/**
 * Bugs for the ring that must be noticed. Each breaks one rule: I1 to I12 of docs/ring-file.md, or a promise named in words. `edits` are texts that
 * stand exactly once in their file, and what is put in their place; `tests` are the files that must notice, asked in order until one does.
 *
 * Left out, because nothing changes that anybody could see:
 * - lsn alone, or seq alone, not checked: each covers the other, and prevCrc both (all three unchecked is on the list)
 * - the parity of a superblock's generation: our own writer never makes a copy that has it wrong
 * - the tail taken as durable while its frame is written: no other frame is begun meanwhile
 */
export const MUTANTS = [
  {
    name: 'overwritten-body-handed-out',
    breaks: 'a body from memory is the one that was stored',
    edits: [
      {
        file: 'shared/ring/body-cache.ts',
        find: 'return this.#ids[place] === id && this.#written - (this.#starts[place] ?? 0) <= this.#memory.length;',
        replace: 'return this.#ids[place] === id;',
      },
    ],
    tests: ['shared/ring/body-cache.test.ts'],
  },
  {
    name: 'body-changes-in-the-hand',
    breaks: 'a body that was handed out stays as it is',
    edits: [
      {
        file: 'shared/ring/body-cache.ts',
        find: '    const body = this.#pieces.take(length);\n    body.set(this.#memory.subarray(start, start + length));\n    return body;\n',
        replace: '    return this.#memory.subarray(start, start + length);\n',
      },
    ],
    tests: ['shared/ring/body-cache.test.ts'],
  },
  {
    name: 'acknowledges-before-durable',
    breaks: 'an acknowledgement means that it is on the disk',
    edits: [
      {
        file: 'shared/ring/ring.ts',
        find: '    this.#inFlight = content.batches;\n',
        replace: "    this.#inFlight = [];\n    for (const { done } of content.batches) done('durable', []);\n",
      },
      {
        file: 'shared/ring/ring.ts',
        find: "done('durable', next === end ? NO_SLOTS : slots.slice(next, end));",
        replace: 'void [done, end];',
      },
    ],
    tests: ['shared/ring/ring-life.test.ts'],
  },
  {
    name: 'last-body-unchecked',
    breaks: 'I4: an unproven frame counts only with all its bodies',
    edits: [
      {
        file: 'shared/ring/recovery.ts',
        find: 'if (bytes && last && bodiesAreIntact(last, bytes, seal)) return',
        replace: 'if (bytes && last) return',
      },
    ],
    tests: ['shared/ring/crash-points.test.ts'],
  },
  {
    name: 'nothing-said-again',
    breaks: 'I6: an OPEN frame says again every entry of an unproven last frame',
    edits: [
      {
        file: 'shared/ring/opening.ts',
        find: '      content = again;\n      relogged = Math.min(RELOGGED_MAX, last.relogged + 1);\n',
        replace: '',
      },
    ],
    tests: ['shared/ring/sync-failure.test.ts'],
  },
  {
    name: 'acknowledgements-not-said-again',
    breaks: 'I6, acknowledgements too',
    edits: [
      {
        file: 'shared/ring/opening.ts',
        find: "} else if (entry.kind !== 'meta' || entry.key !== EPOCH_KEY) {",
        replace: "} else if (entry.kind !== 'ack' && (entry.kind !== 'meta' || entry.key !== EPOCH_KEY)) {",
      },
    ],
    tests: ['shared/ring/sync-failure.test.ts'],
  },
  {
    name: 'one-superblock-place',
    breaks: 'I5: a superblock never touches the pair of the one before',
    edits: [
      { file: 'shared/ring/file-steps.ts', find: '[s.generation & 1, (s.generation & 1) + 2].map(', replace: '[0].map(' },
      { file: 'shared/ring/find-superblock.ts', find: ' && found.generation % 2 === copy % 2', replace: '' },
    ],
    tests: ['shared/ring/crash-points.test.ts'],
  },
  {
    name: 'anchor-before-its-frame',
    breaks: 'I5: a superblock points to a frame that was durable first',
    edits: [
      {
        file: 'shared/ring/log-writer.ts',
        find: '    yield* writeBlocks(geometry, lsn, this.#frameBuffer.subarray(0, blocks * geometry.blockBytes));\n',
        replace: `    if (kind === 'open') {
      const before = this.lastFrame;
      this.lastFrame = { lsn, crc };
      this.#seq += 1;
      yield* this.writeAnchor(0);
      this.#seq -= 1;
      this.lastFrame = before;
    }
    yield* writeBlocks(geometry, lsn, this.#frameBuffer.subarray(0, blocks * geometry.blockBytes));
`,
      },
    ],
    tests: ['shared/ring/crash-points.test.ts'],
  },
  {
    name: 'no-anchor-after-opening',
    breaks: 'I2: the first frame after opening waits for the anchor; A3: an opener shows itself in the superblock',
    edits: [{ file: 'shared/ring/opening.ts', find: '  yield* writer.writeAnchor(0);\n', replace: '' }],
    tests: ['shared/ring/ring.test.ts'],
  },
  {
    name: 'anchor-never-moves',
    breaks: 'I5: the frame that a superblock points to is never overwritten',
    edits: [
      {
        file: 'shared/ring/ring.ts',
        find: '    if (this.#log.anchorIsFar) return this.#run(this.#log.writeAnchor(0), () => {});\n',
        replace: '',
      },
    ],
    tests: ['shared/ring/ring-life.test.ts', 'hardware-sim/ring-torture.test.ts'],
  },
  {
    name: 'no-probe',
    breaks: 'A6: damage in the middle is told from the end of the log',
    edits: [
      {
        file: 'shared/ring/log-walk.ts',
        find: '(yield* probe(log, { lsn: next.lsn, end: Math.min(next.lsn + 1 + window, limit) }, wanted));',
        replace: 'undefined;',
      },
    ],
    tests: ['shared/ring/damage.test.ts'],
  },
  {
    name: 'one-torn-frame-dropped',
    breaks: 'a torn OPEN frame proves nothing: the frame before it is looked at too',
    edits: [
      {
        file: 'shared/ring/recovery.ts',
        find: "if (tip.kind !== 'open') isProven = true;",
        replace: "if (tip.kind !== 'open' || tornBlocks === 0) isProven = true;",
      },
    ],
    tests: ['shared/ring/sync-failure.test.ts', 'hardware-sim/ring-torture.test.ts'],
  },
  {
    name: 'place-and-number-unchecked',
    breaks: 'I3: a frame holds only at its own place, with the next number, behind its predecessor',
    edits: [
      {
        file: 'shared/ring/frame-layout.ts',
        find: ' || getUint53(view, 16) !== lsn) return undefined;',
        replace: ') return undefined;',
      },
      {
        file: 'shared/ring/log-stretch.ts',
        find: '    if (frame.lsn !== next.lsn || (next.seq !== undefined && frame.seq !== next.seq)) return false;\n',
        replace: '    if (frame.lsn !== next.lsn) return false;\n',
      },
      { file: 'shared/ring/log-stretch.ts', find: ' && frame.prevCrc === last.crc);', replace: ');' },
      {
        file: 'shared/ring/log-walk.ts',
        find: 'return seq >= seqMin && seq <= seqMax && epoch',
        replace: 'void [seq, seqMin, seqMax];\n  return epoch',
      },
    ],
    tests: ['shared/ring/ring.test.ts', 'hardware-sim/ring-torture.test.ts'],
  },
  {
    name: 'predecessor-unchecked',
    breaks: 'I3: what stands in the place of a frame that only a cache held is not taken for it',
    edits: [
      { file: 'shared/ring/log-stretch.ts', find: ' && frame.prevCrc === last.crc);', replace: ');' },
      { file: 'shared/ring/log-stretch.ts', find: ' && frame.prevCrc !== last.crc;', replace: ' && frame === undefined;' },
    ],
    tests: ['shared/ring/given-up.test.ts'],
  },
  {
    name: 'epoch-stays',
    breaks: 'I3: futures that were given up are told by their epoch',
    edits: [
      {
        file: 'shared/ring/log-writer.ts',
        find: 'const epoch = Math.max(superblock.epoch, last?.epoch ?? 0) + 1;',
        replace: 'const epoch = Math.max(superblock.epoch, last?.epoch ?? 0, 1);',
      },
    ],
    tests: ['shared/ring/damage.test.ts', 'shared/ring/given-up.test.ts'],
  },
  {
    name: 'meta-not-live',
    breaks: 'META is always live: it survives any number of laps',
    edits: [
      {
        file: 'shared/ring/live-set.ts',
        find: '          if (old !== undefined) this.log.lose(old);\n',
        replace: '          void old;\n',
      },
      { file: 'shared/ring/live-set.ts', find: '          if (entry.value !== undefined) this.log.gain(lsn);\n', replace: '' },
    ],
    tests: ['shared/ring/ring.test.ts'],
  },
  {
    name: 'copy-forgets-state',
    breaks: 'I7: a copy says all there is to say of its message',
    edits: [
      { file: 'shared/ring/message-index.ts', find: 'deliveryCount: this.deliveryCount(slot),', replace: 'deliveryCount: 0,' },
    ],
    tests: ['shared/ring/ring.test.ts'],
  },
  {
    name: 'copied-beside-its-end',
    breaks: 'I7: the ACK of a message lies behind every copy of it',
    edits: [
      {
        file: 'shared/ring/cleaner.ts',
        find: 'this.#victims.length === 0 ? NOTHING_ENDED : endedBy(beside);',
        replace: 'endedBy(beside).size < 0 ? endedBy(beside) : NOTHING_ENDED;',
      },
    ],
    tests: ['shared/ring/ring-life.test.ts', 'hardware-sim/ring-torture.test.ts'],
  },
  {
    name: 'durable-tail-unproven',
    breaks: 'I1: no block from the tail of the last proven frame on is overwritten',
    edits: [
      {
        file: 'shared/ring/log-writer.ts',
        find: 'this.durableTailLsn = Math.min(found.durableTailLsn, live.log.tailLsn);',
        replace: 'this.durableTailLsn = live.log.tailLsn;',
      },
    ],
    tests: ['shared/ring/sync-failure.test.ts', 'hardware-sim/ring-torture.test.ts'],
  },
  {
    name: 'reserve-too-small',
    breaks: 'I8: an opening and the cleaner always find room',
    edits: [
      {
        file: 'shared/ring/reserve.ts',
        find: 'if (freeBlocks >= (RESERVE_FRAMES + 1) * frame) return',
        replace: 'if (freeBlocks >= frame + frame / RESERVE_FRAMES) return',
      },
    ],
    tests: ['shared/ring/full-ring.test.ts'],
  },
  {
    name: 'live-cap-ignored',
    breaks: 'I9: live bytes stay below what cleaning can gain from',
    edits: [
      {
        file: 'shared/ring/room.ts',
        find: 'const isFull = bytesUsed + bytesNeeded > bytesLimit;',
        replace: 'const isFull = bytesUsed + bytesNeeded > 4 * bytesLimit;',
      },
    ],
    tests: ['shared/ring/full-ring.test.ts'],
  },
  {
    name: 'failed-write-ignored',
    breaks: 'fail-stop: a failed write ends the ring, it is never taken for done',
    edits: [
      {
        file: 'shared/ring/file-io.ts',
        find: "      if (input.kind === 'failed') {\n",
        replace: "      if (input.kind === 'failed' && input.reason === '') {\n",
      },
    ],
    tests: ['shared/ring/sync-failure.test.ts'],
  },
  {
    name: 'fence-unchecked',
    breaks: 'A3: an owner that was overtaken writes nothing any more',
    edits: [{ file: 'shared/ring/file-io.ts', find: 'fence: this.fence });', replace: 'fence: undefined });' }],
    tests: ['shared/ring/ring.test.ts'],
  },
  {
    name: 'short-write-ignored',
    breaks: 'done means that all of the bytes are on the medium',
    edits: [
      {
        file: 'shared/node/ring-file.ts',
        find: 'for (let done = 0; done < bytes.length; ) done += some(await writeSome(fd, bytes.subarray(done), offset + done));',
        replace: 'some(await writeSome(fd, bytes, offset));',
      },
    ],
    tests: ['shared/node/short-write.test.ts'],
  },
  {
    name: 'ids-from-what-lives',
    breaks: 'I10: an id never means two messages',
    edits: [
      {
        file: 'shared/ring/log-writer.ts',
        find: 'const nextId = Math.max(superblock.nextId, last?.nextId ?? 1);',
        replace: 'const nextId = Math.max(0, ...[...live.index.slots()].map((slot) => live.index.id(slot))) + 1;',
      },
    ],
    tests: ['shared/ring/ids.test.ts'],
  },
  {
    name: 'id-floor-ignored',
    breaks: 'I10, also when the frame at the anchor is lost',
    edits: [
      {
        file: 'shared/ring/log-writer.ts',
        find: 'const nextId = Math.max(superblock.nextId, last?.nextId ?? 1);',
        replace: 'const nextId = last?.nextId ?? superblock.nextId;',
      },
    ],
    tests: ['shared/ring/ids.test.ts'],
  },
  {
    name: 'queue-time-from-the-clock',
    breaks: 'I12: queue time never falls along the log',
    edits: [
      {
        file: 'shared/ring/log-writer.ts',
        find: 'this.#clockOffsetMs ??= this.#queueTimeMs - nowMs;',
        replace: 'this.#clockOffsetMs = 0;',
      },
      {
        file: 'shared/ring/log-writer.ts',
        find: 'this.#queueTimeMs = Math.max(this.#queueTimeMs, Math.floor(nowMs + this.#clockOffsetMs));',
        replace: 'this.#queueTimeMs = Math.floor(nowMs + this.#clockOffsetMs);',
      },
    ],
    tests: ['shared/ring/ring.test.ts'],
  },
  {
    name: 'gap-unreported',
    breaks: 'every loss is counted: opening says what damage it stepped over',
    edits: [{ file: 'shared/ring/log-stretch.ts', find: '    this.#gaps.push({ gap, seq: seq ?? 0 });\n', replace: '' }],
    tests: ['shared/ring/damage.test.ts'],
  },
  {
    name: 'body-unchecked',
    breaks: 'a body that is damaged, or was overwritten while it was read, is never given out',
    edits: [
      {
        file: 'shared/ring/ring.ts',
        find: ' && this.#log.checksum(body) === index.bodyCrc(now)) {',
        replace: ') {',
      },
    ],
    tests: ['shared/ring/ring.test.ts'],
  },
  {
    name: 'rotten-body-copied-as-it-is',
    breaks: "a body that rotted stays its own message's trouble, also in the last frame",
    edits: [
      {
        file: 'shared/ring/cleaner.ts',
        find: 'return bodyCrc === entry.bodyCrc ? entry : { ...entry, damaged: true, bodyCrc };',
        replace: 'return bodyCrc === entry.bodyCrc ? entry : { ...entry };',
      },
    ],
    tests: ['shared/ring/damage.test.ts'],
  },
  {
    name: 'not-bound-to-its-file',
    breaks: 'I3: frames of other files, and those inside messages, are none',
    edits: [{ file: 'shared/ring/recovery.ts', find: 'seed: checksum(superblock.fileId, 0),', replace: 'seed: 0,' }],
    tests: ['test/ring-golden.test.ts'],
  },
  {
    name: 'tombstone-dropped',
    breaks: 'a META value that was deleted stays deleted',
    edits: [
      {
        file: 'shared/ring/entry-layout.ts',
        find: 'view.setUint8(at + 1, entry.value === undefined ? 1 : 0);',
        replace: 'view.setUint8(at + 1, 0);',
      },
    ],
    tests: ['shared/ring/crash-points.test.ts'],
  },
  {
    name: 'dead-victims-wait',
    breaks: 'liveness: what died before it was copied keeps nobody from cleaning further',
    edits: [
      {
        file: 'shared/ring/cleaner.ts',
        find: 'first && this.#liveBytes(first, NOTHING_ENDED) === 0;',
        replace: 'first === null;',
      },
    ],
    tests: ['shared/ring/died-waiting.test.ts'],
  },
  {
    name: 'anchor-stand-in-by-place',
    breaks: 'a frame that was given up is not taken for the newest before a damaged anchor',
    edits: [
      {
        file: 'shared/ring/log-walk.ts',
        find: 'isWanted(frame, wanted) && isNewer(frame, newest)) newest = frame;',
        replace:
          'isWanted(frame, wanted) && frame.lsn > (newest?.lsn ?? 0)) newest = isNewer(frame, undefined) ? frame : newest;',
      },
    ],
    tests: ['shared/ring/given-up.test.ts'],
  },
];
