"""Writes the golden ring files of format 1.0 from docs/ring-file.md alone: an implementation of the format that shares nothing with
the one in TypeScript. Run in this folder: python3 make-ring-v1.py. The files are only ever added to, never changed.

  ring-v1-clean.ring.gz    created, opened, five commits, closed clean
  ring-v1-killed.ring.gz   the same without the close, and a sixth commit of which only the first half reached the medium
"""

import gzip
import struct
import zlib

B, N, F_MAX = 512, 384, 16
FILE_ID = bytes(range(16))
SEED = zlib.crc32(FILE_ID)
EPOCH_RANDOM = 0x11223344
DATA, OPEN = 0, 1


def u48(value):
    return struct.pack("<Q", value)[:6]


def padded(data, unit=8):
    return data + bytes(-len(data) % unit)


def superblock(generation, copy, epoch, flags, anchor_lsn, anchor_seq, anchor_crc, next_id, queue_time):
    rest = struct.pack("<HH16sIIQIIIIIIQQIHHQQ", 1, 0, FILE_ID, B, F_MAX, N, 0, 0, generation, copy, epoch, flags,
                       anchor_lsn, anchor_seq, anchor_crc, 400, 4, next_id, queue_time)
    rest = rest.ljust(256 - 12, b"\0")
    return (b"\x89RMR\r\n\x1a\n" + struct.pack("<I", zlib.crc32(rest)) + rest).ljust(B, b"\0")


def put(id, body, queue=7, priority=3, copy=0, deliveries=0, stream=9, number=1, stored=0, expires=0, not_before=0):
    entry = struct.pack("<BBHI", 1, priority | copy << 3, deliveries, queue) + u48(id) + bytes(2)
    entry += struct.pack("<IIIII", len(body), zlib.crc32(body, SEED), stream, 1, EPOCH_RANDOM) + bytes(2)
    entry += u48(number) + u48(stored) + u48(expires) + u48(not_before) + bytes(2)
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

    def write_frame(self, kind, tail, next_id, queue_time, entries, part=None):
        data, crc = frame(kind, self.lsn, self.seq, self.crc, tail, next_id, queue_time, entries)
        offset = (2 + self.lsn % N) * B
        written = data[:part]
        self.bytes[offset:offset + len(written)] = written
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
