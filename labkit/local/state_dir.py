"""The state directory: one local cloud at a time, its keys, and ``local.json`` by which it is found."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from filelock import FileLock, Timeout

ENDING_SECONDS = 3.0


class AlreadyRunning(Exception):
    """The state directory cannot be used; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Keys:
    """The administrator's key pair, and the token of labkit's own pages."""

    access_key: str
    secret_key: str
    token: str


class StateDir:
    """A context: inside it, this process alone owns the directory."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self._lock = FileLock(self.path / "lock")

    def __enter__(self) -> StateDir:
        with self.written():
            self.path.mkdir(parents=True, exist_ok=True)
            self._take_lock()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._lock.is_locked:
            self.remove_local_json()
        self._lock.release()

    @contextlib.contextmanager
    def written(self) -> Iterator[None]:
        """Let the block write to the directory.

        Raises:
            AlreadyRunning: That cannot be done.
        """
        try:
            yield
        except OSError as error:
            raise AlreadyRunning(
                f"the state directory {self.path} cannot be written ({error.strerror}); "
                "make room there, or choose another: labkit up --state-dir DIRECTORY"
            ) from error

    def _take_lock(self) -> Any:
        deadline = time.monotonic() + ENDING_SECONDS
        while True:
            try:
                return self._lock.acquire(timeout=0)
            except Timeout:
                if time.monotonic() > deadline or (self.path / "local.json").exists():
                    raise AlreadyRunning(
                        f"a local cloud already runs on {self.path}{self._owner()}; "
                        "use it, end it with `labkit down`, or give another --state-dir"
                    ) from None
            time.sleep(0.02)  # without local.json the owner is on its way out, or has just begun

    def _owner(self) -> str:
        try:
            return f" (pid {json.loads((self.path / 'local.json').read_text(encoding='utf-8'))['pid']})"
        except (OSError, ValueError, KeyError):
            return ""

    def administrator_keys(self, access_key: str | None, secret_key: str | None) -> Keys:
        """Return the given keys, else those kept in the directory, else new random ones (and keep them).

        The token is kept, too: links to the inbox and the map go on working.
        """
        path = self.path / "administrator.json"
        try:
            kept = {key: str(value) for key, value in json.loads(path.read_text(encoding="utf-8")).items()}
        except (OSError, ValueError, AttributeError):
            kept = {}
        alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
        fields = {
            "access_key": "AKIA" + "".join(secrets.choice(alphabet) for _ in range(16)),
            "secret_key": secrets.token_urlsafe(30),
            "token": secrets.token_urlsafe(24),
        } | kept
        if fields != kept:
            with self.written():
                _write_private(path, fields)
        return Keys(access_key or fields["access_key"], secret_key or fields["secret_key"], fields["token"])

    @property
    def journal(self) -> Path:
        """The file that everything is kept in."""
        return self.path / "state.journal"

    def set_aside(self, why: object) -> str:
        """Give a journal that cannot be read another name; return what to tell about it."""
        aside = self.journal.with_name(f"state.journal.unreadable-{time.strftime('%Y%m%dT%H%M%S')}")
        os.replace(self.journal, aside)
        return f"what an earlier one kept cannot be read ({why}) and lies now in {aside}"

    def forget(self) -> None:
        """Begin clean: drop what an earlier local cloud kept."""
        self.journal.unlink(missing_ok=True)

    @property
    def port(self) -> int | None:
        """The port that the last local cloud on this directory listened on: addresses that were handed out name it."""
        try:
            return int((self.path / "port").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    def write_local_json(self, fields: dict[str, Any]) -> None:
        """Tell clients where the local cloud is and with which keys; readable by the owner only."""
        with self.written():
            if self.port != fields["port"]:
                (self.path / "port").write_text(str(fields["port"]), encoding="utf-8")
            _write_private(self.path / "local.json", fields)

    def remove_local_json(self) -> None:
        """Say that the local cloud is gone."""
        (self.path / "local.json").unlink(missing_ok=True)


def _write_private(path: Path, fields: dict[str, Any]) -> None:
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    descriptor = os.open(temporary, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(fields, file, indent=2)
        os.replace(temporary, path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
