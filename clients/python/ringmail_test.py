"""Every verb of ringmail.py against a real node: where it is say RINGMAIL_SOCKET, RINGMAIL_URL, RINGMAIL_CA and RINGMAIL_TOKEN."""

import os
import sys
import tempfile
import threading
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from ringmail import GiveUp, Peeked, Received, Ringmail, RingmailError  # noqa: E402

BYTES = bytes(range(256)) * 3


class ClientTest(unittest.TestCase):
    def setUp(self) -> None:
        self.node = Ringmail()
        self.queue = f'q-{self.id().rsplit(".", 1)[1].replace("_", "-")[:50]}'
        self.addCleanup(self.node.close)

    def refused(self, code: str, act, *args, **options) -> RingmailError:
        with self.assertRaises(RingmailError) as raised:
            act(*args, **options)
        self.assertEqual(raised.exception.code, code)
        return raised.exception

    def take(self, queue: str = '', **options) -> Received:
        received = self.node.receive(queue or self.queue, **options)
        assert received is not None
        return received

    def look(self, **options) -> Peeked:
        seen = self.node.peek(self.queue, **options)
        assert seen is not None
        return seen

    # --- sending

    def test_bodies_come_as_they_went(self) -> None:
        bodies = [
            (BYTES, 'image/png'),
            (b'', None),
            ('caf\u00e9\r\n', None),
            ({'tag': '0117', 'n': [1, None]}, None),
            (b'{"a": 1}', 'application/json'),
        ]
        for body, content_type in bodies:
            self.node.send(self.queue, body, content_type=content_type)
        got = [self.take().message for _ in bodies]
        self.assertEqual(
            [message.body for message in got], [BYTES, b'', 'caf\u00e9\r\n'.encode(), b'{"tag":"0117","n":[1,null]}', b'{"a": 1}']
        )
        self.assertEqual(
            [message.content_type for message in got], ['image/png', None, 'text/plain', 'application/json', 'application/json']
        )
        self.assertEqual(got[2].text(), 'caf\u00e9\r\n')
        self.assertEqual(got[3].json(), {'tag': '0117', 'n': [1, None]})

    def test_every_property_comes_out_as_it_went_in(self) -> None:
        properties = {
            'priority': 6,
            'label': 'caf\u00e9 & + =',
            'correlation_id': 'c 1',
            'response_queue': 'box-1/replies',
            'app_specific': 4294967295,
            'time_to_reach_queue_ms': 60_000,
            'time_to_be_received_ms': 70_000,
            'acknowledge': 'full',
            'dead_letter': 'off',
            'journal': 'on',
            'headers': {'flight': 'BA 123', 'z\u00fc': '%'},
        }
        sent = self.node.send(self.queue, b'x', **properties)
        self.assertIn(sent.durability, ('sync', 'volatile'))
        self.assertEqual(sent.durable, sent.durability == 'sync')
        message = self.take().message
        self.assertEqual(message.identity, sent.identity)
        self.assertEqual({name: getattr(message, name) for name in properties}, properties)

    def test_delayed_express_and_keyed(self) -> None:
        self.node.send(self.queue, b'later', deliver_after_ms=100)
        self.assertIsNone(self.node.receive(self.queue))
        self.assertEqual(self.take(wait_ms=5000).message.body, b'later')
        self.assertEqual(self.node.send(self.queue, b'express', delivery='express').durability, 'volatile')
        first = self.node.send(self.queue, b'1', send_key='k', wait_ms=10)
        self.assertEqual(self.node.send(self.queue, b'2', send_key='k').identity, first.identity)

    def test_refusals_have_codes_and_details(self) -> None:
        self.assertEqual(self.refused('NAME_INVALID', self.node.send, 'Bags').details['name'], 'Bags')
        self.refused('NAME_INVALID', self.node.send, 'a/b/c')
        self.assertEqual(self.refused('PROPERTY_INVALID', self.node.send, 'bags', priority=8).details['property'], 'priority')
        self.assertGreater(self.refused('MESSAGE_TOO_LARGE', self.node.send, 'bags', bytes(400_000)).details['bytesMax'], 0)
        full = self.node.create_queue(self.queue, bytes_limit=20_000)
        self.assertIsNone(full)
        error = self.refused('QUEUE_FULL', lambda: [self.node.send(self.queue, bytes(9_000)) for _ in range(9)])
        self.assertTrue(error.is_retryable)
        self.assertEqual(error.details['queue'], self.queue)
        self.refused('LEASE_UNKNOWN', self.node.ack, 'none')
        nobody = Ringmail('/nonexistent/ringmail.sock')
        self.refused('NODE_UNREACHABLE', nobody.send, 'bags', b'')

    # --- receiving

    def test_leases_end_in_four_ways(self) -> None:
        for label in ('acked', 'given up'):
            self.node.send(self.queue, b'x', label=label)
        received = self.take(lease_ms=20_000)
        self.assertEqual((received.lease_ms, received.delivery_count, received.hops), (20_000, 1, 0))
        received.extend(60_000)
        received.nack(delay_ms=0)
        again = self.take()
        self.assertEqual((again.message.identity, again.delivery_count), (received.message.identity, 2))
        again.ack()
        self.refused('LEASE_UNKNOWN', again.ack)
        given_up = self.take()
        given_up.dead_letter('no such flight')
        letter = self.node.receive('$dead', by='last')
        assert letter is not None
        self.assertEqual(letter.message.previous, given_up.message.identity)
        self.assertEqual(letter.message.history[0]['reason'], 'no such flight')
        letter.nack(0)
        self.node.redrive('$dead', letter.lookup_id)
        self.assertEqual(self.take().message.label, 'given up')

    def test_selectors(self) -> None:
        identities = [
            self.node.send(self.queue, str(i), priority=p, correlation_id=f'c{i}').identity for i, p in enumerate([3, 5, 3, 1])
        ]
        self.assertEqual([seen.message.text() for seen in self.node.browse(self.queue)], ['1', '0', '2', '3'])
        first = self.look()
        self.assertEqual((first.queue, first.body_bytes, first.message.body), (self.queue, 1, b'1'))
        self.assertEqual(self.look(with_body=False).message.body, b'')
        self.assertEqual(self.look(by='last').message.text(), '3')
        self.assertEqual(self.look(after=first.place).message.text(), '0')
        self.assertEqual(self.look(before=f'1.{self.look(by="last").lookup_id}').message.text(), '2')
        self.assertEqual(self.look(arrived_after=first.lookup_id).message.text(), '2')
        self.assertEqual(self.take(identity=identities[2]).message.text(), '2')
        self.assertEqual(self.take(correlation_id='c3').message.text(), '3')
        self.assertEqual(self.take(lookup_id=first.lookup_id).message.text(), '1')
        missing = self.refused('MESSAGE_NOT_FOUND', self.node.receive, self.queue, lookup_id=first.lookup_id, wait_ms=20)
        self.assertEqual(missing.details['queue'], self.queue)
        self.refused('REQUEST_INVALID', self.node.peek, self.queue, by='last', lookup_id=1)
        self.assertEqual(self.take().message.text(), '0')
        self.assertIsNone(self.node.receive(self.queue))

    def test_a_stream_holds_no_more_than_its_prefetch(self) -> None:
        for i in range(5):
            self.node.send(self.queue, bytes([i, 255]))
        got = []
        for received in self.node.stream(self.queue, prefetch=2, idle_ms=300, when_closed='nack'):
            got.append(received.message.body)
            if len(got) < 4:
                received.ack()
        self.assertEqual(got, [bytes([i, 255]) for i in range(5)])
        self.assertEqual(self.take(wait_ms=5000).message.body, bytes([3, 255]))
        self.refused('NAME_INVALID', lambda: next(self.node.stream('No')))

    def test_serving_acknowledges_gives_back_and_gives_up(self) -> None:
        for text in ('fine', 'later', 'never', 'stop'):
            self.node.send(self.queue, text)
        stop, seen, errors = threading.Event(), [], []

        def handle(received: Received) -> None:
            text = received.message.text()
            seen.append((text, received.delivery_count))
            if text == 'later' and received.delivery_count == 1:
                raise ValueError('not now')
            if text == 'never':
                raise GiveUp('never')
            if text == 'stop' and ('later', 2) in seen:
                stop.set()
            elif text == 'stop':
                raise ValueError('not before the other one')

        self.node.serve(
            self.queue, handle, stop=stop, wait_ms=100, nack_delay_ms=0, on_error=lambda error: errors.append(str(error))
        )
        self.assertEqual({text for text, _ in seen}, {'fine', 'later', 'never', 'stop'})
        self.assertIn('not now', errors)
        self.assertIsNone(self.node.receive(self.queue))

    # --- transactions and producers

    def test_a_transaction_does_all_of_it(self) -> None:
        for text in ('in', 'bad', 'aside', 'outside'):
            self.node.send(self.queue, text)
        outside = self.take(by='last')
        with self.node.transaction() as transaction:
            transaction.receive(self.queue)
            bad, aside = transaction.receive(self.queue), transaction.receive(self.queue)
            assert bad is not None and aside is not None
            transaction.dead_letter(bad, 'bad')
            transaction.move(aside, f'{self.queue};later')
            transaction.ack(outside)
            transaction.send(f'{self.queue}-out', BYTES, priority=5, headers={'a': 'b'})
            transaction.send(f'{self.queue}-out', {'n': 1})
            transaction.position('trigger/here', b'\x00\x01')
        assert transaction.committed is not None
        self.assertEqual(len(transaction.committed.identities), 2)
        self.assertIsNone(self.node.receive(self.queue))
        out = self.take(f'{self.queue}-out')
        self.assertEqual((out.message.body, out.message.priority, out.message.headers), (BYTES, 5, {'a': 'b'}))
        assert out.message.transaction is not None
        self.assertEqual(out.message.transaction['count'], 2)
        moved = self.take(f'{self.queue};later')
        self.assertEqual((moved.message.text(), moved.move_count), ('aside', 1))
        self.assertEqual(self.node.position('trigger/here'), b'\x00\x01')
        self.assertIsNone(self.node.position('trigger/nowhere'))
        self.refused('TRANSACTION_ENDED', transaction.send, 'bags')

    def test_a_transaction_that_raises_does_nothing(self) -> None:
        self.node.send(self.queue, 'in')
        with self.assertRaises(ValueError):
            with self.node.transaction() as transaction:
                transaction.receive(self.queue)
                transaction.send(f'{self.queue}-out', 'out')
                raise ValueError
        self.assertEqual(self.take().message.text(), 'in')
        self.refused('LEASE_UNKNOWN', self.node.commit, [{'do': 'ack', 'lease': 'none'}])

    def test_a_producer_is_stored_once(self) -> None:
        producer = self.node.producer('scanner-7')
        self.assertEqual(producer.number, 1)
        first = producer.send(self.queue, 'one', priority=5)
        self.assertEqual(self.node.send(self.queue, 'one', by=('scanner-7', 1)).identity, first.identity)
        with producer.transaction() as transaction:
            transaction.send(self.queue, 'two')
        self.assertEqual(self.node.producer('scanner-7').number, 3)
        self.assertEqual(
            self.refused('PRODUCER_NUMBER_INVALID', self.node.send, self.queue, by=('scanner-7', 9)).details['expected'], 3
        )
        self.refused('PROPERTY_INVALID', producer.send, self.queue, priority=9)
        producer.send(self.queue, 'three')
        self.assertEqual([self.take().message.text() for _ in range(3)], ['one', 'two', 'three'])
        self.node.retire_producer('scanner-7')
        self.assertEqual(self.node.producer('scanner-7').number, 1)

    def test_a_producer_with_a_file_goes_on_where_it_was_killed(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            file = os.path.join(folder, 'scanner-8')
            unreachable = Ringmail('/nonexistent/ringmail.sock')
            killed = unreachable.producer('scanner-8', file, repeat_ms=0)
            killed._number = 1  # known from before
            self.refused('NODE_UNREACHABLE', killed.send, self.queue, 'under way')
            producer = self.node.producer('scanner-8', file)
            producer.send(self.queue, 'next')
            self.assertEqual([self.take().message.text() for _ in range(2)], ['under way', 'next'])
            self.assertEqual(self.node.producer('scanner-8', file).number, 3)

    def test_connections_that_broke_are_replaced(self) -> None:
        waiting = self.node.producer('scanner-9')
        waiting.send(self.queue, 'before')
        print('RESTART', flush=True)
        sent = threading.Thread(target=lambda: [waiting.send(self.queue, str(i)) for i in range(20)])
        sent.start()
        self.assertEqual(sys.stdin.readline(), 'restarted\n')
        sent.join()
        self.assertEqual([self.take().message.text() for _ in range(21)], ['before', *map(str, range(20))])
        self.assertIsNone(self.node.receive(self.queue))

    # --- queues and state

    def test_queues(self) -> None:
        self.node.create_queue(self.queue, bytes_limit=65536, whenFull='block', label='to the stand')
        self.refused('QUEUE_EXISTS', self.node.create_queue, self.queue)
        self.node.set_queue(self.queue, state='paused')
        self.node.send(self.queue, 'x')
        self.assertIsNone(self.node.receive(self.queue))
        one = self.node.queue(self.queue)
        self.assertEqual((one['ready'], one['bytesLimit'], one['whenFull'], one['state']), (1, 65536, 'block', 'paused'))
        self.assertIn(self.queue, [queue['name'] for queue in self.node.queues()])
        self.node.move(self.queue, self.look().lookup_id, f'{self.queue};later')
        self.assertEqual(self.node.purge(f'{self.queue};later'), 1)
        self.node.delete_queue(self.queue)
        self.refused('QUEUE_NOT_FOUND', self.node.queue, self.queue)

    def test_one_who_opens_it_alone_is_the_only_reader(self) -> None:
        self.node.send(self.queue, 'x')
        handle = self.node.open_queue(self.queue, share='alone')
        self.assertTrue(self.refused('SHARING_VIOLATION', self.node.receive, self.queue).is_retryable)
        self.take(handle=handle).ack()
        self.node.close_handle(handle)
        self.refused('HANDLE_UNKNOWN', self.node.receive, self.queue, handle=handle)

    def test_state(self) -> None:
        self.assertIn(self.node.health()['status'], ('green', 'red'))
        self.assertEqual(self.node.stats()['node'], 'box-1')
        self.assertRegex(self.node.version(), r'^\d+\.\d+\.\d+')
        self.assertEqual(self.node.holes(), [])
        sent = self.node.send(self.queue, 'x')
        self.assertEqual(self.node.close_holes(self.queue), 0)
        self.assertIn(f'/{self.queue}:', ' '.join(line['stream'] for line in self.node.ledger('box-1')['streams']))
        epoch = self.take().message.epoch['counter']
        self.assertEqual(self.node.outcome(sent.identity, epoch), 'kept')
        self.assertEqual([answer['at'] for answer in self.node.ping('box-1')], ['reached'])
        self.assertEqual(self.node.trace(sent.identity)[0], 'stored@box-1')

    def test_over_tls_a_token_has_its_rights(self) -> None:
        with Ringmail(url=os.environ['RINGMAIL_URL'], token=os.environ['RINGMAIL_TOKEN'], ca=os.environ['RINGMAIL_CA']) as remote:
            remote.send(self.queue, BYTES)
            for received in remote.stream(self.queue):
                self.assertEqual(received.message.body, BYTES)
                received.ack()
                break
            remote.send(self.queue, 'in')
            received = remote.receive(self.queue, wait_ms=5000)
            assert received is not None
            steps = [{'do': 'ack', 'lease': received.lease}, {'do': 'send', 'destination': self.queue, 'bodyText': 'out'}]
            first = remote.commit(steps, by=('remote-1', 1))
            self.assertEqual(remote.commit(steps, by=('remote-1', 1)), first)
            self.refused('LEASE_UNKNOWN', remote.commit, steps, by=('remote-1', 2))
            self.assertEqual(self.refused('ACCESS_DENIED', remote.purge, self.queue).details['needed'], 'admin')
        stranger = Ringmail(url=os.environ['RINGMAIL_URL'], token='guessed', ca=os.environ['RINGMAIL_CA'])
        self.refused('TOKEN_INVALID', stranger.send, self.queue)
        distrustful = Ringmail(url=os.environ['RINGMAIL_URL'], token='secret')
        self.refused('NODE_UNREACHABLE', distrustful.send, self.queue)


if __name__ == '__main__':
    unittest.main()
