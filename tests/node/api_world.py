"""A ledger with a month of business on it, served in process; and a node that tells lies."""

import asyncio
import base64
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx

from pseudoledger.demo.play import play
from pseudoledger.node.app import create_app
from pseudoledger.node.node import Node, Role
from pseudoledger.node.reading import Reader
from pseudoledger.node.submission import Receipted, Unavailable
from pseudoledger.registrar import Refused


def play_month(directory):
    """Play the demo's month; return its stage, the ledger still open."""
    return play(directory, seed=1, tell=lambda _scene: None)


class Direct:
    """A way in that registers at once, in the thread that asks; `open` false stands for a failed ledger."""

    def __init__(self, registrar):
        self.registrar, self.open = registrar, True

    async def submit(self, statements):
        if not self.open:
            raise Unavailable("closed for the test")
        return [
            answer
            if isinstance(answer, Refused)
            else Receipted(
                id=answer.id,
                index=answer.index,
                known=answer.known,
                receipt=self.registrar.receipt(answer.index),
            )
            for answer in self.registrar.register(statements)
        ]

    async def try_out(self, statements):
        return self.registrar.register(statements, dry_run=True)


class World:
    """The application over a played month, asked in process."""

    def __init__(self, directory):
        self.stage = play_month(directory)
        self.reader = Reader(directory / "ledger")
        self.submitter = Direct(self.stage.registrar)
        self.node = Node(
            reader=self.reader,
            submitter=self.submitter,
            role=Role.FOUNDER,
            now=lambda: self.stage.now,
            forks=directory / "forks",
        )
        self.app = create_app(self.node)

    def get(self, path, **options):
        async def ask():
            transport = httpx.ASGITransport(app=self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://node.test") as http:
                return await http.get(path, **options)

        return asyncio.run(ask())

    def json(self, path, **params):
        answer = self.get(path, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def walk(self, path, **params):
        """Every item of a list, page by page."""
        items, cursor = [], None
        while True:
            page = self.json(path, **params, **({"cursor": cursor} if cursor else {}))
            items += page["items"]
            cursor = page["next"]
            if cursor is None:
                return items

    def close(self):
        self.reader.close()
        self.stage.registrar.close()


class Twisting(BaseHTTPRequestHandler):
    """Passes requests on to a real node and lets the test twist what it answers."""

    protocol_version = "HTTP/1.1"

    def _pass_on(self, method):
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else None
        self.server.seen.append((method, self.path, dict(self.headers), body))
        with httpx.Client(base_url=self.server.upstream, timeout=30) as http:
            kept = {
                name: value
                for name, value in self.headers.items()
                if name.lower() in {"accept", "content-type", "authorization"}
            }
            answer = http.request(method, self.path, content=body, headers=kept)
        status, headers, content = self.server.twist(
            method, self.path, body, (answer.status_code, dict(answer.headers), answer.content)
        )
        if status is None:
            self.close_connection = True
            return
        self.send_response(status)
        for name in ("content-type", "location", "retry-after"):
            if name in headers:
                self.send_header(name, headers[name])
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_GET(self):
        self._pass_on("GET")

    def do_POST(self):
        self._pass_on("POST")

    def log_message(self, *_arguments):
        pass


@contextmanager
def between(upstream, twist):
    """A node between the client and a real one; `twist(method, path, sent, (status, headers, body))` answers."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Twisting)
    server.upstream, server.twist, server.seen, server.daemon_threads = upstream, twist, [], True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        server.url = f"http://127.0.0.1:{server.server_address[1]}"
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def b64(raw):
    return base64.b64encode(raw).decode()
