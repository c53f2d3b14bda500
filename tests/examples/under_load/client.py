"""An HTTP client that counts. Half of its connections stay open for as long as the server lets them.

    client.py HOST PORT REQUESTS

Says when it has sent that many requests, and goes on until SIGTERM; then it prints what it has counted, as JSON. A
request has failed if it gets no whole answer with 200: nothing is sent twice.
"""

import asyncio
import collections
import json
import signal
import sys

AT_ONCE = 16
PATIENCE = 20.0
"""Seconds without an answer after which a request has failed."""


async def exchange(connection, address):
    """One request; returns the connection if it stays open, and the answer's first word."""
    reader, writer = connection or await asyncio.open_connection(*address)
    writer.write(b"GET / HTTP/1.1\r\nHost: web\r\n\r\n")
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.partition(b"Content-Length: ")[2].split(b"\r\n")[0])
    body = await reader.readexactly(length)
    if not head.startswith(b"HTTP/1.1 200 "):
        raise ValueError(head.split(b"\r\n")[0].decode())
    stays = b"Connection: keep-alive" in head
    if not stays:
        writer.close()
    return (reader, writer) if stays else None, body.decode().split()[0]


async def main(host: str, port: int, requests: int) -> None:
    ending = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ending.set)
    count = collections.Counter()
    failed, versions = collections.Counter(), collections.Counter()

    async def work(keeps: bool) -> None:
        connection = None
        while not ending.is_set():
            count["sent"] += 1
            if count["sent"] == requests:
                print("enough", flush=True)
            reused = connection is not None
            try:
                async with asyncio.timeout(PATIENCE):
                    connection, version = await exchange(connection, (host, port))
                versions[version] += 1
                count["on open connections"] += reused
            except (OSError, ValueError, EOFError, TimeoutError) as error:
                failed[f"{type(error).__name__}: {error}{' (open connection)' if reused else ''}"] += 1
                connection = None
            if connection is not None and not keeps:
                connection[1].close()
                connection = None

    print("begun", flush=True)
    await asyncio.gather(*(work(number % 2 == 0) for number in range(AT_ONCE)))
    print(json.dumps({**count, "failed": failed, "versions": versions}), flush=True)


asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
