#!/usr/bin/env python3
"""A central in Python that knows nothing of ringmail but docs/envelope.cddl and docs/mqtt.md: stores, removes repeats, returns receipts.

    foreign_receiver.py DATABASE [HOST [PORT [NAME]]]          127.0.0.1 1883 central where nothing is said

What it takes lies in the table `message` of a SQLite file, once for each identity; gateways free a message when it is there. Needs
paho-mqtt. It does not keep order over two gateways, has no limit, and writes no words back to devices.
"""
import hashlib, hmac, os, sqlite3, sys
import paho.mqtt.client as mqtt
CREDIT_BYTES, DEPTH_MAX, ZERO = 256 * 1024, 16, bytes(8)

def decode(data, at=0, depth=0):
    """One CBOR item of definite length: (value, where it ends). ValueError for anything else."""
    if at >= len(data) or depth > DEPTH_MAX: raise ValueError("no CBOR")
    major, info, at = data[at] >> 5, data[at] & 31, at + 1
    if major == 7 and info in (20, 21): return info == 21, at
    size = 0 if info < 24 else 1 << (info - 24)
    if size > 8 or major > 5 or at + size > len(data): raise ValueError("no CBOR")
    value, at = int.from_bytes(data[at:at + size], "big") if size else info, at + size
    if major < 2: return (value if major == 0 else -1 - value), at
    if value > len(data) - at: raise ValueError("no CBOR")
    if major < 4: return (bytes(data[at:at + value]) if major == 2 else data[at:at + value].decode("utf-8")), at + value
    items = []
    for _ in range(value * (major - 3)):
        item, at = decode(data, at, depth + 1)
        items.append(item)
    return (items if major == 4 else dict(zip(items[::2], items[1::2]))), at
def whole(data):
    value, end = decode(data)
    if end != len(data): raise ValueError("no CBOR")
    return value

def encode(value):
    def head(major, number):
        if number < 24: return bytes([major << 5 | number])
        size = next(size for size in (1, 2, 4, 8) if number < 1 << 8 * size)
        return bytes([major << 5 | 23 + size.bit_length()]) + number.to_bytes(size, "big")
    if isinstance(value, bool): return b"\xf5" if value else b"\xf4"
    if isinstance(value, int): return head(0, value)
    if isinstance(value, (bytes, str)):
        part = value if isinstance(value, bytes) else value.encode()
        return head(2 if value is part else 3, len(part)) + part
    if isinstance(value, dict): return head(5, len(value)) + b"".join(encode(one) for pair in value.items() for one in pair)
    return head(4, len(value)) + b"".join(map(encode, value))
def crc32c(data, crc=0xFFFFFFFF):
    for byte in data: crc = crc >> 8 ^ TABLE[(crc ^ byte) & 255]
    return crc ^ 0xFFFFFFFF
TABLE = list(range(256))
for _ in range(8): TABLE = [value >> 1 ^ (0x82F63B78 if value & 1 else 0) for value in TABLE]

