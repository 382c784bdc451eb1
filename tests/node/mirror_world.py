"""Histories signed by hand, their tiles on a static file server, and mirrors of them."""

import functools
import sys
import threading
from contextlib import closing, contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

# The hands that forge ledgers for the fault tests forge them here too.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "faults"))

import small_ledger
from small_ledger import founding, publish_by_hand, row, sign

from pseudoledger.errors import MalformedError
from pseudoledger.identity.keys import Signer
from pseudoledger.ledger.export import export_tiles
from pseudoledger.ledger.rows import EntryRow
from pseudoledger.ledger.store import Store
from pseudoledger.node.mirror import Mirror
from pseudoledger.statement import envelope, sealed

FIRST = founding(clock="simulated")
LEDGER_ID = envelope.decode(FIRST).id
IAT = envelope.decode(FIRST).iat


def pool(number, *, count=8, party=7, iat=IAT):
    """A lessor's pool of chips; a count of 0 is what the form refuses."""
    who = Signer.from_seed(bytes([party]) * 32)
    line = {"id": "chip", "resource": "chip", "chip": "nvidia-h200-sxm-141gb", "count": count}
    tree = {"type": "pool.declared", "v": 1, "number": f"P-{number}", "lines": [line]}
    ready = sealed.seal(tree, aud=LEDGER_ID, iss=who.did, random=lambda size: bytes([number]) * size)
    return sign(who, ready.tree, sub=who.did, aud=LEDGER_ID, iat=iat)


def batches(*numbers, **changes):
    """The founding, then a block for each pool."""
    return [[FIRST], *([pool(number, **changes)] for number in numbers)]


def publish(directory, history, **options):
    """Sign a history by hand, and export its tiles to `directory/out`."""
    publish_by_hand(directory / "ledger", history, **options)
    return export(directory)


def publish_anything(directory, history):
    """Publish by hand also what is no statement at all, and what stands twice."""

    def lenient(index, raw):
        try:
            return row(index, raw)
        except MalformedError:
            return EntryRow(index=index, statement=raw, id=index.to_bytes(32).hex(), type="", issuer="")

    small_ledger.row = lenient
    try:
        return publish(directory, history, unique=False)
    finally:
        small_ledger.row = row


def export(directory):
    with closing(Store.open_reader(directory / "ledger")) as store:
        export_tiles(store, directory / "out")
    return directory / "out"


class _Quiet(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass


@contextmanager
def serving(directory, handler=_Quiet):
    """Serve a directory on a free port of loopback; yields the URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(handler, directory=str(directory)))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def mirrored(url, directory, **options):
    """Catch up once, and let go."""
    with closing(Mirror(url, directory, **options)) as mirror:
        return mirror.once()


def entries(directory):
    with closing(Store.open_reader(directory)) as store:
        return [row.statement for row in store.entries()]


Quiet = _Quiet
