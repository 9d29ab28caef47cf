"""What a customer is known by, in words that occur nowhere else, and how to find them again, however disguised."""

import base64
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

NAME = "Zenobia Quagliarella"
ADDRESS = "zenobia.q@canary.example"
PHONE = "+390655512399"
HANDLE = "zenq-writes"
TEXT = "the wedding dress never came and Kea the parrot saw it"
NOTE = "she cried on line four"
SOURCE = "86753094200"
"""What every source id begins with."""
SECRET = "plover-saffron-secret-71"
PLATFORM_SECRET = "whsec_" + base64.b64encode(b"curlew-indigo-secret-72!").decode()
HOOK_SECRET = "whsec_" + base64.b64encode(b"dunlin-ochre--secret-73!").decode()

MARKS = {
    "name": ("Quagliarella",),
    "address": ("zenobia.q",),
    "phone": ("0655512399",),
    "handle": (HANDLE,),
    "text": ("wedding dress", "parrot saw"),
    "note": ("cried on line",),
    "source id": (SOURCE,),
    "secret": ("plover-saffron",),
    "platform's secret": (PLATFORM_SECRET.removeprefix("whsec_"), "curlew-indigo"),
    "hook's secret": (HOOK_SECRET.removeprefix("whsec_"), "dunlin-ochre"),
}
"""The parts of each that survive trimming, splitting and changes of case."""


def in_base64(mark: str) -> Iterable[str]:
    """The characters that the mark alone decides, at each of the three places in a group that it can begin at."""
    for before in range(3):
        coded = base64.b64encode(bytes(before) + mark.encode()).decode()
        length = before + len(mark)
        yield coded[(0, 2, 3)[before] : len(coded) - (0, 3, 2)[length % 3]]


def disguises(mark: str) -> set[bytes]:
    """Without regard to case; only base64 has two, and nothing else looks like it."""
    plain = {mark, quote(mark, safe=""), quote_plus(mark), mark.encode().hex(), mark.replace(" ", "_")}
    coded = {one for variant in (mark, mark.lower()) for one in in_base64(variant)}
    coded |= {one.replace("+", "-").replace("/", "_") for one in coded}
    return {one.lower().encode() for one in plain | coded}


SOUGHT = {kind: set().union(*(disguises(mark) for mark in marks)) for kind, marks in MARKS.items()}


def found_in(*places: bytes, also: Iterable[str] = ()) -> set[str]:
    """The kinds of canary in these bytes; of `also` the words themselves."""
    whole = b"\x00".join(places).lower()
    kinds = {kind for kind, forms in SOUGHT.items() if any(form in whole for form in forms)}
    return kinds | {word for word in also if any(form in whole for form in disguises(word))}
