"""Reads ring files of format 1.0 and says as JSON what a ring opened on them would hold, one line per file. Written from
docs/ring-file.md alone, so it shares no mistake with the implementation in TypeScript. It never writes to the files.

  python3 read-ring.py FILE...      ends with 1 and a message at the first file that is no ring
"""

import hashlib
import json
import struct
import sys
import zlib

MAGIC, FRAME_MAGIC = b"\x89RMR\r\n\x1a\n", b"RMF1"
DATA, OPEN, COPIES = 0, 1, 2
PUT, ACK, ACKR, STATE, META, NOTES = 1, 2, 3, 4, 6, 128
HEADER, PUT_BYTES = 64, 64
# How far the walk looks for a later frame behind a place where none follows.
LOOK_AHEAD = 1024 * 1024
# A longer body is told as its SHA-256.
HEX_MAX = 64
SUPERBLOCK_FIELDS = ("crc", "formatMajor", "formatMinor", "fileId", "blockBytes", "frameBlocksMax", "blockCount", "incompatible",
                     "compatible", "generation", "copy", "epoch", "flags", "anchorLsn", "anchorSeq", "anchorCrc", "livePermille",
                     "cleanDivisor", "nextId", "queueTimeMs", "wallClock", "bootMs", "bootId")


class NoRing(Exception):
    pass


def number(data, offset, length):
    return int.from_bytes(data[offset:offset + length], "little")


