"""Counts the words of all entries: waits for new ones at the store and hands the counts back."""

import collections
import json
import os
import signal
import sys
import time
import urllib.request

STORE = os.environ["STORE"]


def ask(method: str, path: str, value: object = None) -> list:
    data = None if value is None else json.dumps(value).encode()
    with urllib.request.urlopen(urllib.request.Request(STORE + path, data=data, method=method), timeout=20) as reply:
        return json.load(reply)


signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
print("worker: counting", flush=True)
words: collections.Counter[str] = collections.Counter()
seen = 0
while True:
    try:
        for entry in ask("GET", f"/entries/after/{seen}"):
            words.update(entry["text"].lower().split())
            seen += 1
        ask("PUT", "/counts", words)
    except OSError as error:
        print(f"worker: store not there ({error}), trying again", flush=True)
        time.sleep(0.2)
