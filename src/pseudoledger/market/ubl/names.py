"""What the ledger does not show and an invoice has to: disclosed names, and details that no ledger attests.

Names (BT-27, BT-44) come from sealed fields that somebody opened; each disclosure is checked against its
statement. Addresses, countries and tax numbers stand on no ledger: whoever exports gives them in a TOML file,
and answers for them.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from typing import Annotated

from pydantic import Field, StringConstraints

from pseudoledger.errors import MalformedError
from pseudoledger.market.report import checked
from pseudoledger.statement.envelope import Statement
from pseudoledger.statement.sealed import OpenedField, open_fields
from pseudoledger.statement.values import Text, Value

_Country = Annotated[str, StringConstraints(pattern="^[A-Z]{2}$")]
_Scheme = Annotated[str, StringConstraints(pattern="^[A-Z0-9]{1,8}$")]


class PartyDetails(Value):
    """What an invoice says of a party beside its name; nothing of it stands on a ledger."""

    country: _Country | None = Field(default=None, description="BT-40, BT-55")
    street: Text | None = Field(default=None, description="BT-35, BT-50")
    city: Text | None = Field(default=None, description="BT-37, BT-52")
    postal_code: Text | None = Field(default=None, description="BT-38, BT-53")
    vat: Text | None = Field(default=None, description="VAT identifier with its country code: BT-31, BT-48")
    registration: Text | None = Field(default=None, description="Number in a register: BT-30, BT-47")
    account: Text | None = Field(default=None, description="Where to pay to, if sealed or not said: BT-84")
    endpoint: Text | None = Field(default=None, description="Electronic address: BT-34, BT-49")
    endpoint_scheme: _Scheme | None = Field(default=None, description="Scheme of that address")


class Details(Value):
    """What the exporter says, and answers for."""

    parties: dict[str, PartyDetails] = Field(default={}, description="By name or did of the party")
    exemption_reason: Text | None = Field(default=None, description="Why no tax is due: BT-120")

    def of(self, did: str) -> PartyDetails:
        """Return what is said of a party; nothing where it is not named."""
        return self.parties.get(did, PartyDetails())


def read_details(raw: bytes, name: str) -> Details:
    """Read a file of details; raise MalformedError where it is none."""
    try:
        tree = tomllib.loads(raw.decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise MalformedError(f"{name} is not TOML: {error}", code="details.form") from None
    details = checked(Details, tree, name)
    for text in _texts(details):
        if not text.isprintable():
            raise MalformedError(f"{name}: {text!r} holds control characters", code="details.form")
    return details


def _texts(details: Details) -> Iterable[str]:
    for party in details.parties.values():
        yield from (text for text in party.model_dump().values() if text is not None)
    if details.exemption_reason is not None:
        yield details.exemption_reason


def open_texts(statement: Statement, disclosures: Iterable[str]) -> Mapping[str, str]:
    """Return the texts that disclosures open in a statement, by JSON Pointer.

    Raises InvalidProof for one that does not belong to it and for two that open one field, MalformedError for a value that the dictionary
    would have refused in the clear.
    """
    statement.verify()
    found: dict[str, str] = {}
    for field in open_fields(statement, disclosures):
        if not isinstance(field, OpenedField):
            raise field
        if field.problem or not isinstance(field.value, str):
            raise MalformedError(
                f"what is disclosed would have been refused in the clear: {field.problem or 'not a text'}",
                code="disclosure.invalid",
                field=field.pointer,
            )
        found[field.pointer] = field.value
    return found
