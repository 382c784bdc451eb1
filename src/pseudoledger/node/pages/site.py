"""From a request to a page: language, one view of the ledger, template, headers.

A page is made by a function of a view and what was asked (`Ask`); it returns the template and the value that
the template prints, or None where the ledger has no such thing. Pages keep nothing in the browser: the chosen
language travels in the links.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from urllib.parse import quote, urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from pseudoledger.contract.book import Book
from pseudoledger.contract.ruleset import policy_of, tables_for
from pseudoledger.errors import PseudoledgerError, VerificationError
from pseudoledger.ledger.fork import PROOF_BYTES_MAX
from pseudoledger.node.node import Node, Role
from pseudoledger.node.pages import assets, show
from pseudoledger.node.pages.language import CODES, Language, choose
from pseudoledger.node.reading import View

SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""Content-Security-Policy of every page: nothing inline, nothing from elsewhere."""

_QUERY_MAX = 200
"""Most characters of one value of a query that a page looks at."""
_NAV = (
    "/",
    "/blocks",
    "/offers",
    "/demands",
    "/leases",
    "/invoices",
    "/programmes",
    "/vouchers",
    "/machines",
    "/disputes",
    "/network",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What was asked for: the parts of the path, the query, and the time as of which to answer."""

    path: Mapping[str, str]
    query: Mapping[str, str]
    now: int
    node: Node
    exponents: Mapping[str, int]
    """Decimal places of each currency."""

    def text(self, name: str) -> str:
        """Return a value of the query, trimmed; "" where there is none."""
        return self.query.get(name, "")[:_QUERY_MAX].strip()

    def integer(self, name: str, default: int) -> int:
        """Return a positive integer of the query, or the default where it is none."""
        text = self.text(name)
        return int(text) if text.isascii() and text.isdigit() and 0 < len(text) < 16 else default


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What a page shows: its template, the words of its title, and the value printed."""

    template: str
    title: str
    """Key of the title."""
    about: object
    named: str = ""
    """What the title names, if anything: an id, a number, a height."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What the head of every page says about this node."""

    origin: str
    simulated: bool
    upstream: str = ""
    behind: str = ""
    held: str = ""
    forked: bool = False


MakePage = Callable[[View, Ask], Page | None]


@lru_cache(maxsize=1)
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("pseudoledger.node.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals["show"] = show
    made.globals["asset"] = assets.path_of
    made.globals["codes"] = CODES
    return made


class Site:
    """Renders pages of one node."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def endpoint(self, make: MakePage) -> Callable[[Request], Response]:
        """Return the handler of one page; it blocks, and runs in a thread."""

        def answer(request: Request) -> Response:
            try:
                with self._node.reader.view() as view:
                    page = make(view, self._ask(request, view))
                    if page is None:
                        return error_page(request, HTTPStatus.NOT_FOUND, mark=_mark(self._node, view))
                    return self._render(request, page, view)
            except PseudoledgerError as error:
                return error_page(request, HTTPStatus.SERVICE_UNAVAILABLE, detail=error.message)

        return answer

    def _ask(self, request: Request, view: View) -> Ask:
        try:
            exponents: Mapping[str, int] = tables_for(view.state.pins).exponents
        except VerificationError:
            exponents = {}  # a ledger under tables that this program does not ship: amounts show minor units
        return Ask(
            path=dict(request.path_params),
            query=dict(request.query_params),
            now=self._node.now(),
            node=self._node,
            exponents=exponents,
        )

    def _render(self, request: Request, page: Page, view: View) -> Response:
        said = _Said.of(request)
        title = said.language.plain(page.title, **({"named": page.named} if page.named else {}))
        ask = self._ask(request, view)
        html = _html(
            page.template,
            said,
            mark=_mark(self._node, view),
            title=title,
            page=page.about,
            now=ask.now,
            names=Names(view.book),
            money=lambda minor, currency: show.money(minor, currency, ask.exponents),
        )
        return _response(html, said.language, HTTPStatus.OK)


def error_page(
    request: Request, status: HTTPStatus, *, mark: Mark | None = None, detail: str = ""
) -> Response:
    """Return an error page in the reader's language; it reads nothing of the ledger."""
    said = _Said.of(request)
    key = f"error.{int(status)}" if f"error.{int(status)}.title" in said.language.words else "error.other"
    title = said.language.plain(f"{key}.title")
    html = _html("error.html", said, mark=mark, title=title, key=key, status=int(status), detail=detail)
    return _response(html, said.language, status)


def wants_page(request: Request) -> bool:
    """Tell whether whoever asks is a browser that shows pages."""
    return "text/html" in request.headers.get("accept", "").lower()


def _html(template: str, said: _Said, **values: object) -> str:
    # In the context and not in the template's globals: those are shared between requests.
    return (
        _environment()
        .get_template(template)
        .render(
            lang=said.language,
            t=said.language.say,
            tp=said.language.plain,
            counted=said.language.count,
            link=said.link,
            said=said,
            nav=_NAV,
            **values,
        )
    )


class Names:
    """How parties are called on a page: by the label they declared, which nobody checked."""

    def __init__(self, book: Book) -> None:
        self._book = book

    def label(self, did: str) -> str:
        """Return the label of the identity that a key belongs to, or ""."""
        chain = self._book.chain_of(did)
        return chain.label if chain else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Said:
    """The language of an answer, and how links keep it."""

    language: Language
    explicit: bool
    path: str
    query: Mapping[str, str]

    @classmethod
    def of(cls, request: Request) -> _Said:
        asked = request.query_params.get("lang")
        return cls(
            language=choose(asked, request.headers.get("accept-language", "")),
            explicit=asked in CODES,
            path=request.url.path,
            query={
                name: value[:_QUERY_MAX] for name, value in request.query_params.items() if name != "lang"
            },
        )

    def link(self, path: str, **query: object) -> str:
        """Return a link to a page of this site, in the chosen language."""
        kept = {"lang": self.language.code} if self.explicit else {}
        return _url(path, {**query, **kept})

    def switched(self, code: str) -> str:
        """Return a link to the same page in another language."""
        return _url(self.path, {**self.query, "lang": code})

    def same(self, **query: object) -> str:
        """Return a link to the same page with some of the query changed."""
        return self.link(self.path, **{**self.query, **query})

    def here(self, path: str) -> bool:
        """Tell whether a page of the navigation is this one, or holds it."""
        return self.path == path or (path != "/" and self.path.startswith(f"{path}/"))


def _url(path: str, query: Mapping[str, object]) -> str:
    shown = {name: value for name, value in query.items() if value not in ("", None)}
    # Two slashes at the beginning would name another host.
    return quote("/" + path.lstrip("/"), safe="/:") + (f"?{urlencode(shown)}" if shown else "")


def _mark(node: Node, view: View) -> Mark:
    standing = node.standing()
    mirror = node.role is Role.MIRROR
    return Mark(
        origin=view.state.origin,
        simulated=policy_of(view.state.pins).clock == "simulated",
        upstream=standing.upstream if mirror else "",
        behind=standing.behind,
        held=standing.held,
        forked=any(fork_files(node)),
    )


def fork_files(node: Node) -> list[str]:
    """Return the names of the fork proof files that this node keeps, sorted."""
    try:
        return sorted(
            path.name
            for path in node.forks.iterdir()
            if path.is_file() and not path.name.startswith(".") and path.stat().st_size <= PROOF_BYTES_MAX
        )
    except OSError:
        return []


def _response(html: str, language: Language, status: HTTPStatus) -> Response:
    return HTMLResponse(
        html,
        status_code=int(status),
        headers={
            "Content-Language": language.code,
            "Content-Security-Policy": SECURITY_POLICY,
            "Cache-Control": "no-cache",
            "Vary": "Accept-Language",
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
        },
    )
