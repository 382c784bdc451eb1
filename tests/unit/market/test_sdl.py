from fractions import Fraction

import pytest

from pseudoledger.errors import MalformedError
from pseudoledger.market.sdl import read_sdl

WHOLE = b"""\
version: "2.0"
endpoints:
  front:
    kind: ip
services:
  web:
    image: registry.example/web:1
    env:
      - PASSWORD=hunter2
    expose:
      - port: 80
  idle:
    image: registry.example/idle:1
    cmd: [x]
profiles:
  compute:
    small:
      resources:
        cpu:
          units: 100m
          attributes:
            arch: amd64
        memory:
          size: 512Mi
        storage:
          - size: 1Gi
          - name: data
            size: 10G
            attributes:
              persistent: true
              class: beta3
          - name: shm
            size: 1Gi
            attributes:
              persistent: false
              class: ram
        gpu:
          units: 2
          attributes:
            vendor:
              nvidia:
                - model: 4000
                - model: a100
                  ram: 80Gi
                  interface: sxm
              amd:
    spare:
      resources: {cpu: {units: 1}, memory: {size: 1Gi}, storage: {size: 1Gi}}
  placement:
    here:
      attributes:
        host: akash
        signedBy:
          anyOf: [one]
      signedBy:
        allOf: [two, three]
        anyOf:
      pricing:
        small:
          denom: uact
          amount: 10.5
    nowhere:
      attributes:
      pricing: {spare: {denom: uact, amount: 1}}
deployment:
  web:
    here:
      profile: small
      count: 3
"""


def test_what_is_read():
    sdl = read_sdl(WHOLE)
    small = sdl.computes["small"]
    assert small.cores == Fraction(1, 10)
    assert small.memory == 512 * 2**20
    assert [(v.name, v.size, v.storage_class, v.persistent) for v in small.volumes] == [
        ("default", 2**30, "", False),
        ("data", 10**10, "beta3", True),
        ("shm", 2**30, "ram", False),
    ]
    assert small.gpu_units == 2
    assert [(c.vendor, c.model, c.ram, c.interface) for c in small.gpus] == [
        ("nvidia", "4000", None, ""),
        ("nvidia", "a100", 80 * 2**30, "sxm"),
        ("amd", None, None, ""),
    ]
    assert sdl.placements["here"].attributes == {"host": "akash"}
    assert sdl.placements["here"].pricing["small"].amount == Fraction(21, 2)
    assert [(one.service, one.placement, one.profile, one.replicas) for one in sdl.deployed] == [
        ("web", "here", "small", 3)
    ]


def test_what_is_left_aside_is_named_without_its_values():
    notes = read_sdl(WHOLE).notes
    assert [(note.code, note.where, note.line) for note in notes] == [
        ("sdl.endpoints", "endpoints", 2),
        ("sdl.image", "services.web.image", 7),
        ("sdl.env", "services.web.env", 8),
        ("sdl.expose", "services.web.expose", 10),
        ("sdl.unused", "services.idle", 12),
        ("sdl.image", "services.idle.image", 13),
        ("sdl.unknown", "services.idle.cmd", 14),
        ("sdl.cpu_attributes", "small.cpu.attributes", 21),
        ("sdl.storage_class", "small.storage.data", 27),
        ("sdl.storage_class", "small.storage.shm", 32),
        ("sdl.unused", "profiles.compute.spare", 48),
        ("sdl.signed_by", "here.signedBy.anyOf", 53),
        ("sdl.signed_by", "here.signedBy.allOf", 55),
        ("sdl.unused", "profiles.placement.nowhere", 63),
    ]
    assert "hunter2" not in "".join(str(note) for note in notes)


