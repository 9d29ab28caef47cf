"""Which language a message is in, told in well under a millisecond, or None when it can't be told."""

from __future__ import annotations

import asyncio
from functools import cache
from typing import Final

from lingua import Language, LanguageDetector, LanguageDetectorBuilder

from services.ingest.core.normalize import prose
from services.ingest.limits import LANGUAGE_CHARACTERS_MAX

LANGUAGES: Final = (
    Language.ENGLISH,
    Language.ITALIAN,
    Language.SPANISH,
    Language.FRENCH,
    Language.GERMAN,
    Language.PORTUGUESE,
    Language.DUTCH,
)
SURE: Final = 0.15
"""The smallest distance between the first two languages at which the first is believed."""
LETTERS_MIN: Final = 8


@cache
def _detector() -> LanguageDetector:
    builder = LanguageDetectorBuilder.from_languages(*LANGUAGES).with_low_accuracy_mode()
    return builder.with_minimum_relative_distance(SURE).build()


async def load() -> None:
    """Read the models now, beside the loop, so that no message waits for them."""
    for sample in ("hello, is anybody there?", "buongiorno, c'è qualcuno?"):
        await asyncio.to_thread(language_of, sample)


def language_of(text: str | None) -> str | None:
    """An ISO 639-1 code, or None when there are too few words or two languages are as likely."""
    words = prose(text)[:LANGUAGE_CHARACTERS_MAX]
    if sum(character.isalpha() for character in words) < LETTERS_MIN:
        return None
    language = _detector().detect_language_of(words)
    return None if language is None else language.iso_code_639_1.name.lower()
