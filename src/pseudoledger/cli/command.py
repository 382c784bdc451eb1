"""Two ways to make a command: one that reads the ledger and shows, and one that signs and registers.

A command is a function of a Desk and its own arguments. What all commands of a sort have in common (`--ledger`,
`--as`, `--dry-run`, `-o`, `--json`) is added here, once, and so is the order of things: read, draft, seal, sign,
register, say what happens next.
"""

from __future__ import annotations

import contextlib
import inspect
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, TypeAlias

import typer
from rich.markup import escape

from pseudoledger.cli.desk import Desk, Signed, write_file
from pseudoledger.cli.failure import CHECK_FAILED
from pseudoledger.cli.find import require_new_numbers
from pseudoledger.cli.nodes import NodeKeyOption, NodeOption, place_of
from pseudoledger.cli.show import Facts, Sheet, Shown, errors, present, print_json
from pseudoledger.identity.keys import Signer
from pseudoledger.registrar import Answer, Registered

LedgerOption = Annotated[
    Path | None,
    typer.Option("--ledger", envvar="PSEUDOLEDGER_DIR", help="Directory of the ledger.", show_default=False),
]
AsOption = Annotated[
    str, typer.Option("--as", help="Name of the key to sign with.", show_default=False, metavar="NAME")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, with whole ids.")]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Say what would happen, with every reason to refuse; write nothing.")
]
OutOption = Annotated[
    Path | None,
    typer.Option("-o", "--out", help="Write the signed statement to this file instead of registering it."),
]
ClearOption = Annotated[
    list[str] | None,
    typer.Option(
        "--clear",
        help="Leave this sealable field, a JSON Pointer such as /label, readable by everybody.",
        metavar="POINTER",
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """What a command wants to say on the ledger: a payload in the clear, what it is about, what follows."""

    tree: dict[str, Any]
    sub: str | None = None
    """Subject of the statement; the signer's did for kinds that open a thing."""
    then: str = ""
    title: str = ""
    """The party's own name for it, e.g. its number."""
    unknown: Sequence[dict[str, str]] = ()
    """What the book does not say about the other party, where there is one to know."""


Work: TypeAlias = Callable[..., Any]

_PLACE: MappingProxyType[str, tuple[Any, Any]] = MappingProxyType(
    {"ledger": (LedgerOption, None), "node": (NodeOption, None), "node_key": (NodeKeyOption, None)}
)
"""Where the ledger is, as every command asks."""


@dataclass(slots=True)
class Acting:
    """The desk of an acting command, and who acts."""

    desk: Desk
    name: str
    signer: Signer = field(init=False)

    def __post_init__(self) -> None:
        self.signer = self.desk.signer(self.name)

    @property
    def party(self) -> str:
        """The identity that acts, by the first key of its chain."""
        return self.desk.book.root_of(self.signer.did)


def epilog(examples: Sequence[str]) -> str:
    """Return the examples of a command as its help shows them."""
    return "\n\n".join(["Examples:", *(f"  {as_is(example)}" for example in examples)])


def as_is(text: str) -> str:
    """Return a text as markup that shows it unchanged: rich would make an emoji of the middle of did:key:z6Mk."""
    return re.sub(r"(?<=:)(\w+):", r"\1[default]:[/default]", escape(text))


def group(name: str, summary: str) -> typer.Typer:
    """Make the sub-application of one noun."""
    return typer.Typer(
        name=name, help=summary, no_args_is_help=True, rich_markup_mode="rich", add_completion=False
    )


def plain(app: typer.Typer, name: str, *, examples: Sequence[str]) -> Callable[[Work], Work]:
    """Add a command that does all itself."""
    return app.command(name, epilog=epilog(examples))


def reading(app: typer.Typer, name: str, *, examples: Sequence[str]) -> Callable[[Work], Work]:
    """Add a command `work(desk, …) -> Sheet | Facts` that reads a ledger and shows what it found."""

    def add(work: Work) -> Work:
        def run(
            *, ledger: Path | None, node: str | None, node_key: str | None, as_json: bool, **arguments: Any
        ) -> None:
            with contextlib.closing(Desk(place_of(ledger, node, node_key))) as desk:
                shown: Shown = work(desk, **arguments)
                present(shown, as_json=as_json)

        _dress(run, work, **_PLACE, as_json=(JsonOption, False))
        app.command(name, epilog=epilog(examples))(run)
        return work

    return add


def acting(app: typer.Typer, name: str, *, examples: Sequence[str]) -> Callable[[Work], Work]:
    """Add a command `work(acting, …) -> Act | list[Act]` whose statements are signed and registered."""

    def add(work: Work) -> Work:
        def run(
            *,
            as_: str,
            ledger: Path | None,
            node: str | None,
            node_key: str | None,
            clear: list[str] | None,
            out: Path | None,
            dry_run: bool,
            as_json: bool,
            **arguments: Any,
        ) -> None:
            with contextlib.closing(Desk(place_of(ledger, node, node_key))) as desk:
                actor = Acting(desk=desk, name=as_)
                acts = work(actor, **arguments)
                acts = [acts] if isinstance(acts, Act) else acts
                perform(actor, acts, clear=frozenset(clear or ()), out=out, dry_run=dry_run, as_json=as_json)

        _dress(
            run,
            work,
            as_=(AsOption, inspect.Parameter.empty),
            **_PLACE,
            clear=(ClearOption, None),
            out=(OutOption, None),
            dry_run=(DryRunOption, False),
            as_json=(JsonOption, False),
        )
        app.command(name, epilog=epilog(examples))(run)
        return work

    return add


def _dress(run: Work, work: Work, **common: tuple[Any, Any]) -> None:
    """Give `run` the arguments of `work` but its first, then the common ones, and its help."""
    own = list(inspect.signature(work, eval_str=True).parameters.values())[1:]
    shared = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=default)
        for name, (annotation, default) in common.items()
    ]
    parameters = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own] + shared
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    run.__doc__ = as_is(inspect.getdoc(work) or "")
    run.__name__ = work.__name__


