"""Following a how-to guide: its lines after `$` are run, its configurations used, word for word.

What a guide cannot know is swapped: ports, folders, host names, and keys that are made as it goes. A line that
serves until it is stopped runs beside the rest, as in another terminal; one that says `# exits 1` has to.
"""

import datetime as dt
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from processes import Party

PAGES = Path(__file__).resolve().parents[2] / "docs/how-to"
PATIENCE_S = 60
"""How long to wait for what has to come about; nothing is measured by it."""


def served_by(line):
    """Name what a line serves until it is stopped, by command and directory; None if it ends by itself."""
    words = line.split()
    match words:
        case ["pl", "serve" | "witness" as command, directory, *_] if "exits" not in words:
            return f"pl {command} {directory}"
        case ["pl", "mirror", _, directory, *options] if "--once" not in options:
            return f"pl mirror {directory}"
        case ["litestream", "replicate", *_]:
            return "litestream replicate"
    return None


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def until(holds, what):
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        try:
            if found := holds():
                return found
        except (httpx.HTTPError, OSError):
            pass
        time.sleep(0.05)
    raise AssertionError(f"never came about: {what}")


def listens(port):
    with socket.create_connection(("127.0.0.1", int(port)), timeout=1):
        return True


def make_certificate(directory):
    """Write `cert.pem` and `key.pem` for localhost; return their paths."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    start = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + dt.timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = directory / "cert.pem", directory / "key.pem"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return paths


class Follower:
    """Follows guides in one directory, with a keystore, swaps, and whatever runs beside."""

    def __init__(self, directory):
        self.directory = directory
        self.certificate, self.key = make_certificate(directory)
        self.swaps = {}
        self.beside = {}
        self._opened = []
        self.env = {
            **{name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ},
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(directory),
            "LANG": "C.UTF-8",
            "PSEUDOLEDGER_KEYS": str(directory / "keys"),
            "PSEUDOLEDGER_PASSPHRASE": "followed word for word",
            "SSL_CERT_FILE": str(self.certificate),
            "CURL_CA_BUNDLE": str(self.certificate),
        }

    def ports(self, *numbers):
        """Take a free port for each that guides name; return them."""
        taken = [free_port() for _ in numbers]
        self.swaps |= {str(number): str(port) for number, port in zip(numbers, taken, strict=True)}
        return taken

    def swapped(self, text, more=None):
        swaps = self.swaps | (more or {})
        if not swaps:
            return text
        names = sorted(swaps, key=len, reverse=True)
        pattern = "|".join(rf"\b{name}\b" if name.isdecimal() else re.escape(name) for name in names)
        return re.sub(pattern, lambda match: swaps[match[0]], text)

    # What a guide says

    def section(self, page, heading):
        """The text below a heading; what stands before the first one for ""."""
        text = (PAGES / f"{page}.md").read_text(encoding="utf-8")
        if not heading:
            return text.split("\n## ", 1)[0]
        assert f"\n## {heading}\n" in text, heading
        return text.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]

    def block(self, language, page, heading, place=0):
        """One fenced block of a section, swapped."""
        found = re.findall(
            rf"^```{language}\n(.*?)^```$", self.section(page, heading), re.DOTALL | re.MULTILINE
        )
        return self.swapped(found[place])

    def lines(self, page, heading):
        blocks = re.findall(r"^```console\n(.*?)^```$", self.section(page, heading), re.DOTALL | re.MULTILINE)
        found = [line[2:] for block in blocks for line in block.splitlines() if line.startswith("$ ")]
        assert found, heading
        return found

    # Following it

    def follow(self, page, heading, more=None, *, part=slice(None)):
        """Run the lines of a section; return what those printed that ended."""
        return "".join(self.run(self.swapped(line, more)) for line in self.lines(page, heading)[part])

    def run(self, line):
        name = served_by(line)
        if name is not None:
            self.start(name, line)
            return ""
        code = re.search(r"# exits (\d)", line)
        done = subprocess.run(
            ["bash", "-c", line], cwd=self.directory, env=self.env, capture_output=True, text=True, timeout=120, check=False
        )  # fmt: skip
        assert done.returncode == int(code[1] if code else 0), f"{line}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        return done.stdout + done.stderr

    def start(self, name, line):
        """Run a line beside the rest; what the same command serves there already is stopped first."""
        self.stop(name)
        log = self.directory / f"beside-{len(self._opened)}.log"
        self._opened.append(log)
        with log.open("wb") as file:
            self.beside[name] = subprocess.Popen(
                ["bash", "-c", f"exec {line}"], cwd=self.directory, env=self.env, stdout=file, stderr=file
            )
        if port := re.search(r"--port (\d+)", line):
            self.wait(name, lambda: listens(port[1]), log)

    def serve_with(self, name, arguments, port):
        """Run another program beside, until it listens."""
        log = self.directory / f"{name}.log"
        with log.open("wb") as file:
            self.beside[name] = subprocess.Popen(
                arguments, cwd=self.directory, env=self.env, stdout=file, stderr=file
            )
        self.wait(name, lambda: listens(port), log)

    def wait(self, name, holds, log):
        def ready():
            assert self.beside[name].poll() is None, log.read_text()
            return holds()

        until(ready, f"{name} is there: {log}")

    def stop(self, name, number=signal.SIGTERM):
        process = self.beside.pop(name, None)
        if process is not None:
            process.send_signal(number)
            process.wait(60)

    def close(self):
        for name in list(self.beside):
            self.stop(name)

    # nginx and Caddy

    def nginx(self, config, port, name="nginx"):
        """Run nginx with a piece of configuration from a guide."""
        folder = self.directory / name
        folder.mkdir()
        paths = "".join(
            f"{kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )  # fmt: skip
        user = "user root;\n" if os.geteuid() == 0 else ""
        (folder / "nginx.conf").write_text(
            f"{user}daemon off;\nworker_processes 1;\npid {folder}/pid;\nerror_log stderr;\n"
            f"events {{}}\nhttp {{\naccess_log off;\n{paths}{config}\n}}\n"
        )
        program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
        self.serve_with(
            name, [program, "-p", str(folder), "-e", "stderr", "-c", str(folder / "nginx.conf")], port
        )

    def caddy(self, config, port):
        """Run Caddy with a site from a guide; certificates are this test's, as Caddy would ask the world for one."""
        path = self.directory / "Caddyfile"
        certificate = f"tls {self.certificate} {self.key}"
        path.write_text(
            "{\nadmin off\nauto_https disable_redirects\nskip_install_trust\n}\n"
            + config.replace("{\n", f"{{\n    {certificate}\n", 1)
        )
        self.serve_with("caddy", ["caddy", "run", "--adapter", "caddyfile", "--config", str(path)], port)

    def party(self, ledger, number=7):
        """A party that signs for a ledger in a folder."""
        said = json.loads((self.directory / ledger / "ledger.json").read_text())
        self.swaps["did:key:z6Mk…"] = said["ledger_key"]
        return Party(number, said["ledger"])


def installed(name):
    return shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin") is not None
