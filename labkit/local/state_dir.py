"""The state directory: one local cloud at a time, its keys, and ``local.json`` by which it is found."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from filelock import FileLock, Timeout


class AlreadyRunning(Exception):
    """The state directory cannot be used; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Keys:
    """The administrator's key pair."""

    access_key: str
    secret_key: str


class StateDir:
    """A context: inside it, this process alone owns the directory."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self._lock = FileLock(self.path / "lock")

    def __enter__(self) -> StateDir:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._take_lock()
        except OSError as error:
            raise AlreadyRunning(
                f"the state directory {self.path} cannot be written ({error.strerror}); "
                "choose another: labkit up --state-dir DIRECTORY"
            ) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._lock.is_locked:
            self.remove_local_json()
        self._lock.release()

    def _take_lock(self) -> None:
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise AlreadyRunning(
                f"a local cloud already runs on {self.path}{self._owner()}; "
                "use it, end it with `labkit down`, or give another --state-dir"
            ) from None

    def _owner(self) -> str:
        try:
            return f" (pid {json.loads((self.path / 'local.json').read_text(encoding='utf-8'))['pid']})"
        except (OSError, ValueError, KeyError):
            return ""

    def administrator_keys(self, access_key: str | None, secret_key: str | None) -> Keys:
        """Return the given keys, else those kept in the directory, else new random ones (and keep them)."""
        if access_key and secret_key:
            return Keys(access_key, secret_key)
        kept = self.path / "administrator.json"
        try:
            fields = json.loads(kept.read_text(encoding="utf-8"))
            return Keys(fields["access_key"], fields["secret_key"])
        except (OSError, ValueError, KeyError):
            alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
            keys = Keys("AKIA" + "".join(secrets.choice(alphabet) for _ in range(16)), secrets.token_urlsafe(30))
            _write_private(kept, {"access_key": keys.access_key, "secret_key": keys.secret_key})
            return keys

    def write_local_json(self, fields: dict[str, Any]) -> None:
        """Tell clients where the local cloud is and with which keys; readable by the owner only."""
        _write_private(self.path / "local.json", fields)

    def remove_local_json(self) -> None:
        """Say that the local cloud is gone."""
        (self.path / "local.json").unlink(missing_ok=True)


def _write_private(path: Path, fields: dict[str, Any]) -> None:
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    descriptor = os.open(temporary, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(fields, file, indent=2)
    os.replace(temporary, path)
