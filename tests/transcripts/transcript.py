"""Dialogues with the command line, played through its own entry point.

A transcript is text: lines that begin with `$ ` are commands, what follows is what they print, `! ` marks
stderr, and `-> N` is an exit code other than 0. Ids, keys and folders differ from run to run and stand as
<id>, <did>, <dir>; the same id always as the same letter. Run this file to write the transcripts anew.
"""

import contextlib
import io
import os
import re
import shlex
import sys
import tempfile
from pathlib import Path

from pseudoledger.cli.main import run

HERE = Path(__file__).parent
NAMES = sorted(path.name for path in HERE.glob("*.txt"))
_CHANGING = re.compile(
    r"did:key:z6Mk[1-9A-HJ-NP-Za-km-z]{44}|z6Mk[1-9A-HJ-NP-Za-km-z]{10}…|\b[0-9a-f]{64}\b|\b[0-9a-f]{12}\b"
)
_BASE64 = re.compile(r"(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{43}=")
_HASH = re.compile(r"\b[0-9a-f]{16}…")
_DIGEST = re.compile(r"\"[A-Za-z0-9_-]{43}\"")
_RUN = re.compile(r"\bD-[0-9a-f]{32}\b")
_PATH = re.compile(r"m/1886152036'/[0-9]+'")
_WORDS = re.compile(r"(words +)([a-z]+ ){23}[a-z]+")


class Names:
    """Gives everything that changes from run to run a steady name."""

    def __init__(self, folder):
        self.folder, self.known = str(folder), {}

    def steady(self, text):
        text = text.replace(self.folder, "<dir>")
        for pattern, word in (
            (_HASH, "<hash>"),
            (_BASE64, "<root>"),
            (_DIGEST, '"<digest>"'),
            (_RUN, "<run>"),
            (_PATH, "m/1886152036'/<ledger>'"),
            (_WORDS, r"\1<24 words>"),
        ):
            text = pattern.sub(word, text)
        return _CHANGING.sub(self._name, text)

    def _name(self, match):
        found = match[0]
        if found.startswith(("did:", "z6Mk")):
            begin = found.removeprefix("did:key:")[:14]
            return f"<did {self.known.setdefault(begin, len(self.known) + 1)}>"
        # A shortened id and the whole one are the same thing.
        number = self.known.setdefault(found[:12], len(self.known) + 1)
        return f"<id {number}>" if len(found) == 64 else f"<short {number}>"


def play(text, folder):
    """Play the commands of a transcript in a folder; return the transcript with what they print now."""
    names, lines, environ = Names(folder), [], dict(os.environ)
    before = Path.cwd()
    for name in [name for name in os.environ if name.startswith("PSEUDOLEDGER_")]:
        del os.environ[name]
    os.environ["PSEUDOLEDGER_KEYS"] = f"{folder}/keys"
    os.chdir(folder)
    try:
        for line in text.splitlines():
            if line.startswith("# "):
                lines += [*([""] if lines else []), line]
            elif line.startswith("$ "):
                lines += [line, *(names.steady(said) for said in _command(line[2:]))]
    finally:
        os.chdir(before)
        os.environ.clear()
        os.environ.update(environ)
    return "".join(f"{line.rstrip()}\n" for line in lines)


def _command(line):
    words = shlex.split(line)
    match words[0]:
        case "export":
            os.environ.update([words[1].split("=", 1)])
        case "unset":
            os.environ.pop(words[1], None)
        case "write":
            Path(words[1]).write_text(words[2].replace("\\n", "\n"), encoding="utf-8")
        case "mode":
            Path(words[2]).chmod(int(words[1], 8))
        case "pl":
            return _run(words[1:])
    return []


def _run(words):
    said, complained = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(complained), _no_terminal():
        code = run(words)
    lines = [*said.getvalue().splitlines(), *(f"! {line}" for line in complained.getvalue().splitlines())]
    return [*lines, *([f"-> {code}"] if code else [])]


@contextlib.contextmanager
def _no_terminal():
    before, sys.stdin = sys.stdin, io.StringIO("")
    try:
        yield
    finally:
        sys.stdin = before


def main():
    for name in NAMES:
        path = HERE / name
        with tempfile.TemporaryDirectory() as folder:
            path.write_text(play(path.read_text(encoding="utf-8"), Path(folder).resolve()), encoding="utf-8")


if __name__ == "__main__":
    main()
