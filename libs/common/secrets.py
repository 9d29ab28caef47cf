"""Keys that never leave the installation, and the box that keeps channel secrets with them."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from libs.common.settings import Settings

KEY_FILE: Final = "secret.key"
KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
BOX_VERSION: Final = b"\x01"


class Unopenable(Exception):
    """The sealed bytes are not ours: another key, or they were changed."""


class SecretBox:
    """Seals bytes with AES-256-GCM under a key of their own purpose."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(derive(key, "secret box"))

    def seal(self, content: bytes) -> bytes:
        nonce = os.urandom(NONCE_BYTES)
        return BOX_VERSION + nonce + self._cipher.encrypt(nonce, content, BOX_VERSION)

    def open(self, sealed: bytes) -> bytes:
        """Raises Unopenable."""
        nonce, content = sealed[1 : 1 + NONCE_BYTES], sealed[1 + NONCE_BYTES :]
        if sealed[:1] != BOX_VERSION or len(nonce) < NONCE_BYTES:
            raise Unopenable("not a sealed secret")
        try:
            return self._cipher.decrypt(nonce, content, BOX_VERSION)
        except InvalidTag as failure:
            raise Unopenable("sealed with another key") from failure


def derive(key: bytes, purpose: str) -> bytes:
    """A key for one purpose: knowing it tells nothing about the others."""
    return HKDF(SHA256(), KEY_BYTES, salt=None, info=f"omniroute {purpose}".encode()).derive(key)


def master_key(settings: Settings) -> bytes:
    """SECRET_KEY, or the key file in the data folder, which the first start creates. Raises OSError."""
    if settings.secret_key is not None:
        return settings.secret_key.get_secret_value().encode()
    return _key_file(settings.data_dir / KEY_FILE)


def _key_file(path: Path) -> bytes:
    """Whoever links first made the key: a file that is there is whole."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{KEY_FILE}.{secrets.token_hex(8)}")
        _write_private(draft, secrets.token_urlsafe(KEY_BYTES).encode())
        with suppress(FileExistsError):
            path.hardlink_to(draft)
        draft.unlink()
    key = path.read_bytes().strip()
    if len(key) < KEY_BYTES:
        raise OSError(f"{path} is too short to be a key: bring the right one back from a backup")
    return key


def _write_private(path: Path, content: bytes) -> None:
    with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
