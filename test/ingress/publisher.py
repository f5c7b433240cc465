"""Publishes numbers with paho until the file `stop` is there, then until all are answered, and says how many those were."""
import os
import sys
import time

import paho.mqtt.client as mqtt

port, qos, topic, stop = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
answered = set()
options = {"client_id": f"paho-{qos}", "clean_session": False}
if hasattr(mqtt, "CallbackAPIVersion"):  # paho 2
    options["callback_api_version"] = mqtt.CallbackAPIVersion.VERSION1
client = mqtt.Client(**options)
client.reconnect_delay_set(min_delay=1, max_delay=1)
# No lock here: paho holds one of its own while it calls.
client.on_publish = lambda _client, _userdata, mid: answered.add(mid)
client.connect("127.0.0.1", port)
client.loop_start()
waiting = []
count = 0
while count < 60000 and not os.path.exists(stop):
    waiting = [mid for mid in waiting if mid not in answered]
    if len(waiting) < 50:
        waiting.append(client.publish(topic, str(count), qos=qos).mid)
        count += 1
    time.sleep(0.001)
while not all(mid in answered for mid in waiting):
    time.sleep(0.01)
print("published", count, flush=True)
client.disconnect()
client.loop_stop()
