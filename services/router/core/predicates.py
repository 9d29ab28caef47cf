"""Rules about contacts, as queues have them: a tree of `all`, `any` and `not` over comparisons of one field each.

What a contact hasn't (no language, no such attribute) satisfies no comparison but `ne`, and `exists: false`. Nothing is
converted: a text equals no number, and a flag is none. `attributes.<name>` compares by the type of the value that the
rule gives. Numbers compare as they were written, so the answer is the same on every machine.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from libs.common.events.values import Op, Predicate, Scalar
from services.router.core.limits import RULE_DEPTH_MAX, RULE_LEAVES_MAX, RULE_VALUES_MAX
from services.router.core.traits import MessageTraits

ATTRIBUTES: Final = "attributes."
SAME: Final[tuple[Op, ...]] = ("eq", "ne", "in")
ORDER: Final[tuple[Op, ...]] = ("gt", "gte", "lt", "lte")
TEXTS: Final = ("channel", "account", "language")
NUMBERS: Final = ("sentiment", "reach", "strikes")
WORDS: Final[Mapping[str, tuple[str, ...]]] = {
    "medium": ("voice", "live", "async"),
    "visibility": ("public", "community", "private"),
    "tier": ("standard", "silver", "gold"),
}
OPS: Final[Mapping[str, tuple[Op, ...]]] = {
    **dict.fromkeys(("channel", "account", *WORDS), SAME),
    "language": (*SAME, "exists"),
    "topics": ("contains", "exists"),
    **dict.fromkeys(NUMBERS, (*SAME, *ORDER)),
}
"""Field → how it can be compared."""
OPS_OF_ATTRIBUTES: Final[tuple[Op, ...]] = (*SAME, *ORDER, "exists")
Flaw = tuple[str, str]
"""(JSON pointer inside the rule, what is wrong there)."""


# -- does it hold -----------------------------------------------------------------------------------------------


def failing(rule: Predicate, traits: MessageTraits, at: str = "") -> str | None:
    """The pointer of the first leaf (or `not`) for which the rule doesn't hold; None when it holds."""
    if rule.all is not None:
        parts = (failing(part, traits, f"{at}/all/{place}") for place, part in enumerate(rule.all))
        return next((failed for failed in parts if failed is not None), None)
    if rule.any is not None:
        failed = [failing(part, traits, f"{at}/any/{place}") for place, part in enumerate(rule.any)]
        return None if None in failed else failed[0]
    if rule.not_ is not None:
        return f"{at}/not" if failing(rule.not_, traits) is None else None
    return None if compares(rule, value_of(str(rule.field), traits)) else at


def value_of(field: str, traits: MessageTraits) -> Scalar | tuple[str, ...] | None:
    if field.startswith(ATTRIBUTES):
        return traits.attributes.get(field.removeprefix(ATTRIBUTES))
    value: Scalar | tuple[str, ...] | None = getattr(traits, field)
    return value


def compares(leaf: Predicate, value: Scalar | tuple[str, ...] | None) -> bool:
    wanted = leaf.value
    match leaf.op:
        case "exists": return (value is not None and value != ()) is wanted
        case "contains": return isinstance(value, tuple) and wanted in value
        case "eq": return is_same(value, wanted)
        case "ne": return not is_same(value, wanted)
        case "in": return isinstance(wanted, tuple) and any(is_same(value, one) for one in wanted)
        case _: return is_number(value) and is_number(wanted) and in_order(leaf.op, value, wanted)


def is_same(value: object, wanted: object) -> bool:
    """Equal and of one type; numbers are one type."""
    return value == wanted and kind_of(value) == kind_of(wanted)


def in_order(op: Op | None, value: object, wanted: object) -> bool:
    assert isinstance(value, int | float), "only numbers have an order"
    assert isinstance(wanted, int | float), "only numbers have an order"
    match op:
        case "gt": return value > wanted
        case "gte": return value >= wanted
        case "lt": return value < wanted
        case _: return value <= wanted


def is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def kind_of(value: object) -> str:
    if isinstance(value, bool):
        return "true or false"
    return "a number" if is_number(value) else "a text" if isinstance(value, str) else "nothing to compare with"


# -- is it a rule -----------------------------------------------------------------------------------------------


def flaws(rule: Predicate) -> tuple[Flaw, ...]:
    """What is wrong with a rule, from its beginning; nothing when it can be kept."""
    if depth(rule) > RULE_DEPTH_MAX:
        return (("", f"is deeper than {RULE_DEPTH_MAX} levels"),)
    if leaves(rule) > RULE_LEAVES_MAX:
        return (("", f"compares more than {RULE_LEAVES_MAX} times"),)
    return tuple(_flaws(rule, ""))


def parts_of(rule: Predicate) -> tuple[Predicate, ...]:
    return (*(rule.all or ()), *(rule.any or ()), *((rule.not_,) if rule.not_ is not None else ()))


def depth(rule: Predicate) -> int:
    return 1 + max((depth(part) for part in parts_of(rule)), default=0)


def leaves(rule: Predicate) -> int:
    parts = parts_of(rule)
    return sum(leaves(part) for part in parts) if parts else 1


def _flaws(rule: Predicate, at: str) -> Iterator[Flaw]:
    kinds = (rule.all, rule.any, rule.not_, rule.field)
    if sum(kind is not None for kind in kinds) != 1:
        yield at, "is one of: all, any, not, or a field with op and value"
    elif rule.field is not None:
        yield from _flaws_of_leaf(rule, at)
    elif rule.op is not None or rule.value is not None:
        yield at, "op and value go with a field"
    elif rule.not_ is not None:
        yield from _flaws(rule.not_, f"{at}/not")
    else:
        name, parts = ("all", rule.all) if rule.all is not None else ("any", rule.any)
        if not parts:
            yield f"{at}/{name}", "is empty"
        for place, part in enumerate(parts or ()):
            yield from _flaws(part, f"{at}/{name}/{place}")


def _flaws_of_leaf(leaf: Predicate, at: str) -> Iterator[Flaw]:
    field = leaf.field or ""
    of_attribute = field.startswith(ATTRIBUTES) and field != ATTRIBUTES
    ops = OPS_OF_ATTRIBUTES if of_attribute else OPS.get(field, ())
    if not ops:
        yield f"{at}/field", "is no field of a contact"
    elif leaf.op not in ops:
        yield f"{at}/op", f"is none of {', '.join(ops)}"
    elif (wrong := _wrong_value(leaf, field)) is not None:
        yield f"{at}/value", wrong


def _wrong_value(leaf: Predicate, field: str) -> str | None:
    if leaf.op == "exists":
        return None if isinstance(leaf.value, bool) else "must be true or false"
    if (leaf.op == "in") != isinstance(leaf.value, tuple):
        return "must be a list" if leaf.op == "in" else "must be a single value"
    values = leaf.value if isinstance(leaf.value, tuple) else (leaf.value,)
    if not 1 <= len(values) <= RULE_VALUES_MAX:
        return f"must have 1 to {RULE_VALUES_MAX} values"
    known = WORDS.get(field)
    if known is not None:
        return None if all(value in known for value in values) else f"must be one of {', '.join(known)}"
    if field in NUMBERS or leaf.op in ORDER:
        return None if all(is_number(value) for value in values) else "must be a number"
    if field.startswith(ATTRIBUTES):
        return None if None not in values else "must be a text, a number, true or false"
    return None if all(isinstance(value, str) for value in values) else "must be a text"
