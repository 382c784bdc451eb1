"""Rules of the family *voucher*: programmes and the vouchers they issue (design §3 "Vouchers")."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from pseudoledger.contract.case import Rule
from pseudoledger.contract.rules.common import Fold

RULES_2: Mapping[str, tuple[Rule, ...]] = MappingProxyType({})
FOLDS_2: Mapping[str, Fold] = MappingProxyType({})
