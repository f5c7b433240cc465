"""Writes the golden ring files of format 1.0 from docs/ring-file.md alone: an implementation of the format that shares nothing with
the one in TypeScript. Run in this folder: python3 make-ring-v1.py. The files are only ever added to, never changed.

  ring-v1-clean.ring.gz    created, opened, five commits, closed clean
  ring-v1-killed.ring.gz   the same without the close, and a sixth commit of which only the first half reached the medium
  ring-v1-lapped.ring.gz   more than one lap with everything the others lack: a boot clock, notes, a damaged message, acknowledgements of
                           thousands, a COPIES frame, a frame over the end of the ring, two OPEN frames that say frames again
  ring-v1-shared.ring.gz   bodies that several messages share: one with two of three places left, one that ended, one that nobody has
"""

import gzip
import struct
import zlib

B, N, F_MAX = 512, 384, 16
FILE_ID = bytes(range(16))
SEED = zlib.crc32(FILE_ID)
EPOCH_RANDOM = 0x11223344
DATA, OPEN, COPIES = 0, 1, 2


def u48(value):
    return struct.pack("<Q", value)[:6]


def padded(data, unit=8):
    return data + bytes(-len(data) % unit)


def superblock(generation, copy, epoch, flags, anchor_lsn, anchor_seq, anchor_crc, next_id, queue_time, boot_ms=0, boot_id=bytes(16)):
    rest = struct.pack("<HH16sIIQIIIIIIQQIHHQQQQ16s", 1, 0, FILE_ID, B, F_MAX, N, 0, 0, generation, copy, epoch, flags,
                       anchor_lsn, anchor_seq, anchor_crc, 400, 4, next_id, queue_time, 0, boot_ms, boot_id)
    rest = rest.ljust(256 - 12, b"\0")
    return (b"\x89RMR\r\n\x1a\n" + struct.pack("<I", zlib.crc32(rest)) + rest).ljust(B, b"\0")


def put(id, body, queue=7, priority=3, copy=0, damaged=0, deliveries=0, stream=9, number=1, stored=0, expires=0, not_before=0,
        holder=None):
    # 0 away from its holder: it is one.
    distance = 0 if holder is None else id - holder
    entry = struct.pack("<BBHI", 1, priority | copy << 3 | damaged << 5 | (holder is not None) << 7, deliveries, queue) + u48(id) + bytes(2)
    entry += struct.pack("<IIIII", len(body), zlib.crc32(body, SEED), stream, 1, EPOCH_RANDOM)
    entry += struct.pack("<H", distance & 0xFFFF) + u48(number) + u48(stored) + u48(expires) + u48(not_before)
    entry += struct.pack("<H", distance >> 16)
    return entry, body


def ack(reason, id, count=1):
    if count == 1:
        return struct.pack("<BB", 2, reason) + u48(id), b""
    return struct.pack("<BB", 3, reason) + u48(id) + struct.pack("<II", count, 0), b""


def state(id, priority, deliveries, queue, not_before):
    return struct.pack("<BBHI", 4, priority, deliveries, queue) + u48(id) + bytes(2) + u48(not_before) + bytes(2), b""


def meta(key, value):
    head = struct.pack("<BBHI", 6, value is None, len(key), len(value or b""))
    return padded(head + key + (value or b"")), b""


def note(type, text):
    # Their length in bytes 2 and 3 is that of the whole entry.
    return padded(struct.pack("<BBHI", type, 0, 8 + len(text), 0) + text), b""


def frame(kind, lsn, seq, prev_crc, tail, next_id, queue_time, entries, relogged=0, epoch=1):
    directory = b"".join(entry for entry, _ in entries)
    bodies = b"".join(body for _, body in entries)
    header = struct.pack("<IBBHQQIIII", epoch, kind, 0, len(entries), lsn, seq, prev_crc, len(directory), len(bodies), lsn - tail)
    header += u48(next_id) + struct.pack("<H", relogged) + u48(queue_time) + bytes(2)
    crc = zlib.crc32(header + directory, SEED)
    return padded(b"RMF1" + struct.pack("<I", crc) + header + directory + bodies, B), crc


