"""Every command of the guide to voucher programmes runs, word for word, in an empty directory."""

import os
import subprocess
import sys
from pathlib import Path

import test_tutorial

PAGE = Path(__file__).resolve().parents[1] / "docs/how-to/run-a-voucher-programme.md"


def test_every_command_of_the_guide_runs(tmp_path):
    lines = test_tutorial.commands(PAGE)
    done = subprocess.run(
        ["bash", "-c", "set -e\n" + "\n".join(lines)],
        cwd=tmp_path,
        env={
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(tmp_path),
            "LANG": "C.UTF-8",
        },
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    for figure in ("12873.60 USD", "5793.12 USD", "7080.48 USD", "450.00 USD", "not with scarcity", "valid"):
        assert figure in done.stdout, figure
