"""Rules, refusal codes, errors and pinned tables as pages, read from the code that applies them."""

from __future__ import annotations

import ast
import csv
import inspect
import io
import json
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FunctionType
from typing import Any

import pseudoledger
from pseudoledger import errors
from pseudoledger.cli.failure import exit_code
from pseudoledger.contract import ruleset
from pseudoledger.contract.case import Rule
from pseudoledger.contract.judge import under
from pseudoledger.contract.tables import TABLE_NAMES, contracts_dir, file_hash, shipped

_SRC = Path(pseudoledger.__file__).parent


def rules_page() -> str:
    """Write docs/reference/rules.md: the newest rule set, and where the earlier ones differ."""
    rule_set = ruleset.newest()
    stages_of = rule_set.stages
    gate, always = stages_of["pool.declared"][:-2], stages_of["pool.declared"][-2]
    out = [
        "# Rules\n",
        (
            f"Rule set `{rule_set.name}`, written from the rules by `make docs`. A statement meets its rules in"
            " stages; a stage runs only if the ones before found nothing, and within a stage every rule gives all its"
            " reasons. Before any rule a statement has to be well-formed, signed, and of a known kind: see"
            " [errors](errors.md). *Refused with* lists the stable codes. Ledgers founded under an earlier set go on"
            " under it; [what differs](#earlier-rule-sets) stands at the end.\n"
        ),
        "## Every statement\n",
        "All kinds but the founding meet stage 1, then stage 2.\n",
        _rules_table([(number, stage) for number, stage in enumerate(gate, 1)]),
        "## Every statement of a party\n",
        (
            "All kinds but those of the families ledger and identity meet these next, and then the rules of their"
            " kind.\n"
        ),
        _rules_table([(len(gate) + 1, always)]),
    ]
    for kind in rule_set.kinds.values():
        stages = stages_of[kind.name]
        out.append(f"## {kind.name}\n")
        own = tuple(rule for rule in stages[-1] if len(stages) == 1 or not _from_common_stage(rule, stages))
        if stages[: len(gate)] != gate:
            out.append("Meets no rules but these.\n")
        elif len(stages) > len(gate) + 1:
            out.append("After the rules of every statement and of every statement of a party:\n")
        else:
            out.append("After the rules of every statement:\n")
        out.append(_rules_table([(len(stages), own)]) if own else "No rules of its own.\n")
    out += ["## Codes\n", "Every code that a rule refuses with, and which rules do.\n", _codes_table()]
    out += ["## Earlier rule sets\n"]
    for earlier, later in zip(ruleset.NAMES, ruleset.NAMES[1:], strict=False):
        out.append(_differences(ruleset.named(earlier), ruleset.named(later)))
    return "\n".join(out)


def _differences(earlier: ruleset.RuleSet, later: ruleset.RuleSet) -> str:
    """Say what a rule set does not have that the next one has, and the rules that differ."""
    missing = [f"`{kind.name}`" for key, kind in later.kinds.items() if key not in earlier.kinds]
    rows: dict[tuple[str, str], list[str]] = {}
    for name, stages in earlier.stages.items():
        before = [_name(rule) for stage in stages for rule in stage]
        after = [_name(rule) for stage in later.stages[name] for rule in stage]
        only = tuple(
            ", ".join(f"`{rule}`" for rule in here if rule not in there)
            for here, there in ((before, after), (after, before))
        )
        if any(only):
            rows.setdefault((only[0], only[1]), []).append(f"`{name}`")
    out = [f"### {earlier.name}\n"]
    out.append(
        f"Kinds that it does not know: {', '.join(missing)}.\n" if missing else "It has the same kinds.\n"
    )
    if rows:
        out += [f"| rules here | in their place under `{later.name}` | kinds |", "|---|---|---|"]
        out += [f"| {here} | {there} | {', '.join(kinds)} |" for (here, there), kinds in rows.items()]
        out.append("")
    else:
        out.append("The rules of the kinds that both have are the same.\n")
    out += _other_folds(earlier, later)
    return "\n".join(out)


