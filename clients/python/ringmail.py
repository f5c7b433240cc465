"""Ringmail's local API for Python: one file, the standard library, Python 3.9 or later.

    import ringmail

    with ringmail.Ringmail('.ringmail/ringmail.sock') as node:
        node.send('bags', {'tag': '0117814872'}, priority=6)
        received = node.receive('bags', wait_ms=5000)
        if received is not None:
            print(received.message.json())
            received.ack()

Bodies go and come as bytes, exactly. Times are milliseconds, as their names say. Whatever the node refuses, and whatever breaks, is a
RingmailError with a code: decide by ``code``. Nothing is ever sent twice by itself; who wants to repeat safely names a ``send_key``, or
is a ``Producer``. One Ringmail may be used by many threads.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import select
import socket
import ssl
import threading
import time
import urllib.parse
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple, Type, Union

__all__ = ['Ringmail', 'RingmailError', 'Message', 'Received', 'Peeked', 'Sent', 'Committed', 'Transaction', 'Producer', 'GiveUp']

Body = Union[bytes, bytearray, memoryview, str, Any]
Place = Union[str, Tuple[int, int]]

SOCKET_DEFAULT = '.ringmail/ringmail.sock'
# A connection that was not used for so long is not used again: the node closes it after a minute.
_IDLE_SECONDS_MAX = 30.0
_CONNECTIONS_KEPT = 8
_ANSWER_BYTES_MAX = 32 * 1024 * 1024
_STRANGER = 'what answers is not the local API of a node'
# Whoever comes again later may succeed.
_LATER = frozenset(['BUSY', 'NODE_STOPPED', 'QUEUE_FULL', 'SHARING_VIOLATION', 'NODE_UNREACHABLE'])
# What says nothing about whether a request was done: a numbered one is repeated.
_REPEAT = frozenset(['BUSY', 'NODE_STOPPED', 'NODE_UNREACHABLE', 'IN_DOUBT'])


class RingmailError(Exception):
    """What was refused or broke. ``code`` is API, ``details`` belong to it, the text is for people.

    Besides the codes of the node there are two of this side: ``NODE_UNREACHABLE`` (nothing was done that matters, or it can be asked
    again) and ``IN_DOUBT`` (the connection broke after a request that must not happen twice: it was done or not).
    """

    def __init__(self, code: str, details: Optional[Mapping[str, Any]] = None) -> None:
        self.code = code
        self.details: Dict[str, Any] = dict(details or {})
        super().__init__(f'{code} {json.dumps(self.details, ensure_ascii=False)}')

    @property
    def is_retryable(self) -> bool:
        """Whether nothing was done, and the same may be asked again later."""
        return self.code in _LATER


class GiveUp(Exception):
    """Raised by a handler of ``Ringmail.serve``: the message goes to the dead letter queue, for this reason."""


@dataclass(frozen=True)
class Message:
    """A message as its sender made it. What was not set is None."""

    identity: str
    """Names it from its sender to its last receiver; the key to tell repeats by."""
    priority: int
    body: bytes
    content_type: Optional[str] = None
    label: Optional[str] = None
    correlation_id: Optional[str] = None
    response_queue: Optional[str] = None
    app_specific: Optional[int] = None
    headers: Mapping[str, str] = field(default_factory=dict)
    time_to_reach_queue_ms: Optional[int] = None
    time_to_be_received_ms: Optional[int] = None
    deliver_after_ms: Optional[int] = None
    acknowledge: str = 'none'
    dead_letter: str = 'on'
    journal: str = 'off'
    epoch: Mapping[str, int] = field(default_factory=dict)
    previous: Optional[str] = None
    """Of a dead letter: the identity of the message it was."""
    history: Tuple[Mapping[str, str], ...] = ()
    """Of a dead letter: class, node and reason of each time it was given up."""
    transaction: Optional[Mapping[str, Any]] = None
    maybe_duplicate: Optional[str] = None

    def text(self) -> str:
        """The body as UTF-8."""
        return self.body.decode('utf-8')

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Peeked:
    """A message that was looked at and left where it is."""

    queue: str
    delivery_count: int
    move_count: int
    lookup_id: int
    hops: int
    elapsed_ms: int
    body_bytes: int
    message: Message
    replayed: bool = False  # it waited for a connection on its way
    late: bool = False  # the node had given it up as missing when it came

    @property
    def place(self) -> Tuple[int, int]:
        """Where it stands in its queue: for ``after`` and ``before``."""
        return (self.message.priority, self.lookup_id)


@dataclass(frozen=True)
class Received:
    """A message under lease: ours until the lease ends by one of the four methods, or at its deadline."""

    lease: str
    lease_ms: int
    delivery_count: int
    move_count: int
    lookup_id: int
    hops: int
    elapsed_ms: int
    message: Message
    node: 'Ringmail' = field(repr=False, compare=False)
    replayed: bool = False  # it waited for a connection on its way
    late: bool = False  # the node had given it up as missing when it came

    @property
    def place(self) -> Tuple[int, int]:
        """Where it stands in its queue: for ``after`` and ``before``."""
        return (self.message.priority, self.lookup_id)

    def ack(self) -> None:
        """Received: once this returns it is gone for good."""
        self.node.ack(self.lease)

    def nack(self, delay_ms: Optional[int] = None) -> None:
        """Back to its place, visible after ``delay_ms``, or after what the back-off of its queue says."""
        self.node.nack(self.lease, delay_ms)

    def dead_letter(self, reason: str = '') -> None:
        """Given up: into the dead letter queue, with its history."""
        self.node.dead_letter(self.lease, reason)

    def extend(self, lease_ms: int = 30_000) -> None:
        """From now the lease holds for so long."""
        self.node.extend(self.lease, lease_ms)


@dataclass(frozen=True)
class Sent:
    """What a send was answered. ``identity`` is empty for an older number of a producer, which was stored long ago."""

    identity: str
    durable: bool
    """True when a power cut would not take it back."""
    durability: str


@dataclass(frozen=True)
class Committed:
    """What a transaction was answered: the identities of its sends, in their order."""

    identities: Tuple[str, ...]
    durable: bool
    durability: str


class Ringmail:
    """A node, by its socket; or over the network by ``url`` (``https://host:port``) with a ``token``.

    Without a path the socket is that of the environment variable RINGMAIL_SOCKET, or ``.ringmail/ringmail.sock``. ``ca`` is a file in
    PEM of who signed the node's certificate, or an SSL context. ``answer_ms`` is what an answer may take beyond the wait asked for.
    Nothing is opened before it is needed; broken connections are replaced by new ones.
    """

    def __init__(
        self,
        socket_path: Optional[str] = None,
        *,
        url: Optional[str] = None,
        token: Optional[str] = None,
        ca: Union[str, ssl.SSLContext, None] = None,
        answer_ms: int = 60_000,
    ) -> None:
        self._answer_ms = answer_ms
        self._idle: List[Tuple[float, http.client.HTTPConnection]] = []
        self._lock = threading.Lock()
        self._headers: Dict[str, str] = {'Host': 'ringmail'}
        self._tls: Optional[ssl.SSLContext] = None
        self._url = None
        if url is None:
            self.place = socket_path or os.environ.get('RINGMAIL_SOCKET') or SOCKET_DEFAULT
            return
        self.place = url
        self._url = urllib.parse.urlsplit(url)
        if self._url.scheme not in ('http', 'https') or self._url.hostname is None:
            raise ValueError('url is https://host:port, or http:// for a node of this machine')
        self._headers = {'Host': self._url.netloc}
        if token is not None:
            self._headers['Authorization'] = f'Bearer {token}'
        if self._url.scheme == 'https':
            self._tls = ca if isinstance(ca, ssl.SSLContext) else ssl.create_default_context(cafile=ca)

    def __enter__(self) -> 'Ringmail':
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections that are kept. It may be used again."""
        with self._lock:
            idle, self._idle = self._idle, []
        for _, connection in idle:
            connection.close()

    # --- sending

    def send(
        self,
        address: str,
        body: Body = b'',
        *,
        content_type: Optional[str] = None,
        priority: Optional[int] = None,
        label: Optional[str] = None,
        correlation_id: Optional[str] = None,
        response_queue: Optional[str] = None,
        app_specific: Optional[int] = None,
        headers: Optional[Mapping[str, str]] = None,
        time_to_reach_queue_ms: Optional[int] = None,
        time_to_be_received_ms: Optional[int] = None,
        deliver_after_ms: Optional[int] = None,
        acknowledge: Optional[str] = None,
        dead_letter: Optional[str] = None,
        journal: Optional[str] = None,
        delivery: Optional[str] = None,
        send_key: Optional[str] = None,
        wait_ms: Optional[int] = None,
        by: Optional[Tuple[str, int]] = None,
    ) -> Sent:
        """Stores a message for a queue of this node (``bags``) or of another (``central/bags``), and says how durable it is.

        Bytes go as they are; text is UTF-8, as text/plain; anything else is written as JSON. ``send_key``: sent under the same key
        before, it is not stored again. ``by``: a producer's name and the number of this request (see ``Producer``).
        Raises IN_DOUBT when the connection broke after the request had left.
        """
        given = _properties(locals())
        data, given['contentType'] = _encoded(body, content_type)
        given.update({'delivery': delivery, 'sendKey': send_key, 'waitMs': wait_ms}, **_numbered(by))
        for name, value in (headers or {}).items():
            given[f'header:{name}'] = value
        path = f'/v1/send/{_address_path(address)}{_query(given)}'
        return _sent(self._fields('POST', path, data, wait_ms=wait_ms or 0, broken='IN_DOUBT'))

    def transaction(self, by: Optional[Tuple[str, int]] = None) -> 'Transaction':
        """Receives and sends as one: ``with node.transaction() as t: ...`` commits at its end, or gives back when it raises."""
        return Transaction(self, by)

    def commit(self, steps: List[Dict[str, Any]], by: Optional[Tuple[str, int]] = None) -> Committed:
        """All of the steps (docs/local-api.md, "Transactions") in one frame on the disk, or none."""
        path = f'/v1/transactions{_query(_numbered(by))}'
        return _committed(self._fields('POST', path, json.dumps({'steps': steps}).encode(), broken='IN_DOUBT'))

    def producer(self, name: str, file: Optional[str] = None, repeat_ms: int = 60_000) -> 'Producer':
        """A sender whose requests are numbered, and repeated until they are answered."""
        return Producer(self, name, file, repeat_ms)

    def retire_producer(self, name: str) -> None:
        """Forgets a producer: its name may begin at 1 again."""
        self._ask('DELETE', f'/v1/producers/{_quote(name)}')

    def ledger(self, node: str) -> Mapping[str, Any]:
        """What became of all that a node sent, as far as this one knows: ``streams``, and its ``digest``."""
        return self._fields('GET', f'/v1/devices/{_quote(node)}')

    def holes(self) -> List[Mapping[str, Any]]:
        """Numbers that the node waits for, or has given up, of streams that end there."""
        return list(self._fields('GET', '/v1/holes').get('holes', ()))

    def close_holes(self, of: str) -> int:
        """Gives up all holes of a queue, or of one stream: so many numbers are missing now."""
        return int(self._fields('POST', f'/v1/holes/close{_query({"of": of})}').get('count', 0))

    def outcome(self, identity: str, epoch: Optional[int] = None) -> str:
        """What became of a send that was IN_DOUBT: ``kept``, ``absent`` or ``unknown``."""
        return str(self._fields('GET', f'/v1/outcome{_query({"identity": identity, "epoch": epoch})}').get('outcome'))

    def ping(self, node: str, *, wait_ms: int = 10_000) -> Sequence[Mapping[str, Any]]:
        """What a node, and those on the way to it, answer within the wait."""
        return tuple(self._fields('GET', f'/v1/ping{_query({"node": node, "waitMs": wait_ms})}')['answers'])

    def trace(self, identity: str, *, wait_ms: int = 10_000) -> Tuple[str, Sequence[Mapping[str, Any]]]:
        """Where a message is (``stored@<node>``, ``received``, ...), and what each node on its way says."""
        found = self._fields('GET', f'/v1/trace{_query({"identity": identity, "waitMs": wait_ms})}')
        return str(found['custody']), tuple(found['answers'])

    # --- receiving

    def receive(
        self,
        queue: str,
        *,
        wait_ms: int = 0,
        lease_ms: int = 30_000,
        by: Optional[str] = None,
        after: Optional[Place] = None,
        before: Optional[Place] = None,
        lookup_id: Optional[int] = None,
        identity: Optional[str] = None,
        correlation_id: Optional[str] = None,
        handle: Optional[str] = None,
    ) -> Optional[Received]:
        """Leases the most urgent message, or the selected one; None when none came within the wait.

        At most one selector: ``by='last'``; ``after`` or ``before`` a place; ``lookup_id``, ``identity`` or ``correlation_id``, of
        which a message that is not there is MESSAGE_NOT_FOUND.
        """
        selector = _selector(by, after, before, lookup_id, identity, correlation_id)
        given = {'waitMs': wait_ms, 'leaseMs': lease_ms, 'bodyAs': 'base64', 'handle': handle, **selector}
        answer = self._ask('POST', f'/v1/receive/{_quote(queue)}{_query(given)}', wait_ms=wait_ms)
        return None if answer is None else self._received(answer)

    def peek(
        self,
        queue: str,
        *,
        wait_ms: int = 0,
        with_body: bool = True,
        by: Optional[str] = None,
        after: Optional[Place] = None,
        before: Optional[Place] = None,
        lookup_id: Optional[int] = None,
        identity: Optional[str] = None,
        correlation_id: Optional[str] = None,
        arrived_after: Optional[int] = None,
        handle: Optional[str] = None,
    ) -> Optional[Peeked]:
        """The same message, left where it is. ``arrived_after`` a lookup id: the next to arrive, leased and delayed ones, too."""
        selector = _selector(by, after, before, lookup_id, identity, correlation_id)
        bodies = {} if with_body else {'bodies': 'without'}
        given = {'waitMs': wait_ms, 'bodyAs': 'base64', 'handle': handle, 'arrivedAfter': arrived_after, **selector, **bodies}
        answer = self._ask('GET', f'/v1/peek/{_quote(queue)}{_query(given)}', wait_ms=wait_ms)
        if answer is None:
            return None
        try:
            return Peeked(queue=answer['queue'], body_bytes=answer['bodyBytes'], **_shown(answer))
        except (KeyError, TypeError, ValueError):
            raise self._unreachable(_STRANGER) from None

    def browse(self, queue: str, *, with_body: bool = True, handle: Optional[str] = None) -> Iterator[Peeked]:
        """Every ready message from the front to the end, looked at and left there."""
        seen = self.peek(queue, with_body=with_body, handle=handle)
        while seen is not None:
            yield seen
            seen = self.peek(queue, with_body=with_body, handle=handle, after=seen.place)

    def stream(
        self,
        queue: str,
        *,
        prefetch: int = 16,
        lease_ms: int = 30_000,
        handle: Optional[str] = None,
        when_closed: str = 'keep',
        idle_ms: Optional[int] = None,
    ) -> Iterator[Received]:
        """Messages as they come, each leased, on a connection of its own; at most ``prefetch`` leases are outstanding.

        Leaving the loop ends the stream; with ``when_closed='nack'`` what is still leased goes back at once then. It ends by itself
        when nothing came for ``idle_ms``. Raises what ended it otherwise, NODE_UNREACHABLE when it broke off.
        """
        given = {'prefetch': prefetch, 'leaseMs': lease_ms, 'bodyAs': 'base64', 'handle': handle, 'whenClosed': when_closed}
        path = f'/v1/stream/{_quote(queue)}{_query(given)}'
        connection = self._connection(self._answer_ms)
        try:
            connection.request('POST', path, b'', self._headers)
            plain = connection.sock
            answer = connection.getresponse()
            if answer.status != 200:
                self._judged(answer.status, _whole(answer))
                raise self._unreachable(_STRANGER)
            plain.settimeout(None if idle_ms is None else idle_ms / 1000)
            while True:
                try:
                    line = answer.readline(_ANSWER_BYTES_MAX)
                except socket.timeout:
                    return
                if not line.endswith(b'\n'):
                    raise self._unreachable('the node ended the stream')
                value = _parsed(line)
                if isinstance(value, dict) and 'code' in value:
                    raise RingmailError(str(value['code']), value.get('details'))
                yield self._received(value)
        except (OSError, http.client.HTTPException) as error:
            raise self._unreachable(_reason(error)) from error
        finally:
            connection.close()

    def serve(
        self,
        queue: str,
        handler: Callable[[Received], None],
        *,
        stop: Optional[threading.Event] = None,
        wait_ms: int = 25_000,
        lease_ms: int = 30_000,
        nack_delay_ms: Optional[int] = None,
        handle: Optional[str] = None,
        on_error: Optional[Callable[[Exception], None]] = None,
    ) -> None:
        """Receives until ``stop`` is set, through restarts of the node, too.

        What ``handler`` returns from is acknowledged, what it raises for goes back (``nack_delay_ms``), what it raises ``GiveUp`` for is
        a dead letter. A handler may get a message again: it writes the identity down with the effect. ``on_error`` hears of what went
        wrong. A refusal that no later try can help is raised. ``stop`` is looked at between messages: choose ``wait_ms`` by it.
        """
        stop = stop or threading.Event()
        tell = on_error or (lambda error: None)
        pause = _Pause()
        while not stop.is_set():
            try:
                received = self.receive(queue, wait_ms=wait_ms, lease_ms=lease_ms, handle=handle)
                pause.reset()
                if received is not None:
                    self._handle(received, handler, nack_delay_ms, tell)
            except RingmailError as error:
                # After LEASE_UNKNOWN and IN_DOUBT the message is gone, or comes again.
                if error.code not in ('LEASE_UNKNOWN', 'IN_DOUBT') and not error.is_retryable:
                    raise
                tell(error)
                if error.code != 'LEASE_UNKNOWN':
                    stop.wait(pause.next_seconds())

    @staticmethod
    def _handle(
        received: Received, handler: Callable[[Received], None], nack_delay_ms: Optional[int], tell: Callable[[Exception], None]
    ) -> None:
        try:
            handler(received)
        except GiveUp as error:
            received.dead_letter(str(error))
        except Exception as error:
            tell(error)
            received.nack(nack_delay_ms)
        else:
            received.ack()

    def ack(self, lease: str) -> None:
        """Received: once this returns the message is gone for good. LEASE_UNKNOWN: it may come again."""
        self._ask('POST', f'/v1/leases/{_quote(lease)}/ack')

    def nack(self, lease: str, delay_ms: Optional[int] = None) -> None:
        """Back to its place, visible after ``delay_ms``, or after what the back-off of its queue says."""
        self._ask('POST', f'/v1/leases/{_quote(lease)}/nack{_query({"delayMs": delay_ms})}')

    def dead_letter(self, lease: str, reason: str = '') -> None:
        """Given up: into the dead letter queue, with its history."""
        self._ask('POST', f'/v1/leases/{_quote(lease)}/dead-letter{_query({"reason": reason})}')

    def extend(self, lease: str, lease_ms: int = 30_000) -> None:
        """From now the lease holds for so long."""
        self._ask('POST', f'/v1/leases/{_quote(lease)}/extend{_query({"leaseMs": lease_ms})}')

    # --- queues

    def create_queue(self, queue: str, **properties: Union[int, float, str]) -> None:
        """Makes a queue. Properties by their names in docs/queues.md, or in snake case: ``bytes_limit=65536, when_full='block'``."""
        self._ask('PUT', f'/v1/queues/{_quote(queue)}', json.dumps(_camel_keys(properties)).encode())

    def set_queue(self, queue: str, **properties: Union[int, float, str]) -> None:
        """Changes these properties and no other: ``state='paused'``."""
        self._ask('PATCH', f'/v1/queues/{_quote(queue)}', json.dumps(_camel_keys(properties)).encode())

    def delete_queue(self, queue: str) -> None:
        """Ends its messages, and the queue."""
        self._ask('DELETE', f'/v1/queues/{_quote(queue)}')

    def queues(self) -> List[Dict[str, Any]]:
        """All queues, with properties and counts."""
        return list(self._fields('GET', '/v1/queues')['queues'])

    def queue(self, queue: str) -> Dict[str, Any]:
        """One of them."""
        return self._fields('GET', f'/v1/queues/{_quote(queue)}')

    def purge(self, queue: str) -> int:
        """Ends what is ready or delayed; returns how many that were."""
        return int(self._fields('POST', f'/v1/queues/{_quote(queue)}/purge')['count'])

    def move(self, queue: str, lookup_id: int, to: str) -> None:
        """A ready message, to a subqueue of its queue (``bags;later``) or back."""
        self._ask('POST', f'/v1/queues/{_quote(queue)}/move{_query({"lookupId": lookup_id, "to": to})}')

    def redrive(self, queue: str, lookup_id: int, to: Optional[str] = None) -> Sent:
        """A dead letter becomes a message again, for ``to`` or for where it was going."""
        path = f'/v1/queues/{_quote(queue)}/redrive{_query({"lookupId": lookup_id, "to": to})}'
        return _sent(self._fields('POST', path, broken='IN_DOUBT'))

    def open_queue(self, queue: str, *, access: str = 'receive', share: str = 'all', idle_ms: int = 30_000) -> str:
        """Returns a handle; ``share='alone'`` keeps other readers out while it is open."""
        path = f'/v1/queues/{_quote(queue)}/open{_query({"access": access, "share": share, "idleMs": idle_ms})}'
        return str(self._fields('POST', path)['handle'])

    def close_handle(self, handle: str) -> None:
        """Closes what ``open_queue`` opened."""
        self._ask('DELETE', f'/v1/handles/{_quote(handle)}')

    # --- state

    def position(self, name: str) -> Optional[bytes]:
        """A place that a transaction stored, None when there is none."""
        answer = self._ask('GET', f'/v1/positions/{_quote(name)}')
        return None if answer is None else base64.b64decode(answer['valueBase64'])

    def stats(self) -> Dict[str, Any]:
        """The node in numbers."""
        return self._fields('GET', '/v1/stats')

    def health(self) -> Dict[str, Any]:
        """``status`` (``green`` or ``red``) and its ``causes``. Red is an answer, too."""
        return self._fields('GET', '/v1/health')

    def version(self) -> str:
        """The version of ringmail that serves."""
        return str(self._fields('GET', '/v1/version')['version'])

    # --- requests

    def _fields(
        self, method: str, path: str, body: bytes = b'', wait_ms: int = 0, broken: str = 'NODE_UNREACHABLE'
    ) -> Dict[str, Any]:
        answer = self._ask(method, path, body, wait_ms=wait_ms, broken=broken)
        if answer is None:
            raise self._unreachable(_STRANGER)
        return answer

    def _ask(
        self, method: str, path: str, body: bytes = b'', *, wait_ms: int = 0, broken: str = 'NODE_UNREACHABLE'
    ) -> Optional[Dict[str, Any]]:
        """What the node answered, None for nothing. ``broken``: what a connection that breaks under way means."""
        timeout_ms = wait_ms + self._answer_ms
        connection = self._connection(timeout_ms)
        try:
            connection.request(method, path, body if method not in ('GET', 'DELETE') else None, self._headers)
            answer = connection.getresponse()
            data = _whole(answer)
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            if broken == 'IN_DOUBT':
                raise RingmailError('IN_DOUBT', {'identity': '', 'epoch': 0, 'reason': _reason(error)}) from error
            raise self._unreachable(_reason(error)) from error
        except BaseException:
            connection.close()
            raise
        if answer.will_close or not answer.isclosed():
            connection.close()
        else:
            self._keep(connection)
        return self._judged(answer.status, data)

    def _judged(self, status: int, data: bytes) -> Optional[Dict[str, Any]]:
        if status == 204:
            return None
        value = _parsed(data)
        if not isinstance(value, dict):
            raise self._unreachable(_STRANGER)
        if status >= 300 and not (status == 503 and 'causes' in value):
            if not isinstance(value.get('code'), str):
                raise self._unreachable(_STRANGER)
            raise RingmailError(value['code'], value.get('details'))
        return value

    def _connection(self, timeout_ms: float) -> http.client.HTTPConnection:
        """One that is connected. What breaks before that was never sent."""
        kept = self._kept()
        if kept is not None:
            kept.sock.settimeout(timeout_ms / 1000)
            return kept
        try:
            if self._url is None:
                connection: http.client.HTTPConnection = _SocketConnection(self.place, timeout_ms / 1000)
            elif self._tls is not None:
                host = self._url.hostname or ''
                connection = http.client.HTTPSConnection(host, self._url.port, timeout=timeout_ms / 1000, context=self._tls)
            else:
                connection = http.client.HTTPConnection(self._url.hostname or '', self._url.port, timeout=timeout_ms / 1000)
            connection.connect()
            return connection
        except OSError as error:
            raise self._unreachable(_reason(error)) from error

    def _kept(self) -> Optional[http.client.HTTPConnection]:
        """A connection from before that still stands: the other side has neither closed it nor said a word."""
        while True:
            with self._lock:
                if not self._idle:
                    return None
                since, connection = self._idle.pop()
            if time.monotonic() - since < _IDLE_SECONDS_MAX and not _is_readable(connection.sock):
                return connection
            connection.close()

    def _keep(self, connection: http.client.HTTPConnection) -> None:
        with self._lock:
            if len(self._idle) < _CONNECTIONS_KEPT:
                self._idle.append((time.monotonic(), connection))
                return
        connection.close()

    def _received(self, value: Any) -> Received:
        try:
            return Received(lease=value['lease'], lease_ms=value['leaseMs'], node=self, **_shown(value))
        except (KeyError, TypeError, ValueError):
            raise self._unreachable(_STRANGER) from None

    def _unreachable(self, reason: str) -> RingmailError:
        return RingmailError('NODE_UNREACHABLE', {'socket': self.place, 'reason': reason})


class Transaction:
    """Everything in it happens in one frame on the disk, or nothing does.

    Only ``receive`` asks the node at once; the others note what is to be done. After the commit ``committed`` says what became of it.
    """

    def __init__(self, node: Ringmail, by: Optional[Tuple[str, int]] = None, producer: Optional['Producer'] = None) -> None:
        self._node = node
        self._by = by
        self._producer = producer
        self._steps: List[Dict[str, Any]] = []
        self._leases: Dict[str, Received] = {}
        self._is_open = True
        self.committed: Optional[Committed] = None

    def __enter__(self) -> 'Transaction':
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        if not self._is_open:
            return
        if error is None:
            self.commit()
        else:
            self.abort()

    def send(
        self,
        address: str,
        body: Body = b'',
        *,
        content_type: Optional[str] = None,
        priority: Optional[int] = None,
        label: Optional[str] = None,
        correlation_id: Optional[str] = None,
        response_queue: Optional[str] = None,
        app_specific: Optional[int] = None,
        headers: Optional[Mapping[str, str]] = None,
        time_to_reach_queue_ms: Optional[int] = None,
        time_to_be_received_ms: Optional[int] = None,
        deliver_after_ms: Optional[int] = None,
        acknowledge: Optional[str] = None,
        dead_letter: Optional[str] = None,
        journal: Optional[str] = None,
    ) -> None:
        """A message, as in ``Ringmail.send``; one send each for several destinations."""
        given = _properties(locals())
        data, given['contentType'] = _encoded(body, content_type)
        given['headers'] = dict(headers) if headers else None
        step = {'do': 'send', 'destination': address, 'bodyBase64': base64.b64encode(data).decode()}
        self._note({**step, **{name: value for name, value in given.items() if value is not None}})

    def receive(self, queue: str, **options: Any) -> Optional[Received]:
        """Leases a message as ``Ringmail.receive`` does; the commit acknowledges it unless it is put elsewhere here."""
        self._check()
        received = self._node.receive(queue, **options)
        if received is not None:
            self._leases[received.lease] = received
        return received

    def ack(self, received: Union[Received, str]) -> None:
        """A message that was received elsewhere."""
        self._note({'do': 'ack', 'lease': self._taken(received)})

    def dead_letter(self, received: Union[Received, str], reason: str = '') -> None:
        """Gives a message up."""
        self._note({'do': 'deadLetter', 'lease': self._taken(received), 'reason': reason})

    def move(self, received: Union[Received, str], to: str) -> None:
        """Puts a message into a subqueue of its queue, or back."""
        self._note({'do': 'move', 'lease': self._taken(received), 'to': to})

    def position(self, name: str, value: bytes) -> None:
        """A place to be read again by ``Ringmail.position``; its name begins with ``trigger/``."""
        self._note({'do': 'position', 'name': name, 'valueBase64': base64.b64encode(value).decode()})

    def commit(self) -> Committed:
        """Does all of it. What is refused is given back, what is IN_DOUBT is not: it may be done."""
        self._check()
        steps = [*({'do': 'ack', 'lease': lease} for lease in self._leases), *self._steps]
        self._is_open = False
        try:
            if self._producer is not None:
                self.committed = self._producer.commit(steps)
            else:
                self.committed = self._node.commit(steps, self._by)
        except RingmailError as error:
            if error.code not in _REPEAT or (error.code == 'BUSY' and self._producer is None):
                self._give_back()
            raise
        return self.committed

    def abort(self) -> None:
        """Does nothing of it; what was received here goes back at once."""
        self._is_open = False
        self._give_back()

    def _give_back(self) -> None:
        for received in self._leases.values():
            try:
                received.nack(0)
            except RingmailError:
                pass  # it comes back by itself when its lease ends

    def _taken(self, received: Union[Received, str]) -> str:
        lease = received if isinstance(received, str) else received.lease
        self._leases.pop(lease, None)
        return lease

    def _note(self, step: Dict[str, Any]) -> None:
        self._check()
        self._steps.append(step)

    def _check(self) -> None:
        if not self._is_open:
            raise RingmailError('TRANSACTION_ENDED', {'transaction': ''})


class Producer:
    """A sender whose requests have numbers, so that each may be repeated and is stored once, whatever breaks.

        producer = node.producer('scanner-7')
        for item in items[producer.number - 1:]:      # after a crash: from the first that is not stored
            producer.send('bags', item)

    ``number`` is that of the next request. It is the node that knows it; so a program that can make its items again needs nothing else.
    One that cannot names a ``file``: there the request under way is kept, on the disk, until it is answered, and is repeated by the
    next process that has the file. A request that finds no answer within ``repeat_ms`` is raised, and is still under way: the next one
    repeats it first, as does ``finish``. A refusal ends it: its number is free. One process, and one request at a time, has the name.
    """

    def __init__(self, node: Ringmail, name: str, file: Optional[str] = None, repeat_ms: int = 60_000) -> None:
        self.node = node
        self.name = name
        self.file = file
        self.repeat_ms = repeat_ms
        self._number: Optional[int] = None
        self._under_way: Optional[Dict[str, Any]] = self._load()

    @property
    def number(self) -> int:
        """Of the next request: one more than are stored. Finishes what is under way, and asks the node when nothing is known yet."""
        self.finish()
        if self._number is None:
            self._number = self._expected()
        return self._number

    def send(self, address: str, body: Body = b'', **options: Any) -> Sent:
        """As ``Ringmail.send``, stored once."""
        call = _Recorder()
        call.send(address, body, by=(self.name, self.number), **options)
        return _sent(self._do(call.path, call.body))

    def commit(self, steps: List[Dict[str, Any]]) -> Committed:
        """As ``Ringmail.commit``, done once."""
        call = _Recorder()
        call.commit(steps, (self.name, self.number))
        return _committed(self._do(call.path, call.body))

    def transaction(self) -> Transaction:
        """As ``Ringmail.transaction``, done once."""
        return Transaction(self.node, producer=self)

    def finish(self) -> Optional[Dict[str, Any]]:
        """Repeats the request that is under way, if there is one, and returns its answer."""
        if self._under_way is None:
            return None
        path, body = str(self._under_way['path']), base64.b64decode(self._under_way['bodyBase64'])
        number = int(self._under_way['number'])
        try:
            answer = self._repeat(lambda: self.node._fields('POST', path, body, broken='IN_DOUBT'))
        except RingmailError as error:
            if error.code not in _REPEAT:
                self._number = None if error.code == 'PRODUCER_NUMBER_INVALID' else number
                self._end()
            raise
        self._number = number + 1
        self._end()
        return answer

    def _do(self, path: str, body: bytes) -> Dict[str, Any]:
        self._under_way = {'number': self.number, 'path': path, 'bodyBase64': base64.b64encode(body).decode()}
        self._save()
        answer = self.finish()
        assert answer is not None
        return answer

    def _expected(self) -> int:
        """No number is stored out of its turn, and the refusal names the one whose turn it is."""
        path = f'/v1/transactions{_query(_numbered((self.name, 2**53 - 1)))}'
        try:
            self._repeat(lambda: self.node._fields('POST', path, b'{"steps":[]}'))
        except RingmailError as error:
            if error.code == 'PRODUCER_NUMBER_INVALID':
                return int(error.details['expected'])
            raise
        raise RingmailError('PRODUCER_NUMBER_INVALID', {'producer': self.name, 'number': 2**53 - 1, 'expected': 0})

    def _repeat(self, request: Callable[[], Dict[str, Any]]) -> Dict[str, Any]:
        deadline = time.monotonic() + self.repeat_ms / 1000
        pause = _Pause()
        while True:
            try:
                return request()
            except RingmailError as error:
                if error.code not in _REPEAT or time.monotonic() >= deadline:
                    raise
            time.sleep(pause.next_seconds())

    def _load(self) -> Optional[Dict[str, Any]]:
        if self.file is None:
            return None
        try:
            with open(self.file, 'rb') as file:
                data = file.read()
        except FileNotFoundError:
            return None
        return json.loads(data) if data else None

    def _save(self) -> None:
        """On the disk before it goes: the whole file, or the one before."""
        if self.file is None:
            return
        aside = f'{self.file}.new'
        with open(aside, 'wb') as file:
            file.write(json.dumps(self._under_way).encode() if self._under_way is not None else b'')
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, self.file)
        folder = os.open(os.path.dirname(os.path.abspath(self.file)), os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _end(self) -> None:
        """Not synced: a request that is repeated for nothing is answered as before."""
        self._under_way = None
        if self.file is not None:
            with open(self.file, 'wb'):
                pass


class _Recorder(Ringmail):
    """Writes a request down instead of sending it."""

    def __init__(self) -> None:
        self.path = ''
        self.body = b''

    def _fields(self, method: str, path: str, body: bytes = b'', wait_ms: int = 0, broken: str = '') -> Dict[str, Any]:
        self.path, self.body = path, body
        return {'identity': '', 'identities': [], 'durable': False, 'durability': 'unknown'}


class _SocketConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout_seconds: float) -> None:
        super().__init__('ringmail', timeout=timeout_seconds)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self.sock.settimeout(self.timeout)
            self.sock.connect(self._path)
        except BaseException:
            self.sock.close()
            raise