def up(value, unit):
    return -(-value // unit) * unit


# Superblock


def superblock_at(data, offset, copy, block_bytes):
    block = data[offset:offset + 256]
    if offset < 0 or len(block) < 256 or block[:8] != MAGIC or zlib.crc32(block[12:]) != number(block, 8, 4):
        return None
    found = dict(zip(SUPERBLOCK_FIELDS, struct.unpack_from("<IHH16sIIQIIIIIIQQIHHQQQQ16s", block, 8)))
    # Copy 0 lies at byte 0 for every B, so a copy counts only for the B that it names.
    stands = found["copy"] == copy and found["generation"] % 2 == copy % 2 and found["blockBytes"] == block_bytes
    return found if stands else None


def superblock_of(data):
    for block_bytes in (1 << bits for bits in range(9, 17)):
        offsets = (0, block_bytes, len(data) - 2 * block_bytes, len(data) - block_bytes)
        copies = [superblock_at(data, offset, copy, block_bytes) for copy, offset in enumerate(offsets)]
        copies = [copy for copy in copies if copy]
        if not copies:
            continue
        best = max(copies, key=lambda copy: copy["generation"])
        check(best, len(data))
        return best
    raise NoRing("no whole superblock")


def check(sb, size):
    n, f_max, per_mille, divisor = (sb[key] for key in ("blockCount", "frameBlocksMax", "livePermille", "cleanDivisor"))
    if sb["formatMajor"] != 1:
        raise NoRing(f"format {sb['formatMajor']}")
    if sb["incompatible"]:
        raise NoRing(f"unknown features {sb['incompatible']:#x}")
    if size != (n + 4) * sb["blockBytes"]:
        raise NoRing(f"{size} bytes instead of {(n + 4) * sb['blockBytes']}")
    if n < 384 or f_max < 4 or f_max * sb["blockBytes"] > 512 * 1024 or not 0 < per_mille < 500 or divisor == 0:
        raise NoRing("impossible geometry")


# Frames


class Frame:
    def __init__(self, header):
        (self.crc, self.epoch, self.kind, _, self.entry_count, self.lsn, self.seq, self.prev_crc, self.dir_bytes, self.body_bytes,
         self.tail_delta) = struct.unpack_from("<IIBBHQQIIII", header, 4)
        self.next_id, self.relogged, self.queue_time = number(header, 48, 6), number(header, 54, 2), number(header, 56, 6)
        self.entries = []
        self.is_whole = True

    def follows(self, last):
        """I3."""
        return (self.lsn == last.end and self.seq == last.seq + 1 and self.epoch >= last.epoch and self.prev_crc == last.crc)

    @property
    def tail(self):
        return self.lsn - self.tail_delta

    def is_later_than(self, last):
        return self.seq > last.seq and self.epoch >= last.epoch


class NoFrame:
    """Stands before the first frame that is there: everything is later than it."""
    seq, epoch, next_id, crc, is_whole, kind, relogged = 0, 0, 1, 0, True, None, 0

    def __init__(self, end):
        self.lsn = self.end = end


class Log:
    def __init__(self, data, sb):
        self.data, self.sb = data, sb
        self.n, self.block_bytes, self.f_max = sb["blockCount"], sb["blockBytes"], sb["frameBlocksMax"]
        self.seed = zlib.crc32(sb["fileId"])
        self.gaps = []
        self.torn_blocks = 0
        self.known = {}
        self.frames = self.recover()

    def bytes_at(self, lsn, offset, length):
        """Bytes of a frame, which may wrap from the end of the ring to its start."""
        ring = self.n * self.block_bytes
        start = (lsn % self.n * self.block_bytes + offset) % ring
        base = 2 * self.block_bytes
        first = self.data[base + start:base + min(start + length, ring)]
        return first + self.data[base:base + length - len(first)]

    def frame_at(self, lsn):
        if lsn not in self.known:
            self.known[lsn] = self.parse(lsn)
        return self.known[lsn]

    def parse(self, lsn):
        header = self.bytes_at(lsn, 0, HEADER)
        if header[:4] != FRAME_MAGIC or number(header, 16, 8) != lsn:
            return None
        frame = Frame(header)
        blocks = up(HEADER + frame.dir_bytes + frame.body_bytes, self.block_bytes) // self.block_bytes
        # No length is used before the checksum that covers it: of these two, at least that they are possible.
        if blocks > self.f_max or frame.kind > COPIES:
            return None
        directory = self.bytes_at(lsn, HEADER, frame.dir_bytes)
        if zlib.crc32(header[8:] + directory, self.seed) != frame.crc:
            return None
        frame.blocks, frame.end = blocks, lsn + blocks
        entries = entries_of(directory, frame.entry_count)
        if entries is None or sum(entry["bodyBytes"] for entry in entries if entry["type"] == PUT) != frame.body_bytes:
            return None
        frame.entries = entries
        offset = HEADER + frame.dir_bytes
        for entry in entries:
            if entry["type"] == PUT:
                entry["body"] = self.bytes_at(lsn, offset, entry["bodyBytes"])
                offset += entry["bodyBytes"]
                entry["isWhole"] = zlib.crc32(entry["body"], self.seed) == entry["bodyCrc"]
                frame.is_whole = frame.is_whole and entry["isWhole"]
        return frame

    # Opening, steps 2 to 4

    def recover(self):
        anchor, later = self.anchor()
        if anchor is None:
            return []
        frames = self.walk([anchor], later)
        self.torn_blocks = self.begun_blocks(frames[-1])
        # A frame that nothing follows is not proven: it counts only whole. One that another kind follows than OPEN is proven by that.
        while len(frames) > 1 and not frames[-1].is_whole:
            dropped = frames.pop()
            self.torn_blocks += dropped.blocks
            if dropped.kind != OPEN:
                break
        tail = frames[-1].tail
        if tail < anchor.lsn:
            frames = self.walk_to_anchor(tail, anchor) + frames[1:]
        return [frame for frame in frames if frame.lsn >= tail]

    def begun_blocks(self, last):
        """Of a frame behind the last one of which the header is there and the directory is not: nothing but their number is used."""
        header = self.bytes_at(last.end, 0, HEADER)
        frame = Frame(header)
        if header[:4] != FRAME_MAGIC or frame.lsn != last.end or frame.seq != last.seq + 1:
            return 0
        blocks = up(HEADER + frame.dir_bytes + frame.body_bytes, self.block_bytes) // self.block_bytes
        return blocks if blocks <= self.f_max else 0

    def anchor(self):
        """The frame that is proven, and where the walk goes on when that is not directly behind it."""
        lsn, seq = self.sb["anchorLsn"], self.sb["anchorSeq"]
        named = self.frame_at(lsn)
        if named and named.seq == seq and named.crc == self.sb["anchorCrc"]:
            return named, None
        before = [frame for frame in map(self.frame_at, range(max(0, lsn - self.n + 1), lsn)) if frame and frame.end <= lsn]
        newest = max((frame for frame in before if frame.seq < seq), key=lambda frame: (frame.epoch, frame.seq), default=None)
        start = newest or NoFrame(lsn)
        later = self.search(start, lsn, lsn + self.n)
        if newest is None:
            # In a new file the anchor is not there yet; the first frame may be.
            if later and later.seq > 1:
                self.gap(start, later)
            return later, None
        if later is None and newest.seq < seq:
            # The anchor itself was there; its number and the next id are known.
            lost = NoFrame(lsn)
            lost.seq, lost.next_id, lost.entries = seq + 1, self.sb["nextId"], []
            self.gap(newest, lost)
        return newest, later

    def search(self, last, start, end, fits=lambda frame: True):
        for lsn in range(start, end):
            frame = self.frame_at(lsn)
            if frame and frame.is_later_than(last) and fits(frame):
                return frame
        return None

    def walk(self, frames, later):
        while True:
            last = frames[-1]
            after = self.frame_at(last.end)
            if later is None and after and after.follows(last):
                self.follow(frames, after)
                continue
            later = later or self.later(last, last.end + max(2 * self.f_max, LOOK_AHEAD // self.block_bytes))
            if later is None or not self.join(frames, later, is_proven=False):
                return frames
            later = None

    def walk_to_anchor(self, tail, anchor):
        """All that lies there is proven: the later of two frames is always right."""
        frames = [NoFrame(tail)]
        fits = lambda frame: frame.end <= anchor.lsn and frame.seq < anchor.seq and frame.epoch <= anchor.epoch
        while True:
            last = frames[-1]
            if anchor.follows(last):
                self.follow(frames, anchor)
                break
            after = self.frame_at(last.end)
            if after and after.follows(last) and fits(after):
                self.follow(frames, after)
                continue
            later = self.later(last, anchor.lsn, fits)
            self.join(frames, later or anchor, is_proven=True)
            if later is None:
                break
        return [frame for frame in frames if not isinstance(frame, NoFrame)]

    def later(self, last, end, fits=lambda frame: True):
        within = None if last.is_whole else self.search(last, last.lsn + 1, last.end, fits)
        return within or self.search(last, last.end, min(end, last.end + self.n), fits)

    def join(self, frames, frame, is_proven):
        """Puts a frame behind others that it does not follow. False: the log ends before it."""
        if frame.is_whole and frame.relogged and frames[-1].seq + 1 >= frame.seq - frame.relogged:
            self.say_again(frames, frame)
            return True
        while not isinstance(frames[-1], NoFrame):
            last = frames[-1]
            is_rival = frame.lsn < last.end or (frame.seq == last.seq + 1 and frame.prev_crc != last.crc)
            if not is_rival:
                break
            if not is_proven and (len(frames) == 1 or frame.epoch == last.epoch or not frame.is_whole):
                return False
            frames.pop()
            if not frames:
                break
        is_at_tail = isinstance(frames[-1], NoFrame) and frame.lsn == frames[-1].end
        if not is_at_tail and frame.seq > frames[-1].seq + 1:
            self.gap(frames[-1], frame)
        frames.append(frame)
        return True

    def follow(self, frames, frame):
        # Also one that follows may say again what was missed further up: the frame before it may be an OPEN frame that was torn.
        if frame.is_whole and frame.relogged and self.gaps:
            self.say_again(frames, frame)
        else:
            frames.append(frame)

    def say_again(self, frames, frame):
        """What stands in the place of frames that are said again is older than it looks, and what was missed of them is not missing."""
        first = frame.seq - frame.relogged
        while len(frames) > 1 and frames[-1].seq >= first:
            frames.pop()
        self.gaps = [gap for gap in self.gaps if gap["first"] < first or gap["before"].seq > frame.seq]
        frames.append(frame)

    def gap(self, last, frame):
        # Messages of the frame itself were given ids too.
        first_new = min([entry["id"] for entry in frame.entries if entry["type"] == PUT and not entry["isCopy"]], default=frame.next_id)
        is_known = not isinstance(last, NoFrame)
        self.gaps.append({"before": frame, "first": last.seq + 1, "frames": frame.seq - last.seq - 1 if is_known else None,
                          "ids": range(last.next_id, first_new) if is_known else None})

    def told_gaps(self):
        """An id that was given out in a gap is lost unless a later frame holds a copy of its message. Null: nobody knows."""
        told = []
        for gap in sorted(self.gaps, key=lambda gap: gap["before"].lsn):
            later = {entry["id"] for frame in self.frames if frame.lsn >= gap["before"].lsn for entry in frame.entries
                     if entry["type"] == PUT}
            ids = None if gap["ids"] is None else sum(1 for id in gap["ids"] if id not in later)
            told.append({"frames": gap["frames"], "ids": ids})
        return told


def entries_of(directory, count):
    """None when the entries do not fill the directory exactly, or one is of an unknown type."""
    entries, at = [], 0
    for _ in range(count):
        if at + 8 > len(directory):
            return None
        kind = directory[at]
        if kind == META:
            key_bytes, value_bytes = struct.unpack_from("<HI", directory, at + 2)
            length = up(8 + key_bytes + value_bytes, 8)
        elif kind >= NOTES:
            length = max(8, up(number(directory, at + 2, 2), 8))
        elif kind in (PUT, ACK, ACKR, STATE):
            length = {PUT: PUT_BYTES, ACK: 8, ACKR: 16, STATE: 24}[kind]
        else:
            return None
        if at + length > len(directory):
            return None
        entries.append(entry_of(kind, directory[at:at + length]))
        # A holder is a message, with an id from 1.
        if entries[-1].get("holder", 1) < 0 or (kind == PUT and entries[-1]["flags"] & 128 and entries[-1]["holder"] == 0):
            return None
        at += length
    return entries if at == len(directory) else None


def entry_of(kind, data):
    if kind == PUT:
        names = ("type", "flags", "deliveryCount", "queue")
        entry = dict(zip(names, struct.unpack_from("<BBHI", data)))
        entry.update(zip(("bodyBytes", "bodyCrc", "stream", "epochCounter", "epochRandom"), struct.unpack_from("<IIIII", data, 16)))
        entry.update(id=number(data, 8, 6), number=number(data, 38, 6), storedAt=number(data, 44, 6), expiresAt=number(data, 50, 6),
                     notBefore=number(data, 56, 6), moveCount=number(data, 14, 2), priority=entry["flags"] & 7, isCopy=bool(entry["flags"] & 8),
                     damaged=bool(entry["flags"] & 32))
        distance = number(data, 36, 2) + (number(data, 62, 2) << 16)
        entry["holder"] = entry["id"] - distance if entry["flags"] & 128 else 0
        return entry
    if kind in (ACK, ACKR):
        return {"type": ACK, "id": number(data, 2, 6), "count": number(data, 8, 4) if kind == ACKR else 1}
    if kind == STATE:
        return {"type": STATE, "priority": data[1], "deliveryCount": number(data, 2, 2), "queue": number(data, 4, 4),
                "id": number(data, 8, 6), "moveCount": number(data, 14, 2), "notBefore": number(data, 16, 6)}
    if kind == META:
        key_bytes, value_bytes = struct.unpack_from("<HI", data, 2)
        key = data[8:8 + key_bytes].decode("utf-8", "replace")
        return {"type": META, "isGone": bool(data[1] & 1), "key": key, "value": data[8 + key_bytes:8 + key_bytes + value_bytes]}
    return {"type": kind}


def apply(frames):
    messages, metas = {}, {}
    for entry in (entry for frame in frames for entry in frame.entries):
        if entry["type"] == PUT:
            messages[entry["id"]] = entry
        elif entry["type"] == ACK:
            for id in range(entry["id"], entry["id"] + entry["count"]):
                messages.pop(id, None)
        elif entry["type"] == STATE and entry["id"] in messages:
            before = messages[entry["id"]]
            told = {key: entry[key] for key in ("deliveryCount", "moveCount", "notBefore")}
            if entry["queue"] and before["queue"]:
                told["queue"] = entry["queue"]
            messages[entry["id"]] = {**before, **told}
        elif entry["type"] == META:
            metas[entry["key"]] = entry["value"]
            if entry["isGone"]:
                del metas[entry["key"]]
    # A holder of which no place is left is nobody's.
    held = {entry["holder"] for entry in messages.values() if entry["holder"] not in (0, entry["id"])}
    messages = {id: entry for id, entry in messages.items() if entry["holder"] != id or id in held}
    return messages, metas


def shown(entry):
    keys = ("id", "queue", "priority", "stream", "number", "epochCounter", "epochRandom", "deliveryCount", "moveCount", "storedAt",
            "expiresAt", "notBefore", "damaged", "holder")
    message = {key: entry[key] for key in keys}
    if entry["damaged"] or not entry["isWhole"]:
        message["bodyHex"] = None  # corrupt: nobody knows what was stored
    elif entry["bodyBytes"] <= HEX_MAX:
        message["bodyHex"] = entry["body"].hex()
    else:
        message["bodySha256"] = hashlib.sha256(entry["body"]).hexdigest()
    return message


def read_ring(data):
    sb = superblock_of(data)
    log = Log(data, sb)
    messages, metas = apply(log.frames)
    last = log.frames[-1] if log.frames else None
    newest = lambda key, of_frame: max(sb[key], of_frame) if last else sb[key]
    return {
        "superblock": {key: value.hex() if isinstance(value, bytes) else value for key, value in sb.items()},
        "epoch": newest("epoch", last and last.epoch),
        "nextId": newest("nextId", last and last.next_id),
        "queueTimeMs": newest("queueTimeMs", last and last.queue_time),
        "messages": [shown(messages[id]) for id in sorted(messages)],
        "metas": {key: value.hex() for key, value in metas.items()},
        "gaps": log.told_gaps(),
        "tornBlocks": log.torn_blocks,
    }


def main(paths):
    for path in paths:
        try:
            with open(path, "rb") as file:
                print(json.dumps(read_ring(file.read()), sort_keys=True))
        except (NoRing, OSError) as error:
            sys.exit(f"{path}: {error}")


main(sys.argv[1:])
