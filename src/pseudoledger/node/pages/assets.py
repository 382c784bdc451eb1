"""Styles, scripts and the icon of the pages, from the package, under a path that changes when they do."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from importlib.resources import files
from types import MappingProxyType

from starlette.requests import Request
from starlette.responses import Response

_MEDIA_TYPES = MappingProxyType(
    {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "png": "image/png"}
)
_VERSION_DIGITS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class _Assets:
    version: str
    contents: MappingProxyType[str, bytes]


@lru_cache(maxsize=1)
def _load() -> _Assets:
    folder = files("pseudoledger.node.pages") / "assets"
    contents = {
        item.name: item.read_bytes()
        for item in folder.iterdir()
        if item.name.rpartition(".")[2] in _MEDIA_TYPES
    }
    together = b"".join(
        sha256(name.encode()).digest() + sha256(contents[name]).digest() for name in sorted(contents)
    )
    return _Assets(
        version=sha256(together).hexdigest()[:_VERSION_DIGITS], contents=MappingProxyType(contents)
    )


def path_of(name: str) -> str:
    """Return the path of an asset. Scripts import one another relatively, and so stay in one version."""
    return f"/assets/{_load().version}/{name}"


def serve(request: Request) -> Response:
    """Answer for `/assets/{version}/{name}`; what an older page asks for is answered with the present one."""
    loaded = _load()
    name = request.path_params["name"]
    content = loaded.contents.get(name)
    if content is None:
        return Response(status_code=404)
    etag = f'"{sha256(content).hexdigest()[:32]}"'
    lasting = request.path_params["version"] == loaded.version
    headers = {
        "ETag": etag,
        "Cache-Control": "public, max-age=31536000, immutable" if lasting else "no-cache",
        "X-Content-Type-Options": "nosniff",
    }
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers=headers)
    return Response(content, headers=headers, media_type=_MEDIA_TYPES[name.rpartition(".")[2]])