class File:
    def __init__(self):
        self.bytes = bytearray((N + 4) * B)
        self.lsn, self.seq, self.crc = N, 1, 0

    def write_superblock(self, generation, *fields):
        for copy in (generation & 1, (generation & 1) + 2):
            offset = copy * B if copy < 2 else (N + copy) * B
            self.bytes[offset:offset + B] = superblock(generation, copy, *fields)

    def write_frame(self, kind, tail, next_id, queue_time, entries, part=None, relogged=0, epoch=1):
        data, crc = frame(kind, self.lsn, self.seq, self.crc, tail, next_id, queue_time, entries, relogged, epoch)
        start = self.lsn % N * B
        written = data[:part]
        # What does not fit before the end of the ring goes to its start.
        before_end = written[:N * B - start]
        self.bytes[2 * B + start:2 * B + start + len(before_end)] = before_end
        self.bytes[2 * B:2 * B + len(written) - len(before_end)] = written[len(before_end):]
        where = self.lsn
        self.lsn, self.seq, self.crc = self.lsn + len(data) // B, self.seq + 1, crc
        return where

    def save(self, name):
        with open(name, "wb") as out:
            with gzip.GzipFile(fileobj=out, mode="wb", filename="", mtime=0) as zipped:
                zipped.write(self.bytes)


LARGE = bytes(i * 7 & 255 for i in range(1500))


def history():
    file = File()
    for generation in (0, 1):
        file.write_superblock(generation, 0, 0, N, 1, 0, 1, 0)
    epoch = struct.pack("<II", 1, EPOCH_RANDOM)
    anchor = file.write_frame(OPEN, N, 1, 0, [meta(b"epoch", epoch)])
    file.write_superblock(2, 1, 0, anchor, 1, file.crc, 1, 0)
    # The epoch in the OPEN frame stays alive, so the tail stays there.
    file.write_frame(DATA, N, 3, 0, [
        put(1, b"hello ring"),
        put(2, LARGE, priority=7, number=2, expires=12345, not_before=50),
        meta(b"cursor", bytes([1, 2, 3, 4])),
    ])
    file.write_frame(DATA, N, 3, 250, [
        ack(0, 1),
        state(2, 7, 2, 7, 99),
        meta(b"cursor", bytes([5, 6])),
        meta("ключ".encode(), b"\xff"),
    ])
    file.write_frame(DATA, N, 6, 250, [put(3, b"", number=3, stored=250), put(4, b"x", number=4, stored=250),
                                       put(5, b"five", queue=0xFFFFFFFF, priority=0, number=5, deliveries=3, stored=250)])
    file.write_frame(DATA, N, 6, 400, [ack(2, 3, 2), meta("ключ".encode(), None)])
    file.write_frame(DATA, N, 7, 400, [put(6, b"six", number=6, stored=400), ack(1, 2)])
    return file


clean = history()
clean.write_superblock(3, 1, 1, clean.lsn - 1, clean.seq - 1, clean.crc, 7, 400)
clean.save("ring-v1-clean.ring.gz")

killed = history()
killed.write_frame(DATA, N, 8, 400, [put(7, LARGE, number=7, stored=400)], part=900)
killed.save("ring-v1-killed.ring.gz")


def epoch_meta(epoch):
    return meta(b"epoch", struct.pack("<II", epoch, EPOCH_RANDOM))


