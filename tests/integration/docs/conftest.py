"""The notifier of its own tests, which the examples are tried on."""

from tests.integration.notifier.conftest import desk

__all__ = ["desk"]
