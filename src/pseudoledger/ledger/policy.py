"""Trust policies, C2SP tlog-policy: which logs and witnesses are known, and which witnesses suffice.

    log city.example/compute+e358bee1+AYqI...                    a log, by its verifier key (type 0x01)
    witness X1 witness.example/w1+df1c0a35+BIE5... [URL]         a witness (type 0x04), named for this file alone
    group X 2 X1 X2 X3                                           k, `any` or `all` of names defined above
    quorum X                                                     exactly one; `none` asks for no cosignature

A policy says how to judge a checkpoint and nothing else: it is met if one of its logs signed and the quorum
cosigned. Names are octets, compared as such; a file that is not UTF-8 keeps them apart all the same. ML-DSA-44
keys (type 0x06) are refused, as everywhere a key is configured: see docs/adr/0009-ed25519-cosignatures.md.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from pseudoledger.errors import InvalidSignature, MalformedError, QuorumNotMet
from pseudoledger.ledger.checkpoint import (
    VerifiedCheckpoint,
    parse_checkpoint,
    verify_checkpoint,
)
from pseudoledger.ledger.note import SignatureType, VerifierKey, format_vkey, parse_note, parse_vkey

POLICY_BYTES_MAX = 1 << 20
"""Longest policy read."""

NAMED_MAX = 1_024
"""Most logs, most witnesses and most groups of a policy; the specification asks for at least 32 of each."""

NO_QUORUM = "none"
"""The predefined name of the quorum that asks for nothing."""

_SPACE = re.compile(rb"[ \t]+")
_FORBIDDEN = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]")
_NUMBER = re.compile(r"[1-9][0-9]{0,3}")


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyLog:
    """A log whose checkpoints count."""

    key: VerifierKey
    """Its key; the key's name is the log's origin."""
    url: str = ""
    """Where it is, "" where the policy does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyWitness:
    """A witness whose cosignatures count."""

    name: str
    """Its name in this file."""
    key: VerifierKey
    """Its key, under the name that stands in its signature lines."""
    url: str = ""
    """Where it takes checkpoints (its submission prefix), "" where the policy does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyGroup:
    """A group that witnessed a checkpoint if at least `threshold` of its members did."""

    name: str
    threshold: int
    members: tuple[str, ...]
    """Names of witnesses and groups defined before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustPolicy:
    """A policy as it was read. Made by `parse_policy` or `of_log`, which see that its names hold together."""

    logs: tuple[PolicyLog, ...] = ()
    witnesses: tuple[PolicyWitness, ...] = ()
    groups: tuple[PolicyGroup, ...] = ()
    """In the order of their lines: each refers to earlier ones only."""
    quorum: str = NO_QUORUM
    """Name of a witness or group, or `none`."""

    @classmethod
    def of_log(cls, key: VerifierKey) -> TrustPolicy:
        """Return the policy that asks for the signature of one log and for no witness."""
        return cls(logs=(PolicyLog(key=key),))

    def log_keys(self, origin: str) -> tuple[VerifierKey, ...]:
        """Return the keys that the policy knows for an origin."""
        return tuple(log.key for log in self.logs if log.key.name == origin)

    def witness_keys(self) -> tuple[VerifierKey, ...]:
        """Return the keys of all witnesses."""
        return tuple(witness.key for witness in self.witnesses)

    def is_met(self, cosigned: Collection[str]) -> bool:
        """Tell whether the witnesses with these names are a quorum."""
        if self.quorum == NO_QUORUM:
            return True
        witnessed = set(cosigned) & {witness.name for witness in self.witnesses}
        for group in self.groups:
            if sum(member in witnessed for member in group.members) >= group.threshold:
                witnessed.add(group.name)
        return self.quorum in witnessed


def verify_with_policy(
    raw: bytes, policy: TrustPolicy, *, log_keys: Sequence[VerifierKey] = ()
) -> VerifiedCheckpoint:
    """Check that a log of the policy, or one of `log_keys`, signed a checkpoint, and that a quorum cosigned it.

    Raises:
        MalformedError: the bytes are no signed checkpoint, or two keys share name and key id.
        InvalidSignature: the policy knows no log of this origin, no such log signed, or a signature by a
            known key does not verify.
        QuorumNotMet: too few of the witnesses cosigned.
    """
    origin = parse_checkpoint(parse_note(raw).text).origin
    known = tuple(dict.fromkeys((*policy.log_keys(origin), *(key for key in log_keys if key.name == origin))))
    if not known:
        raise InvalidSignature(
            f"no known log has the origin {origin}", hint="the policy needs a line: log VKEY"
        )
    verified = verify_checkpoint(raw, origin, known, policy.witness_keys())
    check_quorum(policy, verified)
    return verified


def check_quorum(policy: TrustPolicy, verified: VerifiedCheckpoint) -> None:
    """Check that a verified checkpoint carries enough cosignatures; raise QuorumNotMet if not."""
    signed = {item.key for item in verified.cosignatures}
    names = [witness.name for witness in policy.witnesses if witness.key in signed]
    if not policy.is_met(names):
        missing = [witness.name for witness in policy.witnesses if witness.key not in signed]
        raise QuorumNotMet(
            f"the quorum {policy.quorum} is not met for size {verified.checkpoint.size}:"
            f" cosigned by {', '.join(names) or 'none'}; not by {', '.join(missing)}",
            hint="get the checkpoint again later: witnesses may still cosign it",
        )


