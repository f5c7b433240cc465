"""Sends 1, 2, 3 ... as the producer `python`: python3 sender.py <socket> <stop file>. Says the last number when it stops."""

import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', '..', 'clients', 'python'))

from ringmail import Ringmail  # noqa: E402

socket_path, stop_file = sys.argv[1:]
producer = Ringmail(socket_path).producer('python')
number = producer.number
while not os.path.exists(stop_file):
    producer.send('bags', f'python {number}')
    number += 1
    assert producer.number == number
    time.sleep(0.004)
print(f'last {number - 1}')
