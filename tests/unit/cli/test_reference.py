"""docs/reference/cli.md says what the commands say."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def test_the_page_is_in_step():
    sys.path.insert(0, str(ROOT / "tools"))
    try:
        from commands import cli_page
    finally:
        sys.path.remove(str(ROOT / "tools"))
    page = (ROOT / "docs/reference/cli.md").read_text(encoding="utf-8")
    assert page == cli_page(), "run make docs"
    assert page.count("```sh\npl ") == page.count("```sh\n") > 60