class _Pause:
    """20 ms, doubled up to a second."""

    def __init__(self) -> None:
        self._seconds = 0.02

    def next_seconds(self) -> float:
        seconds = self._seconds
        self._seconds = min(1.0, seconds * 2)
        return seconds

    def reset(self) -> None:
        self._seconds = 0.02


_PROPERTIES = {
    'priority': 'priority',
    'label': 'label',
    'correlation_id': 'correlationId',
    'response_queue': 'responseQueue',
    'app_specific': 'appSpecific',
    'time_to_reach_queue_ms': 'timeToReachQueueMs',
    'time_to_be_received_ms': 'timeToBeReceivedMs',
    'deliver_after_ms': 'deliverAfterMs',
    'acknowledge': 'acknowledge',
    'dead_letter': 'deadLetter',
    'journal': 'journal',
}


def _properties(arguments: Mapping[str, Any]) -> Dict[str, Any]:
    return {camel: arguments[snake] for snake, camel in _PROPERTIES.items()}


def _encoded(body: Body, content_type: Optional[str]) -> Tuple[bytes, Optional[str]]:
    if isinstance(body, (bytes, bytearray, memoryview)):
        return bytes(body), content_type
    if isinstance(body, str):
        return body.encode(), content_type or 'text/plain'
    return json.dumps(body, ensure_ascii=False, separators=(',', ':')).encode(), content_type or 'application/json'


