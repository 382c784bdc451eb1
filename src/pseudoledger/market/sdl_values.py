"""What is read of an Akash SDL file: profiles, placements and the deployment that ties services to both."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from pseudoledger.market.report import Note


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """One storage volume of a profile; class `ram` is a piece of memory."""

    name: str
    size: Fraction
    storage_class: str
    persistent: bool
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuChoice:
    """One GPU that would do; `model` None means any model of the vendor."""

    vendor: str
    model: str | None
    ram: Fraction | None
    interface: str
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Compute:
    """A compute profile: what one replica needs; sizes in bytes."""

    cores: Fraction
    memory: Fraction
    volumes: tuple[Volume, ...]
    gpu_units: int
    gpus: tuple[GpuChoice, ...]
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """The most that one replica of a profile pays per block, in a chain's denomination."""

    denom: str
    amount: Fraction
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where and at what price services may be placed together."""

    attributes: dict[str, str]
    pricing: dict[str, Price]
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """One service placed: so many replicas of a profile."""

    service: str
    placement: str
    profile: str
    replicas: int
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sdl:
    """A deployment file as far as it is read."""

    version: str
    computes: dict[str, Compute]
    placements: dict[str, Placement]
    deployed: tuple[Deployed, ...]
    notes: tuple[Note, ...]