class Receiver:
    def __init__(self, path, name):
        self.name, self.db, self.sessions, self.helloed = name, sqlite3.connect(path, isolation_level=None), {}, {}
        self.db.executescript("""PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
            CREATE TABLE IF NOT EXISTS me (incarnation BLOB, secret BLOB, epoch INT);
            CREATE TABLE IF NOT EXISTS sender (name TEXT, incarnation BLOB, ticket BLOB, PRIMARY KEY (name, incarnation));
            CREATE TABLE IF NOT EXISTS cursor (name TEXT, incarnation BLOB, stream BLOB, next INT, PRIMARY KEY (name, incarnation, stream));
            CREATE TABLE IF NOT EXISTS message (stream BLOB, number INT, origin TEXT, queue TEXT, priority INT, body BLOB, envelope BLOB,
                state TEXT, PRIMARY KEY (stream, number));
            CREATE TABLE IF NOT EXISTS gap (stream BLOB, first INT, last INT, class TEXT, node TEXT);""")
        self.db.execute("INSERT INTO me SELECT ?, ?, 0 WHERE NOT EXISTS (SELECT * FROM me)", (os.urandom(8), os.urandom(16)))
        self.db.execute("UPDATE me SET epoch = epoch + 1")
        self.incarnation, self.secret, epoch = self.db.execute("SELECT * FROM me").fetchone()
        self.epoch, self.hellos = [epoch, int.from_bytes(os.urandom(4), "big")], 0
    def first(self, sql, values, otherwise): return (self.db.execute(sql, values).fetchone() or (otherwise,))[0]
    def ticket(self, before, nonce): return hmac.new(self.secret, before + nonce, hashlib.sha256).digest()[:8]
    def head(self, nonce, kind): return {0: 1, 1: self.name, 2: self.incarnation, 3: nonce, 4: kind}
    def current(self, key): return self.first("SELECT ticket FROM sender WHERE name = ? AND incarnation = ?", key, None)
    def cursor(self, key, stream):
        sql = "SELECT next FROM cursor WHERE name = ? AND incarnation = ? AND stream = ?"
        return self.first(sql, (*key, encode(stream)), 1)
    def sync(self, sender, payload):
        """An offer, and its answer: all that was taken before is on the disk, since each publish is one transaction."""
        offer = whole(payload)
        if offer[0] != 1 or offer[1] != sender or offer[5] != self.name: return None
        key, nonce, attempt = (sender, offer[2]), offer[3], (offer[4], offer[9])
        session, current = self.sessions.get(key), self.current((sender, offer[2]))
        if session and session["attempt"][0] == attempt[0] and attempt[1] < session["attempt"][1]: return None  # an old copy
        if self.ticket(offer[6], nonce) == current: ticket = current  # the offer that made the current one, again
        elif current is None: ticket = self.ticket(ZERO, nonce)  # a stranger, whatever it shows
        elif offer[6] in (current, self.ticket(current, offer[7])): ticket = self.ticket(current, nonce)
        else: return {**self.head(nonce, 0), 5: 1, 6: self.epoch, 7: ZERO, 8: []}  # a fork: never swallowed, never overwritten
        self.sessions[key] = {"nonce": nonce, "attempt": attempt, "ticket": ticket}
        streams = [[*row[:4], self.cursor(key, row[:4]), CREDIT_BYTES] for row in offer[8]]
        return {**self.head(nonce, 0), 5: 0, 6: self.epoch, 7: ticket, 8: streams}
    def publish(self, payload):
        """Items, the ticket of their session and all cursors: one transaction. Returns the sender and a receipt for what is on the disk."""
        header, at = decode(payload)
        if header[0] != 1 or header[5] != crc32c(payload[at:]): return None
        key, nonce, moved = (header[1], header[2]), header[3], {}
        session = self.sessions.get(key)
        if session is None or session["nonce"] != nonce:
            told, self.helloed[key] = self.helloed.get(key), nonce
            return (header[1], self.head(nonce, 2)) if told != nonce else None
        self.db.execute("BEGIN IMMEDIATE")
        self.db.execute("INSERT OR REPLACE INTO sender VALUES (?, ?, ?)", (*key, session["ticket"]))
        for _ in range(header[4]):
            framed, at = decode(payload, at)
            try: item = whole(framed)
            except ValueError: continue  # nobody knows whose it is
            kind, stream, first = item[0], item[1:5], item[5]
            text, cursor, last = encode(stream), self.cursor(key, stream), item[6] if kind else first
            moved[text] = [stream, first > cursor or moved.get(text, [0, False])[1]]
            if last < cursor or first > cursor: continue  # a repeat; or ahead of what is missing, and let fall
            if kind == 0: self.store(stream, text, first, item[6])
            if kind == 1: self.db.execute("INSERT INTO gap VALUES (?, ?, ?, ?, ?)", (text, first, last, item[7], item[8]))
            self.db.execute("INSERT OR REPLACE INTO cursor VALUES (?, ?, ?, ?)", (*key, text, last + 1))
        self.db.execute("COMMIT")
        told = [[*stream, self.cursor(key, stream), CREDIT_BYTES, missed] for stream, missed in moved.values()]
        return header[1], {**self.head(nonce, 1), 8: told}
    def store(self, stream, text, number, envelope):
        queue, state, body = stream[2].split("/")[1], "ready", None
        if queue == "$node": return  # words of nodes, of which nothing here depends on any
        try:
            version, immutable, crc, _hop = whole(envelope)
            fields = whole(immutable)
            if version != 1 or crc != crc32c(immutable) or [fields[key] for key in range(5)] != [*stream, number]: state = "corrupt"
            body = fields[7]
        except (ValueError, KeyError, TypeError): state = "corrupt"
        row = (text, number, stream[0], queue, stream[3], body, envelope, state)
        self.db.execute("INSERT OR IGNORE INTO message VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)

def main():
    if len(sys.argv) < 2: sys.exit(__doc__)
    path, host, port, name = [*sys.argv[1:], *["127.0.0.1", "1883", "central"][len(sys.argv) - 2:]]
    receiver, status = Receiver(path, name), f"ringmail/status/{name}"
    print(f"epoch {receiver.epoch[0]}", flush=True)
    def say_online(client, *_):
        online = {0: 1, 1: name, 4: True, 2: receiver.incarnation, 5: receiver.epoch, 6: receiver.hellos}
        client.publish(status, encode(online), qos=1, retain=True)
    def on_connect(client, *_):
        receiver.hellos += 1
        client.subscribe([(f"ringmail/queue/{name}/+/+", 1), ("ringmail/sync/+", 1), (status, 1)])
    def on_message(client, _, message):
        try:
            kind, last = message.topic.split("/")[1], message.topic.split("/")[-1]
            if kind == "status": return None if whole(message.payload)[4] else say_online(client)
            said = (last, receiver.sync(last, message.payload)) if kind == "sync" else receiver.publish(message.payload)
            if said and said[1]: client.publish(f"ringmail/receipt/{said[0]}", encode(said[1]), qos=1)
        except (ValueError, KeyError, TypeError, IndexError) as problem:  # whatever it is, it is not ours
            if receiver.db.in_transaction: receiver.db.execute("ROLLBACK")
            print(f"passed over: {problem!r}", file=sys.stderr)
    client = mqtt.Client(client_id=f"ringmail-{name}", clean_session=True)
    client.on_connect, client.on_subscribe, client.on_message = on_connect, say_online, on_message
    client.will_set(status, encode({0: 1, 1: name, 4: False}), qos=1, retain=True)
    client.connect_async(host, int(port), keepalive=10)
    client.loop_forever(retry_first_connection=True)
if __name__ == "__main__": main()
