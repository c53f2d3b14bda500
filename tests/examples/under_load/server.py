"""An HTTP server that ends well: after SIGTERM it answers what still comes, and has clients close their connections.

server.py PORT VERSION
"""

import asyncio
import os
import signal
import sys


async def main(port: int, version: str) -> None:
    ending, connections = asyncio.Event(), 0
    idle = asyncio.Condition()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ending.set)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                last = ending.is_set()
                body = f"{version} {os.uname().nodename}\n".encode()
                said = "close" if last else "keep-alive"
                head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: {said}\r\n\r\n"
                writer.write(head.encode() + body)
                await writer.drain()
                if last:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()
            connections -= 1
            async with idle:
                idle.notify_all()

    server = await asyncio.start_server(serve, "0.0.0.0", port, backlog=512)
    await ending.wait()
    server.close()
    async with idle:
        await idle.wait_for(lambda: not connections)


asyncio.run(main(int(sys.argv[1]), sys.argv[2]))
