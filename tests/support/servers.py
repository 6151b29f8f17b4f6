"""HTTP server on the loopback interface that serves a folder, correctly or with faults."""

import hashlib
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit


@dataclass
class Exchange:
    """One request and the methods to respond to it."""

    handler: BaseHTTPRequestHandler
    content: bytes
    number: int  # of this request among those for the same file, from 1

    @property
    def etag(self) -> str:
        return f'"{hashlib.sha1(self.content, usedforsecurity=False).hexdigest()}"'

    @property
    def start(self) -> int:
        """Return the byte from which the client may resume."""
        asked = self.handler.headers.get("Range")
        if asked is None or self.handler.headers.get("If-Range") != self.etag:
            return 0
        return int(asked.removeprefix("bytes=").removesuffix("-"))

    def head(
        self, status: int = 200, start: int = 0, headers: Mapping[str, str | None] | None = None
    ) -> None:
        """Send status and headers; a header that is `None` is omitted."""
        size = len(self.content)
        self.handler.send_response(206 if start else status)
        sent: dict[str, str | None] = {"Content-Length": str(size - start), "ETag": self.etag}
        if start:
            sent["Content-Range"] = f"bytes {start}-{size - 1}/{size}"
        sent.update(headers or {})
        for name, value in sent.items():
            if value is not None:
                self.handler.send_header(name, value)
        self.handler.end_headers()

    def send(self, content: bytes) -> None:
        self.handler.wfile.write(content)
        self.handler.wfile.flush()

    def drop(self) -> None:
        self.handler.close_connection = True
        self.handler.connection.shutdown(socket.SHUT_RDWR)


Mode = Callable[[Exchange], None]


def complete(exchange: Exchange) -> None:
    exchange.head(start=exchange.start)
    exchange.send(exchange.content[exchange.start :])


def without_ranges(mode: Mode) -> Mode:
    def ignoring(exchange: Exchange) -> None:
        del exchange.handler.headers["Range"]
        mode(exchange)

    return ignoring


def interrupts(times: int, share: float = 0.5) -> Mode:
    """End the first responses for a file after a share of the remaining bytes."""

    def mode(exchange: Exchange) -> None:
        if exchange.number > times:
            complete(exchange)
            return
        left = exchange.content[exchange.start :]
        exchange.head(start=exchange.start)
        exchange.send(left[: int(len(left) * share)])
        exchange.drop()

    return mode


def responds(status: int, times: int = 1_000_000) -> Mode:
    def mode(exchange: Exchange) -> None:
        if exchange.number > times:
            complete(exchange)
            return
        exchange.content = b"no"
        exchange.head(status)
        exchange.send(exchange.content)

    return mode


def wrong_byte(exchange: Exchange) -> None:
    middle = len(exchange.content) // 2
    altered = bytearray(exchange.content)
    altered[middle] ^= 1
    exchange.content = bytes(altered)
    complete(exchange)


def stalls(exchange: Exchange) -> None:
    time.sleep(30)


def stalls_halfway(exchange: Exchange) -> None:
    exchange.head()
    exchange.send(exchange.content[: len(exchange.content) // 2])
    time.sleep(30)


def drips(exchange: Exchange) -> None:
    """Send a byte every 0.2 seconds: each wait is short, but the file would take hours."""
    exchange.head()
    for byte in exchange.content:
        exchange.send(bytes([byte]))
        time.sleep(0.2)


def drips_headers(exchange: Exchange) -> None:
    exchange.send(b"HTTP/1.1 200 OK\r\n")
    for number in range(150):
        exchange.send(b"X-%d: y\r\n" % number)
        time.sleep(0.2)


def slow(bytes_a_second: int) -> Mode:
    def mode(exchange: Exchange) -> None:
        exchange.head(start=exchange.start)
        step = max(1, bytes_a_second // 20)
        for at in range(exchange.start, len(exchange.content), step):
            exchange.send(exchange.content[at : at + step])
            time.sleep(0.05)

    return mode


def declares_more(exchange: Exchange) -> None:
    exchange.head(headers={"Content-Length": str(len(exchange.content) + 100)})
    exchange.send(exchange.content)
    exchange.drop()


def without_length(share: float) -> Mode:
    def mode(exchange: Exchange) -> None:
        exchange.head(headers={"Content-Length": None, "Connection": "close"})
        exchange.send(exchange.content[: int(len(exchange.content) * share)])
        exchange.drop()

    return mode


def redirects(to: str) -> Mode:
    def mode(exchange: Exchange) -> None:
        exchange.content = b""
        exchange.head(302, headers={"Location": to})

    return mode


class FileServer:
    """Server for the files of a folder; `mode` or `modes[name]` determines the response."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.mode: Mode = complete
        self.modes: dict[str, Mode] = {}
        self.requested: list[tuple[str, str | None]] = []  # file, Range
        self.authorizations: set[str | None] = set()
        self._numbers: Counter[str] = Counter()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                outer._answer(self)

            def log_message(self, *_: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            block_on_close = False

            def handle_error(self, *_: Any) -> None:
                pass  # clients that are killed or give up are part of the tests

        self._server = Server(("127.0.0.1", 0), Handler)

    @property
    def port(self) -> int:
        return self._server.server_address[1]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/some/folder"

    def names(self) -> list[str]:
        return [name for name, _ in self.requested]

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        name = unquote(urlsplit(handler.path).path).rpartition("/")[2]
        self.requested.append((name, handler.headers.get("Range")))
        self.authorizations.add(handler.headers.get("Authorization"))
        self._numbers[name] += 1
        path = self.folder / name
        if not path.is_file():
            handler.send_error(404)
            return
        exchange = Exchange(handler, path.read_bytes(), self._numbers[name])
        self.modes.get(name, self.mode)(exchange)

    def start(self) -> None:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def serving(folder: Path, mode: Mode = complete) -> Iterator[FileServer]:
    server = FileServer(folder)
    server.mode = mode
    server.start()
    try:
        yield server
    finally:
        server.stop()


def refusing_url() -> str:
    """Return a URL with a port that refuses connections."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{taken.getsockname()[1]}/folder"
