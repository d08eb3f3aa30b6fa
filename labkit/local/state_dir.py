"""The state directory: one local cloud at a time, its keys, and ``local.json`` by which it is found."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil


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
        self._lock = self.path / "lock"

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

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self.remove_local_json()
        self._lock.unlink(missing_ok=True)

    def _take_lock(self) -> None:
        for _ in range(2):
            try:
                descriptor = os.open(self._lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
            except FileExistsError:
                owner = _owner(self._lock)
                if owner is not None:
                    raise AlreadyRunning(
                        f"a local cloud (pid {owner}) already runs on {self.path}; "
                        "use it, end it with `labkit down`, or give another --state-dir"
                    ) from None
                self._lock.unlink(missing_ok=True)  # its owner was killed
                continue
            with os.fdopen(descriptor, "w") as lock:
                lock.write(f"{os.getpid()} {psutil.Process().create_time()}")
            return
        raise AlreadyRunning(f"another local cloud is starting on {self.path}; use that one")

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


def _owner(lock: Path) -> int | None:
    try:
        pid, created = lock.read_text(encoding="utf-8").split()
        process = psutil.Process(int(pid))
        return int(pid) if abs(process.create_time() - float(created)) < 1 else None
    except (OSError, ValueError, psutil.Error):
        return None


def _write_private(path: Path, fields: dict[str, Any]) -> None:
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    descriptor = os.open(temporary, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(fields, file, indent=2)
    os.replace(temporary, path)
