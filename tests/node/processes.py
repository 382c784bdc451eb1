"""Real processes of this program, started and stopped by tests, and parties that sign for their ledgers."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

from pseudoledger.identity.keys import Signer
from pseudoledger.statement import envelope, payload, sealed

PROGRAM = (str(Path(sys.executable).with_name("pseudoledger")),)


class Running:
    """A process that says `… at URL` once it listens."""

    def __init__(self, *arguments, env):
        # A file: a pipe that nobody reads holds 64 KiB of log, and then the process waits for ever.
        self._errors = tempfile.TemporaryFile("a+", encoding="utf-8")  # noqa: SIM115 - closed by `close`
        self.process = subprocess.Popen(
            [*PROGRAM, *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env=env,
        )
        self.said = self.process.stdout.readline().strip()
        self.url = self.said.rpartition(" at ")[2]
        if not self.url:
            self.process.communicate(timeout=60)
            said = self.errors()
            self.close()
            raise AssertionError(f"it did not start: {said}")

    def errors(self):
        """Return what it said on standard error so far."""
        self._errors.seek(0)
        return self._errors.read()

    def close(self):
        """Give the streams back."""
        self.process.stdout.close()
        self._errors.close()

    def stop(self, number=signal.SIGTERM):
        """Stop it; return its exit code and what it said on standard error."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        self.process.communicate(timeout=60)
        return self.process.returncode, self.errors()


class Place:
    """A directory with a keystore, in which commands run."""

    def __init__(self, directory: Path):
        self.directory = directory
        self.env = os.environ | {"PSEUDOLEDGER_KEYS": str(directory / "keys")}
        for name in ("PSEUDOLEDGER_DIR", "PSEUDOLEDGER_NOW", "PSEUDOLEDGER_PASSPHRASE", "PSEUDOLEDGER_NODE"):
            self.env.pop(name, None)

    def pl(self, *arguments, code=0):
        """Run a command to its end; return what it printed."""
        done = subprocess.run(
            [*PROGRAM, *map(str, arguments)],
            check=False,
            capture_output=True,
            text=True,
            env=self.env,
            cwd=self.directory,
            timeout=120,
        )
        assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout if code == 0 else done.stdout + done.stderr

    @contextmanager
    def running(self, *arguments):
        """Run a serving command; it is stopped, or killed, at the end."""
        running = Running(*arguments, env=self.env)
        try:
            yield running
        finally:
            if running.process.poll() is None:
                running.stop()
            running.close()


ORIGIN = "node.example/test"


class Party:
    """Signs for one ledger."""

    def __init__(self, number: int, ledger: str):
        self.signer = Signer.from_seed(bytes([number]) * 32)
        self.ledger = ledger

    def sign(self, tree, *, iat=None, sub=None):
        tree = {"v": 1, **tree}
        ready = sealed.seal(tree, aud=self.ledger, iss=self.signer.did, random=os.urandom)
        return envelope.sign(
            self.signer,
            payload.draft(ready.tree),
            sub=sub or self.signer.did,
            aud=self.ledger,
            iat=int(time.time()) if iat is None else iat,
        )

    def pool(self, number, **changes):
        line = {"id": "chip", "resource": "chip", "chip": "nvidia-h200-sxm-141gb", "count": 8}
        return self.sign({"type": "pool.declared", "number": number, "lines": [line], **changes})


class Founded:
    """A place with a founded ledger in `ledger`."""

    def __init__(self, place: Place):
        self.place = place
        place.pl("init", "ledger", "--origin", ORIGIN, "--unsealed")
        self.directory = place.directory / "ledger"
        description = json.loads((self.directory / "ledger.json").read_text())
        self.id, self.key = description["ledger"], description["ledger_key"]

    def party(self, number=7):
        return Party(number, self.id)

    def serve(self, *options):
        """Serve it on a free port."""
        return self.place.running("serve", self.directory, "--port", "0", *options)

    def verified(self):
        """Verify it, and return the report."""
        return json.loads(self.place.pl("verify", "ledger", "--key", self.key, "--json"))
