"""Writes down what it gets, then acknowledges it: python3 receiver.py <socket> <stop file> <effects file>. Stops when nothing is left."""

import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', '..', 'clients', 'python'))

from ringmail import Ringmail, RingmailError  # noqa: E402

socket_path, stop_file, effects_file = sys.argv[1:]
node = Ringmail(socket_path)
effects = os.open(effects_file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
while True:
    try:
        is_last = os.path.exists(stop_file)
        received = node.receive('bags', wait_ms=200, lease_ms=5000)
        if received is None:
            if is_last:
                break
            continue
        os.write(effects, f'{received.message.identity} {received.message.text()}\n'.encode())
        received.ack()
    except RingmailError as error:
        if not error.is_retryable and error.code not in ('IN_DOUBT', 'LEASE_UNKNOWN'):
            raise
        if error.code == 'LEASE_UNKNOWN':
            print('late', flush=True)
        time.sleep(0.02)
