"""Real processes of this program, started and stopped by tests."""

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

PROGRAM = (str(Path(sys.executable).with_name("pseudoledger")),)


class Running:
    """A process that says `… at URL` once it listens."""

    def __init__(self, *arguments, env):
        self.process = subprocess.Popen(
            [*PROGRAM, *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=env,
        )
        self.said = self.process.stdout.readline().strip()
        self.url = self.said.rpartition(" at ")[2]
        if not self.url:
            _, errors = self.process.communicate(timeout=60)
            raise AssertionError(f"it did not start: {errors}")

    def stop(self, number=signal.SIGTERM):
        """Stop it; return its exit code and what it said on standard error."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        _, errors = self.process.communicate(timeout=60)
        return self.process.returncode, errors


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
            for stream in (running.process.stdout, running.process.stderr):
                stream.close()
