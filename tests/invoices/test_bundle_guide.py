"""The guide to bundles: every command of it that stands in a dialogue runs, word for word."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "how-to" / "make-a-bundle.md"


def test_every_command_runs(office, tmp_path):
    blocks = re.findall(r"^```console\n(.*?)^```$", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    lines = [line.removeprefix("$ ") for block in blocks for line in block.splitlines()]
    assert len(lines) == 7
    environment = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "LANG": "C.UTF-8",
        "PSEUDOLEDGER_DIR": str(office.folder / "led"),
        "PSEUDOLEDGER_KEYS": str(office.folder / "keys"),
        "PYTHONPATH": str(ROOT / "src"),
    }
    done = subprocess.run(
        ["bash", "-ec", "\n".join(lines)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert "Verified: the bundle holds" in done.stdout
    assert json.loads((tmp_path / "report.json").read_text())["trusted"] == "named key"
    assert "disclosed" in (tmp_path / "L1.html").read_text("utf-8")