def lapped_history():
    """What is left: 1, 2 (damaged) and 4999 with a state, the message that was not proven, and META `cursor`."""
    file = File()
    file.write_superblock(0, 0, 0, N, 1, 0, 1, 0)
    file.write_frame(OPEN, N, 1, 0, [epoch_meta(1)])
    file.write_frame(DATA, N, 4, 10, [
        put(1, b"kept", stored=10, deliveries=1),
        note(128, b"a note"),
        put(2, b"not what it was", damaged=1, number=2, queue=0, stored=10),
        put(3, b"goes", number=3, stored=10),
        note(255, b""),
        meta(b"cursor", b"one"),
        meta(b"gone", b"soon"),
    ])
    file.write_frame(DATA, N, 5000, 20, [put(4999, LARGE, number=5, stored=20), ack(0, 3), ack(1, 4, 4995)])
    # Filler, each acknowledged by the frame behind it, until what lives at the tail must move so that the ring can come round.
    id = 5000

    def fill(tail):
        nonlocal id
        acks = [ack(3, id - 1)] if id > 5000 else []
        file.write_frame(DATA, tail, id + 1, 30, [put(id, LARGE + LARGE, number=id, stored=30)] + acks)
        id += 1

    while file.lsn < 2 * N - 30:
        fill(N)
    # The originals are free as soon as this is durable.
    start = file.write_frame(COPIES, file.lsn, id, 30, [
        put(1, b"kept", copy=1, deliveries=1, stored=10),
        put(2, b"not what it was", copy=1, damaged=1, number=2, queue=0, stored=10),
        put(4999, LARGE, copy=1, number=5, stored=20),
        put(id - 1, LARGE + LARGE, copy=1, number=id - 1, stored=30),
        meta(b"cursor", b"one"),
        meta(b"gone", b"soon"),
        epoch_meta(1),
    ])
    wraps = 0
    while file.lsn < 2 * N:
        fill(start)
        wraps += file.lsn > 2 * N
    assert wraps == 1
    file.write_frame(DATA, start, id, 40, [ack(3, id - 1), state(4999, 3, 9, 7, 77), meta(b"gone", None)])
    anchor = (file.write_frame(DATA, start, id + 1, 50, [put(id, LARGE, number=id, stored=50)]), file.seq - 1, file.crc)
    file.write_superblock(2, 1, 0, N, 1, 0, 1, 0)
    file.write_superblock(3, 1, 0, *anchor, id + 1, 50, 123456, bytes(range(100, 116)))
    id += 1
    # Not proven when the power went, so the next opening says it again; that one was cut short before its superblock, and so the one
    # after it says both again.
    file.write_frame(DATA, start, id + 1, 60, [put(id, b"unproven", number=id, stored=60), ack(0, id - 1), note(200, b"x" * 9)])
    again = [put(id, b"unproven", copy=1, number=id, stored=60), ack(0, id - 1)]
    file.write_frame(OPEN, start, id + 1, 60, again + [epoch_meta(2)], relogged=1, epoch=2)
    file.write_frame(OPEN, start, id + 1, 70, again + [epoch_meta(3)], relogged=2, epoch=3)
    return file


lapped_history().save("ring-v1-lapped.ring.gz")


def holder(id, body):
    return put(id, body, queue=0, priority=0, stream=0, number=0, holder=id)


def shared_history():
    """What is left: holder 1 with 3 and 4. Places of 70,000 ids behind their holder need both halves of the distance."""
    file = File()
    file.write_superblock(0, 0, 0, N, 1, 0, 1, 0)
    file.write_frame(OPEN, N, 1, 0, [epoch_meta(1)])
    file.write_frame(DATA, N, 5, 0, [
        holder(1, LARGE),
        put(2, b"first", holder=1),
        put(3, b"second", queue=8, number=2, priority=7, holder=1),
        put(4, b"third", queue=0, number=3, holder=1),
    ])
    file.write_frame(DATA, N, 7, 0, [holder(5, b"ends"), put(6, b"with it", number=4, holder=5), ack(0, 2)])
    file.write_frame(DATA, N, 7, 0, [ack(2, 6), ack(0, 5)])
    file.write_frame(DATA, N, 8, 0, [holder(7, b"nobody has it")])
    file.write_frame(DATA, N, 70002, 0, [put(70001, b"far", number=5, holder=1)])
    anchor = file.lsn - 1, file.seq - 1, file.crc
    file.write_superblock(1, 1, 1, *anchor, 70002, 0)
    return file


shared_history().save("ring-v1-shared.ring.gz")