def parse_policy(raw: bytes) -> TrustPolicy:
    """Parse a policy file.

    Raises:
        MalformedError: not of its form, names the line.
    """
    if len(raw) > POLICY_BYTES_MAX:
        raise _malformed(f"a policy has at most {POLICY_BYTES_MAX} bytes")
    draft = _Draft()
    for number, items in _lines(raw):
        try:
            draft.take(items)
        except MalformedError as error:
            raise _malformed(f"line {number} of the policy: {error.message}") from None
    return draft.done()


def format_policy(policy: TrustPolicy) -> bytes:
    """Return a policy file; `parse_policy` reads the same policy from it.

    Raises:
        MalformedError: the parts do not make a policy.
    """
    lines: list[tuple[str, ...]] = [("log", format_vkey(log.key), log.url) for log in policy.logs]
    lines += [("witness", item.name, format_vkey(item.key), item.url) for item in policy.witnesses]
    lines += [("group", item.name, str(item.threshold), *item.members) for item in policy.groups]
    lines.append(("quorum", policy.quorum))
    text = "".join(" ".join(line).rstrip(" ") + "\n" for line in lines)
    raw = text.encode("utf-8", "surrogateescape")
    if parse_policy(raw) != policy:
        raise _malformed("the parts do not make a policy")
    return raw


def _lines(raw: bytes) -> Iterator[tuple[int, list[str]]]:
    """Yield the lines that say something, as their items, with their numbers from 1."""
    lines = raw.split(b"\n")
    if lines.pop():
        raise _malformed("the last line of a policy ends in a newline too")
    for number, line in enumerate(lines, 1):
        if _FORBIDDEN.search(line):
            raise _malformed(f"line {number} of the policy: control characters other than tab and newline")
        items = [item for item in _SPACE.split(line) if item]
        if items and not items[0].startswith(b"#"):
            # Octets that are no UTF-8 stay apart, and compare as octets do.
            yield number, [item.decode("utf-8", "surrogateescape") for item in items]


_Defined = TypeVar("_Defined", PolicyLog, PolicyWitness, PolicyGroup)


class _Draft:
    """A policy while its lines are read."""

    def __init__(self) -> None:
        self._logs: list[PolicyLog] = []
        self._witnesses: list[PolicyWitness] = []
        self._groups: list[PolicyGroup] = []
        self._names: set[str] = set()
        self._members: set[str] = set()
        self._roles: dict[bytes, str] = {}
        self._quorum: str | None = None

    def take(self, items: list[str]) -> None:
        """Take one line."""
        match items:
            case ["log", vkey] | ["log", vkey, _]:
                key = self._key("log", vkey, SignatureType.ED25519)
                self._add(self._logs, PolicyLog(key=key, url="".join(items[2:])))
            case ["witness", name, vkey] | ["witness", name, vkey, _]:
                key = self._key("witness", vkey, SignatureType.COSIGNATURE)
                self._define(name)
                self._add(self._witnesses, PolicyWitness(name=name, key=key, url="".join(items[3:])))
            case ["group", name, threshold, *members] if members:
                group = self._group(name, threshold, tuple(members))
                self._define(name)
                self._add(self._groups, group)
            case ["quorum", name]:
                if self._quorum is not None:
                    raise _malformed("a policy has one quorum line")
                if name != NO_QUORUM and name not in self._names:
                    raise _malformed(f"{name!r} is not defined above")
                self._quorum = name
            case _:
                raise _malformed("not a log, witness, group or quorum line")

    def done(self) -> TrustPolicy:
        """Return the policy."""
        if self._quorum is None:
            raise _malformed("a policy has one quorum line; `quorum none` asks for no cosignature")
        return TrustPolicy(
            logs=tuple(self._logs),
            witnesses=tuple(self._witnesses),
            groups=tuple(self._groups),
            quorum=self._quorum,
        )

    def _key(self, role: str, vkey: str, wanted: SignatureType) -> VerifierKey:
        key = parse_vkey(vkey)
        if key.signature_type is not wanted:
            raise _malformed(f"the key of a {role} has type {wanted:#04x}, not {key.signature_type:#04x}")
        other = self._roles.get(key.public_key)
        if other == role:
            raise _malformed(f"another {role} has the same public key")
        if other is not None:
            raise _malformed(
                f"a {other} has the same public key: a log that witnesses itself is watched by nobody"
            )
        self._roles[key.public_key] = role
        return key

    def _define(self, name: str) -> None:
        if name == NO_QUORUM or name in self._names:
            raise _malformed(f"{name!r} is defined already")
        self._names.add(name)

    def _group(self, name: str, threshold: str, members: tuple[str, ...]) -> PolicyGroup:
        for member in members:
            if member not in self._names:
                raise _malformed(f"{member!r} is not defined above")
            if member in self._members:
                raise _malformed(f"{member!r} is a member already; a name counts in one place only")
            self._members.add(member)
        match threshold:
            case "any":
                least = 1
            case "all":
                least = len(members)
            case _ if _NUMBER.fullmatch(threshold) and int(threshold) <= len(members):
                least = int(threshold)
            case _:
                raise _malformed("a threshold is any, all, or a number from 1 to that of the members")
        return PolicyGroup(name=name, threshold=least, members=members)

    def _add(self, defined: list[_Defined], item: _Defined) -> None:
        if len(defined) == NAMED_MAX:
            raise _malformed(f"a policy has at most {NAMED_MAX} lines of a sort")
        defined.append(item)


def _malformed(message: str) -> MalformedError:
    return MalformedError(message, code="policy.form")
