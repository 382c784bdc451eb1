"""Reads Akash SDL 2.0 and 2.1 deployment files into typed values, and says what it leaves aside.

Only what a demand can carry is read: compute profiles, placements with prices, and the deployment that ties
services to both. How a workload runs (images, commands, environment, ports) is named in notes, without its
values: environment lines often hold passwords. A file in which anything that is read does not hold is
refused whole, with every reason. `market.sdl_demand` makes demands of the result.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TypeVar

from pseudoledger.errors import MalformedError
from pseudoledger.market import quantities
from pseudoledger.market.report import Note, Problems, clean, shown
from pseudoledger.market.sdl_values import Compute, Deployed, GpuChoice, Placement, Price, Sdl, Volume
from pseudoledger.market.yaml_tree import Mapping, Node, Scalar, Sequence, read_yaml

VERSIONS = ("2.0", "2.1")
T = TypeVar("T")
_EMPTY = Mapping(nodes={}, lines={}, line=0, weight=1, depth=1)

_SERVICE_PARTS = {
    "image": "sdl.image",
    "command": "sdl.command",
    "args": "sdl.command",
    "env": "sdl.env",
    "expose": "sdl.expose",
    "params": "sdl.params",
    "credentials": "sdl.credentials",
    "dependencies": "sdl.dependencies",
}
_TOP_PARTS = {"endpoints": "sdl.endpoints", "include": "sdl.include", "reclamation": "sdl.reclamation"}


def read_sdl(data: bytes) -> Sdl:
    """Read a deployment file; raise MalformedError with every reason and its line."""
    root = read_yaml(data)
    if not isinstance(root, Mapping):
        raise MalformedError(f"line {root.line}: an SDL file is a mapping", code="sdl")
    reader = _Reader()
    sdl = reader.read(root)
    reader.problems.raise_if_any("the SDL file")
    return sdl


@dataclass(slots=True)
class _Reader:
    """Holds the problems and notes of one file while it is read."""

    problems: Problems = field(default_factory=lambda: Problems(code="sdl"))
    notes: list[Note] = field(default_factory=list)

    def note(self, code: str, where: str, message: str, line: int) -> None:
        self.notes.append(Note(code=code, where=clean(where), message=message, line=line))

    def read(self, root: Mapping) -> Sdl:
        version = self.text(root, "version", "the file")
        if version and version not in VERSIONS:
            self.problems.add(
                root.lines["version"], f"version {shown(version)} is none of {' and '.join(VERSIONS)}"
            )
        for name, line in root.lines.items():
            if name in _TOP_PARTS:
                self.note(_TOP_PARTS[name], name, "is no part of a demand", line)
            elif name not in {"version", "services", "profiles", "deployment"}:
                self.note("sdl.unknown", shown(name), "is not known in an SDL file", line)
        services = self.section(root, "services", "the file")
        for name, node in services.nodes.items():
            self.service(name, node, services.lines[name])
        profiles = self.section(root, "profiles", "the file")
        self.only(profiles, ("compute", "placement"), "profiles")
        compute = self.section(profiles, "compute", "profiles")
        placement = self.section(profiles, "placement", "profiles")
        computes = {name: self.compute(name, node) for name, node in compute.nodes.items()}
        placements = {name: self.placement(name, node) for name, node in placement.nodes.items()}
        deployed = self.deployment(self.section(root, "deployment", "the file"))
        for one in deployed:
            self.references(one, services, compute, placements)
        self.unused(services, computes, placements, deployed)
        return Sdl(
            version=version,
            computes={name: value for name, value in computes.items() if value is not None},
            placements=placements,
            deployed=tuple(deployed),
            notes=tuple(sorted(self.notes, key=lambda note: (note.line, note.where, note.code))),
        )

    # Shapes: each returns a usable value and keeps a problem where the node is not of that shape.

    def mapping(self, node: Node, where: str) -> Mapping:
        if isinstance(node, Mapping):
            return node
        if not (isinstance(node, Scalar) and node.null):
            self.problems.add(node.line, f"{where} must be a mapping")
        return _EMPTY

    def section(self, parent: Mapping, name: str, where: str) -> Mapping:
        node = parent.nodes.get(name)
        if node is None:
            if parent is not _EMPTY:
                self.problems.add(parent.line, f"{where} has no {name}")
            return _EMPTY
        found = self.mapping(node, name)
        if found is _EMPTY and isinstance(node, Scalar) and node.null:
            self.problems.add(node.line, f"{name} is empty")
        return found

    def only(self, parent: Mapping, names: tuple[str, ...], where: str) -> None:
        for name, line in parent.lines.items():
            if name not in names:
                self.problems.add(line, f"{where} has an unknown part {shown(name)}")

    def text(self, parent: Mapping, name: str, where: str) -> str:
        node = parent.nodes.get(name)
        if isinstance(node, Scalar) and not node.null and node.text:
            return node.text
        if parent is not _EMPTY:
            line = node.line if node is not None else parent.line
            self.problems.add(line, f"{where} must have a text {name}")
        return ""

    def read_value(self, parent: Mapping, name: str, where: str, read: Callable[[str], T]) -> T | None:
        text = self.text(parent, name, where)
        if not text:
            return None
        try:
            return read(text)
        except MalformedError as error:
            self.problems.add(parent.lines[name], f"{where}.{name}: {error.message}")
            return None

    def positive(self, parent: Mapping, name: str, where: str, read: Callable[[str], Fraction]) -> Fraction:
        value = self.read_value(parent, name, where, read)
        if value is not None and value <= 0:
            self.problems.add(parent.lines[name], f"{where}.{name} must be above zero")
        return Fraction(0) if value is None else value

    # Parts of the file.

    def service(self, name: str, node: Node, line: int) -> None:
        service = self.mapping(node, f"service {shown(name)}")
        self.text(service, "image", f"service {shown(name)}")
        for part, at in service.lines.items():
            if part in _SERVICE_PARTS:
                message = "how the work runs is no part of a demand"
                self.note(_SERVICE_PARTS[part], f"services.{name}.{part}", message, at)
            else:
                self.note("sdl.unknown", f"services.{name}.{part}", "is not known in an SDL service", at)
        if service is _EMPTY and isinstance(node, Scalar) and node.null:
            self.problems.add(line, f"service {shown(name)} is empty")

    def compute(self, name: str, node: Node) -> Compute | None:
        where = f"profile {shown(name)}"
        profile = self.mapping(node, where)
        self.only(profile, ("resources",), where)
        resources = self.section(profile, "resources", where)
        if resources is _EMPTY:
            if profile is _EMPTY:
                self.problems.add(node.line, f"{where} is empty")
            return None
        self.only(resources, ("cpu", "memory", "storage", "gpu"), f"{where}.resources")
        cpu = self.section(resources, "cpu", f"{where}.resources")
        self.only(cpu, ("units", "attributes"), f"{where}.cpu")
        if "attributes" in cpu.nodes:
            message = "a core is a core here, whatever its architecture"
            self.note("sdl.cpu_attributes", f"{name}.cpu.attributes", message, cpu.lines["attributes"])
        memory = self.section(resources, "memory", f"{where}.resources")
        self.only(memory, ("size",), f"{where}.memory")
        if "storage" not in resources.nodes:
            self.problems.add(resources.line, f"{where}.resources has no storage")
        gpu_units = 0
        gpus: tuple[GpuChoice, ...] = ()
        if "gpu" in resources.nodes:
            gpu_units, gpus = self.gpu(self.mapping(resources.nodes["gpu"], f"{where}.gpu"), where)
        return Compute(
            cores=self.positive(cpu, "units", f"{where}.cpu", quantities.cores),
            memory=self.positive(memory, "size", f"{where}.memory", quantities.size_bytes),
            volumes=self.volumes(resources.nodes.get("storage"), name),
            gpu_units=gpu_units,
            gpus=gpus,
            line=node.line,
        )

    def volumes(self, node: Node | None, profile: str) -> tuple[Volume, ...]:
        where = f"profile {shown(profile)}.storage"
        if node is None:
            return ()
        items = node.items if isinstance(node, Sequence) else (node,)
        found = [self.volume(self.mapping(item, where), where) for item in items]
        names = [volume.name for volume in found]
        for volume in found:
            if names.count(volume.name) > 1:
                self.problems.add(volume.line, f"{where}: volume {shown(volume.name)} stands twice")
            if volume.storage_class or volume.persistent:
                kept = "counted as memory" if volume.storage_class == "ram" else "counted as plain storage"
                message = f"class {volume.storage_class or 'default'}, {kept}"
                self.note("sdl.storage_class", f"{profile}.storage.{volume.name}", message, volume.line)
        return tuple(found)

    def volume(self, node: Mapping, where: str) -> Volume:
        self.only(node, ("name", "size", "attributes"), where)
        attributes = self.mapping(node.nodes["attributes"], where) if "attributes" in node.nodes else _EMPTY
        self.only(attributes, ("persistent", "class"), f"{where}.attributes")
        persistent = self.text(attributes, "persistent", where) if "persistent" in attributes.nodes else ""
        if persistent not in {"", "true", "false"}:
            self.problems.add(attributes.lines["persistent"], f"{where}: persistent must be true or false")
        return Volume(
            name=self.text(node, "name", where) if "name" in node.nodes else "default",
            size=self.positive(node, "size", where, quantities.size_bytes),
            storage_class=self.text(attributes, "class", where) if "class" in attributes.nodes else "",
            persistent=persistent == "true",
            line=node.line,
        )

    def gpu(self, node: Mapping, where: str) -> tuple[int, tuple[GpuChoice, ...]]:
        self.only(node, ("units", "attributes"), f"{where}.gpu")
        units = self.read_value(node, "units", f"{where}.gpu", quantities.count) or 0
        if not units:
            return 0, ()
        attributes = self.section(node, "attributes", f"{where}.gpu")
        self.only(attributes, ("vendor",), f"{where}.gpu.attributes")
        vendors = self.section(attributes, "vendor", f"{where}.gpu.attributes")
        choices: list[GpuChoice] = []
        for vendor, models in vendors.nodes.items():
            choices.extend(self.models(vendor, models, vendors.lines[vendor], f"{where}.gpu"))
        return units, tuple(choices)

    def models(self, vendor: str, node: Node, line: int, where: str) -> list[GpuChoice]:
        anything = GpuChoice(vendor=vendor, model=None, ram=None, interface="", line=line)
        if isinstance(node, Scalar) and node.null:
            return [anything]
        if not isinstance(node, Sequence):
            self.problems.add(node.line, f"{where}: the models of {shown(vendor)} must be a list")
            return []
        return [self.model(vendor, item, where) for item in node.items] or [anything]

    def model(self, vendor: str, item: Node, where: str) -> GpuChoice:
        node = self.mapping(item, f"{where}: a model")
        self.only(node, ("model", "ram", "interface"), f"{where}: a model")
        interface = self.text(node, "interface", where) if "interface" in node.nodes else ""
        if interface not in {"", "pcie", "sxm"}:
            self.problems.add(node.lines["interface"], f"{where}: interface must be pcie or sxm")
        ram = self.positive(node, "ram", where, quantities.size_bytes) if "ram" in node.nodes else None
        return GpuChoice(
            vendor=vendor,
            model=self.text(node, "model", where) if "model" in node.nodes else None,
            ram=ram,
            interface=interface,
            line=item.line,
        )

    def placement(self, name: str, node: Node) -> Placement:
        where = f"placement {shown(name)}"
        found = self.mapping(node, where)
        self.only(found, ("attributes", "signedBy", "pricing"), where)
        attributes = self.attributes(found, name)
        if "signedBy" in found.nodes:
            self.signed_by(found.nodes["signedBy"], found.lines["signedBy"], name)
        pricing = self.section(found, "pricing", where)
        prices = {profile: self.price(pricing, profile, where) for profile in pricing.nodes}
        return Placement(attributes=attributes, pricing=prices, line=node.line)

    def attributes(self, found: Mapping, placement: str) -> dict[str, str]:
        if "attributes" not in found.nodes:
            return {}
        where = f"placement {shown(placement)}.attributes"
        node = self.mapping(found.nodes["attributes"], where)
        values: dict[str, str] = {}
        for name, value in node.nodes.items():
            # A signedBy that slipped one level down in the file still means what it says.
            if name == "signedBy" and isinstance(value, Mapping):
                self.signed_by(value, node.lines[name], placement)
            elif isinstance(value, Scalar) and not value.null:
                values[name] = value.text
            else:
                self.problems.add(node.lines[name], f"{where}: {shown(name)} must be a text")
        return values

    def signed_by(self, node: Node, line: int, placement: str) -> None:
        where = f"placement {shown(placement)}.signedBy"
        found = self.mapping(node, where)
        self.only(found, ("anyOf", "allOf"), where)
        for name, value in found.nodes.items():
            if isinstance(value, Scalar) and value.null:
                continue
            if not isinstance(value, Sequence) or not all(isinstance(item, Scalar) for item in value.items):
                self.problems.add(value.line, f"{where}.{name} must be a list of texts")
            elif value.items:
                message = f"{len(value.items)} auditor(s) required; our demands name no attestors"
                self.note("sdl.signed_by", f"{placement}.signedBy.{name}", message, line)

    def price(self, pricing: Mapping, profile: str, where: str) -> Price:
        at = f"{where}.pricing.{profile}"
        node = self.mapping(pricing.nodes[profile], at)
        if node is _EMPTY:
            self.problems.add(pricing.lines[profile], f"{at} is empty")
        self.only(node, ("denom", "amount"), at)
        return Price(
            denom=self.text(node, "denom", at),
            amount=self.positive(node, "amount", at, quantities.decimal),
            line=pricing.lines[profile],
        )

    def deployment(self, section: Mapping) -> list[Deployed]:
        found: list[Deployed] = []
        for service, placements in section.nodes.items():
            where = f"deployment of {shown(service)}"
            places = self.mapping(placements, where)
            for placement, node in places.nodes.items():
                entry = self.mapping(node, where)
                self.only(entry, ("profile", "count"), where)
                replicas = self.read_value(entry, "count", where, quantities.count)
                if replicas == 0:
                    self.problems.add(entry.lines["count"], f"{where}: count must be at least 1")
                if entry is _EMPTY:
                    self.problems.add(places.lines[placement], f"{where} names no profile and count")
                profile = self.text(entry, "profile", where)
                found.append(
                    Deployed(
                        service=service,
                        placement=placement,
                        profile=profile,
                        replicas=replicas or 0,
                        line=entry.line or places.lines[placement],
                    )
                )
        return found

    def references(
        self, one: Deployed, services: Mapping, compute: Mapping, placements: dict[str, Placement]
    ) -> None:
        where = f"deployment of {shown(one.service)}"
        if one.service not in services.nodes:
            self.problems.add(one.line, f"{where}: there is no such service")
        if one.profile and one.profile not in compute.nodes:
            self.problems.add(one.line, f"{where}: there is no compute profile {shown(one.profile)}")
        placement = placements.get(one.placement)
        if placement is None:
            self.problems.add(one.line, f"{where}: there is no placement {shown(one.placement)}")
        elif one.profile and one.profile not in placement.pricing:
            self.problems.add(
                one.line, f"{where}: placement {shown(one.placement)} prices no {shown(one.profile)}"
            )

    def unused(
        self,
        services: Mapping,
        computes: dict[str, Compute | None],
        placements: dict[str, Placement],
        deployed: list[Deployed],
    ) -> None:
        used = {one.service for one in deployed}
        for name, line in services.lines.items():
            if name not in used:
                self.note("sdl.unused", f"services.{name}", "is never deployed", line)
        profiles = {one.profile for one in deployed}
        for name, compute in computes.items():
            if name not in profiles and compute is not None:
                self.note("sdl.unused", f"profiles.compute.{name}", "is never deployed", compute.line)
        places = {one.placement for one in deployed}
        for name, placement in placements.items():
            if name not in places:
                self.note("sdl.unused", f"profiles.placement.{name}", "is never deployed to", placement.line)
