"""Uses every name of docs/reference/library.md as its types promise. Nothing runs it: mypy reads it.

Calls that have to be refused by the type checker carry an ignore; mypy says so if one is not needed.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import assert_type

from pseudoledger.audit.verifier import Fault, Report, Verdict
from pseudoledger.audit.verifier import verify as verify_ledger
from pseudoledger.errors import (
    Finding,
    KeystoreError,
    MalformedError,
    PeerError,
    PeerUnreachable,
    PseudoledgerError,
    RegistrationRefused,
    StoreError,
    VerificationError,
)
from pseudoledger.identity.derivation import Pseudonym, Seed, scan
from pseudoledger.identity.keys import Signed, Signer, did_from_key, key_from_did, verify, verify_many
from pseudoledger.identity.keystore import Keystore
from pseudoledger.identity.last_signed import LastSigned
from pseudoledger.ledger.checkpoint import VerifiedCheckpoint, cosigner_key, log_key, verify_checkpoint
from pseudoledger.ledger.receipt import (
    VerifiedGrowth,
    VerifiedReceipt,
    verify_consistency_receipt,
    verify_receipt,
)
from pseudoledger.ledger.rows import EntryRow
from pseudoledger.ledger.store import Store
from pseudoledger.ledger.transparent import attach, detach
from pseudoledger.node.client import NodeClient, Stands
from pseudoledger.node.known import KnownLedger
from pseudoledger.registrar import Refused, Registered, Registrar, receipt_of
from pseudoledger.statement.envelope import Statement, decode, sign
from pseudoledger.statement.kinds import KINDS, Kind, kind_of
from pseudoledger.statement.payload import draft, parse, serialise
from pseudoledger.statement.sealed import OpenedField, open_field, seal


def keys(directory: Path) -> Signer:
    signer = Signer.generate()
    assert_type(key_from_did(signer.did), bytes)
    assert_type(did_from_key(signer.public_key), str)
    verify(signer.did, b"message", signer.sign(b"message"))
    for outcome in verify_many([Signed(signer.did, b"message", b"")]):
        assert outcome is None or isinstance(outcome, VerificationError)
    seed = Seed.from_words("abandon " * 23 + "art")
    assert_type(scan(seed, None, lambda did: did == signer.did), tuple[Pseudonym, ...])
    signer.did = "did:key:other"  # type: ignore[misc]
    return Keystore(directory).open("me", lambda _name: "passphrase")


def statements(signer: Signer, raw: bytes) -> bytes:
    ready = seal({"type": "demand.closed", "v": 1}, aud="", iss=signer.did, random=os.urandom)
    payload = draft(ready.tree)
    assert_type(kind_of(payload), Kind)
    assert_type(KINDS, MappingProxyType[tuple[str, int], Kind])
    statement = decode(sign(signer, parse(serialise(payload)), sub="", aud=None, iat=0))
    assert_type(statement, Statement)
    for text in ready.disclosures:
        assert_type(open_field(statement, text), OpenedField)
    statement.iat = 1  # type: ignore[misc]
    sign(signer, payload, sub="", aud=None, iat=0.5)  # type: ignore[arg-type]
    return attach(detach(raw).statement, detach(raw).receipts)


def ledger(directory: Path, signer: Signer, raw: bytes) -> bytes:
    last_signed = LastSigned(directory / "last-signed")
    with Registrar.open(directory, signer=signer, last_signed=last_signed, clock=lambda: 0) as registrar:
        for answer in registrar.register([raw], dry_run=True):
            match answer:
                case Registered(index=index):
                    assert_type(index, int)
                case Refused(findings=findings):
                    assert_type(findings, tuple[Finding, ...])
        registrar.register(raw)  # type: ignore[arg-type]
    store = Store.open_reader(directory)
    assert_type(store.entry(0), EntryRow | None)
    return receipt_of(store, "city.example/compute", 0)


def proofs(receipt: bytes, statement: bytes, note: bytes, signer: Signer) -> None:
    origin = "city.example/compute"
    assert_type(verify_receipt(receipt, statement, signer.did, origin), VerifiedReceipt)
    growth = verify_consistency_receipt(receipt, 1, bytes(32), signer.did, origin)
    assert_type(growth, VerifiedGrowth)
    known = [log_key(origin, signer.public_key)]
    witnesses = [cosigner_key("witness.example/w1", signer.public_key)]
    assert_type(verify_checkpoint(note, origin, known, witnesses), VerifiedCheckpoint)


def node(raw: bytes, token: str, known: KnownLedger) -> list[bytes]:
    with NodeClient("https://node.example", ledger_key="did:key:z6Mk", known=known, token=token) as client:
        assert_type(client.known, KnownLedger)
        assert_type(client.checkpoint(), VerifiedCheckpoint)
        try:
            assert_type(client.submit(raw), Stands)
        except PeerUnreachable:
            return []
        for answer in client.try_out([raw]):
            assert_type(answer, Registered | Refused)
        assert_type(client.thing("lease", "0" * 64), bytes | None)
        client.submit([raw])  # type: ignore[arg-type]
        many = client.submit_many([raw])
        return [item.receipt for item in many if isinstance(item, Stands)] + [client.statement("0" * 64)]


def audit(directory: Path) -> Mapping[str, Fault]:
    try:
        report = verify_ledger(directory, ledger_key=None)
    except (MalformedError, StoreError, PeerError, KeystoreError, RegistrationRefused) as error:
        raise PseudoledgerError(error.message, hint=error.hint) from error
    assert_type(report, Report)
    assert report.verdict is Verdict.VALID
    return {fault.place: fault for fault in report.faults}