def perform(
    actor: Acting,
    acts: Sequence[Act],
    *,
    clear: frozenset[str],
    out: Path | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Seal, sign and register some acts, or write them to files; print what came of each."""
    desk = actor.desk
    if not acts:
        present(Sheet(title="Done", columns=(), rows=(), empty="there was nothing to do"), as_json=as_json)
        return
    signed = desk.sign_all(actor.signer, [(act.tree, act.sub) for act in acts], clear)
    if out is not None:
        require_new_numbers(desk, [(act.tree, actor.signer.did) for act in acts])
        for number, (act, item) in enumerate(zip(acts, signed, strict=True)):
            path = out if len(acts) == 1 else out.with_name(f"{out.stem}-{number + 1}{out.suffix}")
            _show_written(desk, act, item, path, as_json=as_json)
        return
    settle(desk, list(zip(acts, signed, strict=True)), dry_run=dry_run, as_json=as_json)


def settle(
    desk: Desk, pairs: Sequence[tuple[Act, Signed]], *, dry_run: bool, as_json: bool, quiet: bool = False
) -> list[dict[str, Any]]:
    """Register signed acts and print what came of each; exits 1 if one was refused.

    An import asks for `quiet`: it prints its own report.

    Disclosures are kept before anything is registered, and thrown away where it was refused.
    Raises WrongUse, with nothing registered, if an act would give a number again that people name a thing by.
    """
    require_new_numbers(desk, [(act.tree, item.issuer) for act, item in pairs], imported=quiet)
    signed = [item for _, item in pairs]
    kept = [] if dry_run else [kept_at for item in signed if (kept_at := _keep(desk, item)) is not None]
    try:
        answers = desk.register([item.raw for item in signed], dry_run=dry_run)
    except BaseException:
        for kept_at in kept:
            kept_at.unlink(missing_ok=True)
        raise
    results = []
    for (act, item), answer in zip(pairs, answers, strict=True):
        path = desk.disclosures / f"{item.id}.disclosures.json"
        if not isinstance(answer, Registered) and path in kept:
            path.unlink(missing_ok=True)
            kept.remove(path)
        results.append(
            outcome(answer, kind=item.kind, dry_run=dry_run, then=act.then, title=act.title)
            | ({"disclosures": str(path)} if path in kept else {})
            | ({"unknown": list(act.unknown)} if act.unknown else {})
        )
    if not quiet:
        show_outcomes(results, as_json=as_json)
    return results


def _keep(desk: Desk, item: Signed) -> Path | None:
    path = desk.disclosures / f"{item.id}.disclosures.json"
    return path if desk.keep(item, path) else None


def _show_written(desk: Desk, act: Act, item: Signed, path: Path, *, as_json: bool) -> None:
    beside = path.with_name(f"{path.stem}.disclosures.json")
    write_file(path, item.raw)
    value = {"kind": item.kind, "id": item.id, "file": str(path)}
    if desk.keep(item, beside):
        value["disclosures"] = str(beside)
    facts = [(name, text) for name, text in value.items() if name != "kind"]
    facts.append(("next", f"pl submit {path}"))
    shown = Facts(title=f"Signed {item.kind} {act.title}".rstrip(), facts=facts, value=value)
    present(shown, as_json=as_json)


def outcome(answer: Answer, *, kind: str, dry_run: bool, then: str = "", title: str = "") -> dict[str, Any]:
    """Return what registering one statement came to, as JSON shows it."""
    if isinstance(answer, Registered):
        return {
            "kind": kind,
            "title": title,
            "id": answer.id,
            "registered": not dry_run,
            "index": answer.index,
            "known": answer.known,
            "next": then,
        }
    findings = [
        {"code": item.code, "message": item.message, "field": item.field, "entry": item.entry}
        for item in answer.findings
    ]
    return {
        "kind": kind,
        "title": title,
        "id": answer.id,
        "registered": False,
        "findings": findings,
        "reasons": [str(item) for item in answer.findings],
    }


def show_outcomes(results: Sequence[dict[str, Any]], *, as_json: bool) -> None:
    """Print what came of some statements; every reason of a refusal goes to stderr. Exits 1 after one."""
    refused = False
    for result in results:
        reasons = result.pop("reasons", ())
        for reason in reasons:
            label = f"{result['file']}: " if "file" in result else ""
            errors(f"refused: {label}{reason}")
        refused = refused or bool(reasons)
        if not as_json and not reasons:
            _outcome_facts(result).print()
    if as_json:
        print_json(results[0] if len(results) == 1 else list(results))
    if refused:
        raise typer.Exit(CHECK_FAILED)


def _outcome_facts(result: dict[str, Any]) -> Facts:
    done = "Registered" if result["registered"] else "Would register"
    if result["known"]:
        done = "Known already:"
    facts = [("id", result["id"]), ("index", str(result["index"]))]
    facts += [(name, result[name]) for name in ("disclosures", "receipt") if name in result]
    facts += [("not known", f"{item['message']} [{item['code']}]") for item in result.get("unknown", ())]
    facts += [("next", result["next"])] if result["next"] else []
    return Facts(title=f"{done} {result['kind']} {result['title']}".rstrip(), facts=facts, value=result)