def _numbered(by: Optional[Tuple[str, int]]) -> Dict[str, Any]:
    return {} if by is None else {'producer': by[0], 'number': by[1]}


def _selector(
    by: Optional[str],
    after: Optional[Place],
    before: Optional[Place],
    lookup_id: Optional[int],
    identity: Optional[str],
    correlation_id: Optional[str],
) -> Dict[str, Any]:
    return {
        'by': by,
        'after': _place(after),
        'before': _place(before),
        'lookupId': lookup_id,
        'identity': identity,
        'correlationId': correlation_id,
    }


def _place(place: Optional[Place]) -> Optional[str]:
    return place if place is None or isinstance(place, str) else f'{place[0]}.{place[1]}'


def _shown(value: Mapping[str, Any]) -> Dict[str, Any]:
    """What a received message and one that was looked at have in common."""
    fields = value['message']
    given = {snake: fields[camel] for snake, camel in _PROPERTIES.items() if camel in fields}
    message = Message(
        identity=fields['identity'],
        body=base64.b64decode(fields.get('bodyBase64', '')),
        content_type=fields.get('contentType'),
        headers=fields.get('headers', {}),
        epoch=fields.get('epoch', {}),
        previous=fields.get('previous'),
        history=tuple(fields.get('history', ())),
        transaction=fields.get('transaction'),
        maybe_duplicate=fields.get('maybeDuplicate'),
        **given,
    )
    return {
        'delivery_count': value['deliveryCount'],
        'move_count': value['moveCount'],
        'lookup_id': value['lookupId'],
        'hops': value['hops'],
        'elapsed_ms': value['elapsedMs'],
        'late': value.get('late', False),
        'replayed': value.get('replayed', False),
        'message': message,
    }