def _other_folds(earlier: ruleset.RuleSet, later: ruleset.RuleSet) -> Iterator[str]:
    """Yield what each of two sets does with a kind that both have and take into the book in other ways."""
    before, after = under(earlier.number).folds, under(later.number).folds
    kinds = [kind for kind in before if before[kind] is not after[kind]]
    if kinds:
        yield f"| kind | what the book does here | under `{later.name}` |\n|---|---|---|"
        yield from (f"| `{kind}` | {_says(before[kind])} | {_says(after[kind])} |" for kind in kinds)
        yield ""


def _from_common_stage(rule: Rule, stages: tuple[tuple[Rule, ...], ...]) -> bool:
    return any(rule in stage for stage in stages[:-1])


def _rules_table(stages: list[tuple[int, tuple[Rule, ...]]]) -> str:
    rows = ["| stage | rule | says | refused with |", "|---|---|---|---|"]
    for number, stage in stages:
        rows += [
            f"| {number} | `{_name(rule)}` | {_says(rule)} | {_code_list(codes_of(rule))} |" for rule in stage
        ]
    return "\n".join(rows) + "\n"


def _name(rule: Rule) -> str:
    return getattr(rule, "__name__", "")


def _says(rule: Callable[..., Any]) -> str:
    return inspect.cleandoc(rule.__doc__ or "").split("\n\n")[0].replace("\n", " ").replace("|", "\\|")


def _code_list(codes: set[str]) -> str:
    return ", ".join(f"`{code}`" for code in sorted(codes))


def codes_of(function: Callable[..., Any]) -> set[str]:
    """Return every code that a rule, or a function of this package that it calls, refuses with."""
    found: set[str] = set()
    seen: set[object] = set()
    waiting: list[Any] = [function]
    while waiting:
        current = waiting.pop()
        if current in seen or not isinstance(current, FunctionType):
            continue
        seen.add(current)
        tree = ast.parse(textwrap.dedent(inspect.getsource(current)))
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                found |= _code_of_call(node)
            if isinstance(node, ast.Name):
                value = current.__globals__.get(node.id)
                if isinstance(value, FunctionType) and value.__module__.startswith(
                    "pseudoledger.contract.rules"
                ):
                    waiting.append(value)
    return found


def _code_of_call(node: ast.Call) -> set[str]:
    name = node.func.id if isinstance(node.func, ast.Name) else ""
    values = [word.value for word in node.keywords if word.arg == "code"]
    if name == "refuse" and node.args:
        values.append(node.args[0])
    return {
        value.value for value in values if isinstance(value, ast.Constant) and isinstance(value.value, str)
    }


def _codes_table() -> str:
    users: dict[str, set[str]] = {}
    every = (stages for rule_set in ruleset.released().values() for stages in rule_set.stages.values())
    for stages in every:
        for rule in (rule for stage in stages for rule in stage):
            for code in codes_of(rule):
                users.setdefault(code, set()).add(_name(rule))
    rows = ["| code | rules |", "|---|---|"]
    rows += [
        f"| `{code}` | {', '.join(f'`{name}`' for name in sorted(users[code]))} |" for code in sorted(users)
    ]
    return "\n".join(rows) + "\n"


