"""Recorded verdicts on single Ed25519 signatures, by which an installation is judged before it judges others.

A few cases of two published collections: C2SP CCTV `ed25519vectors.json` (by its `number`) and the cases of
"Taming the many EdDSAs", ed25519-speccheck (by position, from 0). Each case is one on which Ed25519
implementations in use disagree. This module holds facts only; `keys.self_test` runs them.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One case: is `signature` over `message` by `key` accepted? `shows` says what a wrong answer means."""

    source: str
    shows: str
    key: bytes
    message: bytes
    signature: bytes
    accepted: bool


VERDICTS = (
    Verdict(
        source="CCTV 305",
        shows="an ordinary signature",
        key=bytes.fromhex("ef75b20e7540e3dff77404193652ba2bd13df99c1508eee1515e27ae25f28076"),
        message=b"ed25519vectors 5",
        signature=bytes.fromhex(
            "b62cf890de42c413b11b1411c9f01f1c4d77aa87ef182258d1251f69af2a3506"
            "40657f1cb030f12543549bbabd848dc6403d354e7c99c4d0dcee9f63c9033b00"
        ),
        accepted=True,
    ),
    Verdict(
        source="CCTV 50",
        shows="a key outside the prime-order subgroup",
        key=bytes.fromhex("10eb7c3acfb2bed3e0d6ab89bf5a3d6afddd1176ce4812e38d9fd485058fdb1f"),
        message=b"ed25519vectors 5",
        signature=bytes.fromhex(
            "b62cf890de42c413b11b1411c9f01f1c4d77aa87ef182258d1251f69af2a3506"
            "08f32d206a7c0b7efa9a59e66546e8f1f599ef843fb502c9cc3c4ae8b7c11e05"
        ),
        accepted=False,
    ),
    Verdict(
        source="CCTV 832",
        shows="a key with a component of order 2, which CVE-2025-69277 lets through",
        key=bytes.fromhex("fe894df18abf1c20088bfbe6c9ad45d42ec20663eaf7111eaea1d851da0d7f89"),
        message=b"ed25519vectors 23",
        signature=bytes.fromhex(
            "b62cf890de42c413b11b1411c9f01f1c4d77aa87ef182258d1251f69af2a3506"
            "ccbd210592f2a2b70a9c9ba91f97d642a2e51b9a67ec788188039228a24e0e09"
        ),
        accepted=False,
    ),
    Verdict(
        source="CCTV 303",
        shows="the identity point as key, which OpenSSL takes for any message",
        key=bytes.fromhex("0100000000000000000000000000000000000000000000000000000000000000"),
        message=b"ed25519vectors 5",
        signature=bytes.fromhex(
            "b62cf890de42c413b11b1411c9f01f1c4d77aa87ef182258d1251f69af2a3506"
            "05ba9a796274d80437afa36f1236563f2f3b0aa84cecddc3d20914615ba4fe02"
        ),
        accepted=False,
    ),
    Verdict(
        source="CCTV 307",
        shows="the identity point as key, not canonical",
        key=bytes.fromhex("0100000000000000000000000000000000000000000000000000000000000080"),
        message=b"ed25519vectors 1",
        signature=bytes.fromhex(
            "b62cf890de42c413b11b1411c9f01f1c4d77aa87ef182258d1251f69af2a3506"
            "05ba9a796274d80437afa36f1236563f2f3b0aa84cecddc3d20914615ba4fe02"
        ),
        accepted=False,
    ),
    Verdict(
        source="CCTV 304",
        shows="R is the identity point, and the equation holds",
        key=bytes.fromhex("ef75b20e7540e3dff77404193652ba2bd13df99c1508eee1515e27ae25f28076"),
        message=b"ed25519vectors 7",
        signature=bytes.fromhex(
            "0100000000000000000000000000000000000000000000000000000000000000"
            "330b30d6c1f07511e2208d233b6a34d4ed7109da2dea615bcd97daee3a842704"
        ),
        accepted=False,
    ),
    Verdict(
        source="CCTV 316",
        shows="R is the identity point, not canonical",
        key=bytes.fromhex("ef75b20e7540e3dff77404193652ba2bd13df99c1508eee1515e27ae25f28076"),
        message=b"ed25519vectors 5",
        signature=bytes.fromhex(
            "0100000000000000000000000000000000000000000000000000000000000080"
            "2d32f9eeccaa31dba2ff4ab4e196b61e2ee1648073bbb5f599dcff4f7ea02900"
        ),
        accepted=False,
    ),
    Verdict(
        source="CCTV 267",
        shows="R outside the subgroup: only the cofactored equation holds",
        key=bytes.fromhex("ef75b20e7540e3dff77404193652ba2bd13df99c1508eee1515e27ae25f28076"),
        message=b"ed25519vectors 3",
        signature=bytes.fromhex(
            "36684ea91032ba5b1dbab2d02f4debc74c3327f2b3802e2e4d371aa42b12b56b"
            "2d471882773a677af1e3824e757a33f8ddf7bbeaf3d28a09595eb8daa0d74a03"
        ),
        accepted=False,
    ),
    Verdict(
        source="speccheck 6",
        shows="S is larger than L",
        key=bytes.fromhex("442aad9f089ad9e14647b1ef9099a1ff4798d78589e66f28eca69c11f582a623"),
        message=bytes.fromhex("85e241a07d148b41e47d62c63f830dc7a6851a0b1f33ae4bb2f507fb6cffec40"),
        signature=bytes.fromhex(
            "e96f66be976d82e60150baecff9906684aebb1ef181f67a7189ac78ea23b6c0e"
            "547f7690a0e2ddcd04d87dbc3490dc19b3b3052f7ff0538cb68afb369ba3a514"
        ),
        accepted=False,
    ),
    Verdict(
        source="speccheck 7",
        shows="S is much larger than L",
        key=bytes.fromhex("442aad9f089ad9e14647b1ef9099a1ff4798d78589e66f28eca69c11f582a623"),
        message=bytes.fromhex("85e241a07d148b41e47d62c63f830dc7a6851a0b1f33ae4bb2f507fb6cffec40"),
        signature=bytes.fromhex(
            "8ce5b96c8f26d0ab6c47958c9e68b937104cd36e13c33566acd2fe8d38aa1942"
            "7e71f98a473474f2f13f06f97c20d58cc3f54b8bd0d272f42b695dd7e89a8c22"
        ),
        accepted=False,
    ),
)