def _sent(answer: Mapping[str, Any]) -> Sent:
    return Sent(identity=answer['identity'], durable=answer['durable'], durability=answer['durability'])


def _committed(answer: Mapping[str, Any]) -> Committed:
    return Committed(identities=tuple(answer['identities']), durable=answer['durable'], durability=answer['durability'])


def _address_path(address: str) -> str:
    """Each part by itself; what is no address must not become another path."""
    parts = address.split('/')
    if len(parts) > 2 or '' in parts:
        raise RingmailError('NAME_INVALID', {'name': address, 'reason': 'an address is <queue> or <node>/<queue>'})
    return '/'.join(map(_quote, parts))


def _query(given: Mapping[str, Any]) -> str:
    query = urllib.parse.urlencode({name: value for name, value in given.items() if value is not None})
    return f'?{query}' if query else ''


def _quote(text: str) -> str:
    return urllib.parse.quote(text, safe='')


def _camel_keys(properties: Mapping[str, Any]) -> Dict[str, Any]:
    def camel(name: str) -> str:
        first, *others = name.split('_')
        return first + ''.join(word[:1].upper() + word[1:] for word in others)

    return {camel(name): value for name, value in properties.items()}


def _parsed(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        return None  # not JSON: whoever wants a value of it says what that means


def _whole(answer: http.client.HTTPResponse) -> bytes:
    if (answer.length or 0) <= _ANSWER_BYTES_MAX and not answer.chunked:
        return answer.read()
    raise http.client.HTTPException(f'the answer is longer than {_ANSWER_BYTES_MAX} bytes, or of no length')


def _is_readable(sock: socket.socket) -> bool:
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))


def _reason(error: BaseException) -> str:
    return str(error) or type(error).__name__