def test_version_2_1_and_anchors_are_read():
    text = WHOLE.replace(b'"2.0"', b"2.1").replace(b"    spare:\n", b"    spare: &spare\n")
    text = text.replace(b"  placement:\n", b"    copy: *spare\n  placement:\n", 1)
    assert read_sdl(text).computes["copy"].cores == 1


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b'version: "2.0"', b'version: "1.0"', r"line 1: version '1.0' is none of 2.0 and 2.1"),
        (b'version: "2.0"\n', b"", r"the file must have a text version"),
        (b"services:\n", b"servces:\n", r"line 1: the file has no services"),
        (b"    image: registry.example/web:1\n", b"", r"line 7: service 'web' must have a text image"),
        (b"units: 100m", b"units: -1", r"line 20: profile 'small'.cpu.units: '-1' is not a decimal"),
        (b"units: 100m", b"units: 0", r"line 20: profile 'small'.cpu.units must be above zero"),
        (b"units: 100m", b"unit: 1", r"line 20: profile 'small'.cpu has an unknown part 'unit'"),
        (b"size: 512Mi", b"size: 512MB", r"line 24: profile 'small'.memory.size: '512MB' is not a size"),
        (b"name: shm", b"name: data", r"line 32: profile 'small'.storage: volume 'data' stands twice"),
        (b"persistent: true", b"persistent: maybe", r"line 30: .*persistent must be true or false"),
        (
            b"          units: 2\n",
            b"          units: two\n",
            r"line 38: profile 'small'.gpu.units: 'two' is not a whole",
        ),
        (
            b"            vendor:\n",
            b"            maker:\n",
            r"line 40: .*gpu.attributes has an unknown part 'maker'",
        ),
        (b"interface: sxm", b"interface: usb", r"line 45: .*interface must be pcie or sxm"),
        (
            b"                - model: 4000\n",
            b"                - 4000\n",
            r"line 42: .*a model must be a mapping",
        ),
        (b"amd:\n", b"amd: all\n", r"line 46: .*the models of 'amd' must be a list"),
        (b"        gpu:\n", b"        gpuu:\n", r"line 37: .*resources has an unknown part 'gpuu'"),
        (b"allOf: [two, three]", b"allOf: two", r"line 56: .*signedBy.allOf must be a list of texts"),
        (b"host: akash", b"host: [akash]", r"line 52: .*'host' must be a text"),
        (b"amount: 10.5", b"amount: 0", r"line 61: .*pricing.small.amount must be above zero"),
        (b"amount: 10.5", b"amount: free", r"line 61: .*'free' is not a decimal number"),
        (b"denom: uact\n          amount: 10.5", b"amount: 1", r"line 60: .*must have a text denom"),
        (b"      pricing:\n        small:", b"      pricing:\n        big:", r"line 68: .*prices no 'small'"),
        (b"profile: small", b"profile: huge", r"line 68: .*there is no compute profile 'huge'"),
        (b"  web:\n    here:", b"  site:\n    here:", r"line 68: .*there is no such service"),
        (
            b"    here:\n      profile",
            b"    there:\n      profile",
            r"line 68: .*there is no placement 'there'",
        ),
        (b"count: 3", b"count: 0", r"line 69: .*count must be at least 1"),
        (b"count: 3", b"count: 1.5", r"line 69: .*'1.5' is not a whole number"),
        (
            b"      profile: small\n      count: 3\n",
            b"",
            r"line 67: deployment of 'web' names no profile and count",
        ),
        (
            b"  placement:\n",
            b"  placment:\n",
            r"profiles has an unknown part 'placment'.*profiles has no placement",
        ),
    ],
)
def test_broken_files_are_refused_with_line_and_reason(old, new, reason):
    assert old in WHOLE
    with pytest.raises(MalformedError, match=reason) as refusal:
        read_sdl(WHOLE.replace(old, new, 1))
    assert refusal.value.message.startswith("the SDL file is refused: ")
    assert "\n" not in refusal.value.message


def test_every_reason_is_given_at_once():
    broken = WHOLE.replace(b"100m", b"x").replace(b"512Mi", b"y").replace(b"count: 3", b"count: z")
    with pytest.raises(MalformedError, match=r"line 20: .*; line 24: .*; line 69: "):
        read_sdl(broken)


def test_many_reasons_are_bounded():
    services = b"".join(b"  s%d:\n    x: 1\n" % i for i in range(500))
    broken = WHOLE.replace(b"services:\n", b"services:\n" + services)
    with pytest.raises(MalformedError, match="and 480 more") as refusal:
        read_sdl(broken)
    assert len(refusal.value.message) < 2500


@pytest.mark.parametrize("data", [b"[]\n", b"text\n", b"a: 1\n", b"version: '2.0'\nservices:\n"])
def test_other_documents_are_refused(data):
    with pytest.raises(MalformedError):
        read_sdl(data)


def test_control_characters_do_not_reach_the_terminal():
    with pytest.raises(MalformedError) as refusal:
        read_sdl(WHOLE.replace(b'version: "2.0"', b'version: "\\e[31m\\n"'))
    assert refusal.value.message.isprintable()