def errors_page() -> str:
    """Write docs/reference/errors.md."""
    doc = inspect.cleandoc(errors.__doc__ or "")
    start = doc.index("PseudoledgerError")
    tree = textwrap.dedent("    " + doc[start : doc.index("\n\n", start)])
    out = [
        "# Errors\n",
        (
            "Every error raised on purpose, written from the code by `make docs`. Each message says what was wrong and"
            " where; `hint` says what to do next. The command line prints both and no traceback.\n"
        ),
        f"```text\n{tree}\n```\n",
        "## Exit codes\n",
        "| code | when |",
        "|---|---|",
        "| 0 | done |",
        "| 1 | a check failed, or a statement was refused; the reasons stand on stderr |",
        "| 2 | wrong use |",
        "| 3 | a peer or a file could not be reached |\n",
        "## Classes\n",
        "| class | is a | means | exit code |",
        "|---|---|---|---|",
    ]
    for name, value in vars(errors).items():
        if inspect.isclass(value) and issubclass(value, errors.PseudoledgerError):
            base = value.__bases__[0].__name__
            status = exit_code(value.__new__(value))
            out.append(f"| `{name}` | `{base}` | {_first_line(value)} | {status} |")
    out += ["\n## Codes of form\n"]
    out.append(
        "Codes of `MalformedError` and of refusals before any rule: the statement, payload or value is not of the"
        " form it claims. The codes of rules stand in [rules](rules.md#codes).\n"
    )
    out += ["| code | raised in |", "|---|---|"]
    for code, modules in sorted(form_codes().items()):
        out.append(f"| `{code}` | {', '.join(f'`{module}`' for module in sorted(modules))} |")
    return "\n".join(out) + "\n"


def _first_line(value: type) -> str:
    return inspect.cleandoc(value.__doc__ or "").split("\n\n")[0].replace("\n", " ")


def form_codes() -> dict[str, set[str]]:
    """Return every code given outside the rules, with the modules that give it."""
    found: dict[str, set[str]] = {}
    for path in sorted(_SRC.rglob("*.py")):
        module = ".".join(path.relative_to(_SRC).with_suffix("").parts)
        if module.startswith("contract.rules"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                for code in _given_codes(node):
                    found.setdefault(code, set()).add(module.removesuffix(".__init__"))
    return found


def _given_codes(node: ast.Call) -> Iterator[str]:
    yield from _code_of_call(node)
    for argument in node.args:
        # Readers hand the code on to the function that raises.
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
            name = node.func.id if isinstance(node.func, ast.Name) else ""
            if name == "_cbor":
                yield argument.value


def tables_page() -> str:
    """Write docs/reference/tables.md."""
    sets = [
        (rule_set, json.loads(shipped(f"rules/{rule_set.name}.json")))
        for rule_set in ruleset.released().values()
    ]
    newest = sets[-1][1]
    out = [
        "# Tables and rule sets\n",
        (
            "What a ledger pins by hash, as this version ships it; written by `make docs`. The files stand in"
            " `contracts/`; where their facts come from stands in `contracts/tables/README.md`.\n"
        ),
        "## Rule sets\n",
        "| name | kinds | SHA-256 | |",
        "|---|---|---|---|",
        *(
            f"| `{rule_set.name}` | {len(described['kinds'])} | `{rule_set.sha256}` | {_standing(rule_set)} |"
            for rule_set, described in sets
        ),
        "\nLimits of the newest: "
        + ", ".join(f"{name} {size:,}" for name, size in newest["limits"].items())
        + ".\n",
        "## Tables\n",
        "| name | rows | columns | SHA-256 |",
        "|---|---|---|---|",
    ]
    for name in TABLE_NAMES:
        raw = shipped(f"tables/{name}.csv")
        head, *rows = csv.reader(io.StringIO(raw.decode("utf-8")))
        columns = ", ".join(f"`{column}`" for column in head)
        out.append(f"| `{name}` | {len(rows):,} | {columns} | `{file_hash(raw)}` |")
    return "\n".join(out) + "\n"


def _standing(rule_set: ruleset.RuleSet) -> str:
    return "in preparation: still changes" if rule_set.name in ruleset.IN_PREPARATION else "released"


def rule_set_files() -> dict[Path, bytes]:
    """Return what the files of rule sets in preparation have to hold; those of released ones never change."""
    return {
        contracts_dir() / "rules" / f"{name}.json": ruleset.describe(number)
        for number, name in enumerate(ruleset.NAMES, 1)
        if name in ruleset.IN_PREPARATION
    }
