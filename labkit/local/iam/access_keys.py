"""Access keys: the administrator's, those of users, and the short-lived ones of sessions.

https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_temp.html
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from labkit.local.api_call import ACCOUNT_ID, ApiCall, AwsError, Caller
from labkit.local.clock import Clock
from labkit.local.front_door.signature_errors import TokenExpired

LIFETIME = 3600
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


@dataclass(frozen=True, slots=True)
class Credentials:
    """Short-lived keys of a role or a user; *expiration* is epoch seconds."""

    access_key_id: str
    secret_access_key: str
    session_token: str
    expiration: float


@dataclass(frozen=True, slots=True)
class Session:
    """Keys that were handed out, to whom, and what narrows them: session policies and session tags."""

    keys: Credentials
    caller: Caller
    policies: list[dict[str, Any]] | None = None
    tags: dict[str, str] = field(default_factory=dict)


class AccessKeys:
    """Every key that may sign a request."""

    def __init__(
        self,
        *,
        role: Callable[[str], Awaitable[dict[str, Any] | None]],
        user_keys: Callable[[], Awaitable[Mapping[str, Mapping[str, str]]]],
        administrator: tuple[str, str],
        clock: Clock,
    ) -> None:
        self._role, self._user_keys, self._clock = role, user_keys, clock
        self._administrator_secret = administrator[1]
        self.administrator = Caller(
            "administrator",
            f"arn:aws:iam::{ACCOUNT_ID}:user/lab-administrator",
            access_key_id=administrator[0],
            principal_id="AIDALABADMINISTRATOR",
        )
        self._sessions: dict[str, Session] = {}
        self._users: Mapping[str, Mapping[str, str]] | None = None

    # --- Handing out --------------------------------------------------------------------------------------------------

    async def issue(self, role_arn: str, session_name: str) -> Credentials:
        """Make credentials of a role, valid for an hour."""
        return (await self.begin_session(role_arn, session_name)).keys

    async def begin_session(
        self,
        role_arn: str,
        session_name: str,
        *,
        lifetime: float = LIFETIME,
        policies: list[dict[str, Any]] | None = None,
        tags: dict[str, str] | None = None,
    ) -> Session:
        """Make a session of a role; *lifetime* is in seconds."""
        name = role_arn.rpartition("/")[2]
        role = await self._role(name) or {}
        caller = Caller(
            "assumed-role",
            f"arn:aws:sts::{ACCOUNT_ID}:assumed-role/{name}/{session_name}",
            principal_id=str(role.get("RoleId", "AROAUNKNOWN")),
            role_arn=role_arn,
            session_name=session_name,
        )
        return self._begin(caller, lifetime, policies, tags or {})

    def begin_own_session(self, caller: Caller, lifetime: float) -> Session:
        """Make short-lived keys of a user, who stays who they are."""
        return self._begin(caller, lifetime, None, {})

    def _begin(
        self, caller: Caller, lifetime: float, policies: list[dict[str, Any]] | None, tags: dict[str, str]
    ) -> Session:
        now = self._clock.now()
        for key in [key for key, one in self._sessions.items() if one.keys.expiration < now - LIFETIME]:
            del self._sessions[key]
        keys = Credentials(
            "ASIA" + "".join(secrets.choice(ALPHABET) for _ in range(16)),
            secrets.token_urlsafe(30),
            secrets.token_urlsafe(60),
            now + lifetime,
        )
        session = Session(keys, replace(caller, access_key_id=keys.access_key_id, session_began=now), policies, tags)
        self._sessions[keys.access_key_id] = session
        return session

    # --- Looking up ---------------------------------------------------------------------------------------------------

    async def ready(self) -> None:
        """Read the keys of users anew, if IAM was changed since; to be awaited before :meth:`secret_of`."""
        if self._users is None:
            self._users = await self._user_keys()

    def observe(self, call: ApiCall, result: dict[str, Any] | None, error: AwsError | None) -> None:
        """Take note that something in IAM was written."""
        if call.service == "iam":
            self._users = None

    def secret_of(self, access_key_id: str, session_token: str) -> str | None:
        """Return the secret of a key, or ``None`` when it or its token is unknown or it is inactive.

        Raises:
            TokenExpired: The session of the key is over.
        """
        if access_key_id == self.administrator.access_key_id:
            return self._administrator_secret
        if user := (self._users or {}).get(access_key_id):
            return user["secret"]
        session = self._sessions.get(access_key_id)
        if session is None or not secrets.compare_digest(session.keys.session_token.encode(), session_token.encode()):
            return None
        if session.keys.expiration < self._clock.now():
            raise TokenExpired
        return session.keys.secret_access_key

    def knows(self, access_key_id: str) -> bool:
        """Whether somebody has such a key, whatever its secret."""
        known = access_key_id == self.administrator.access_key_id or access_key_id in self._sessions
        return known or access_key_id in (self._users or ())

    def caller_of(self, access_key_id: str) -> Caller:
        """Return who owns a key that was verified."""
        if access_key_id == self.administrator.access_key_id:
            return self.administrator
        if user := (self._users or {}).get(access_key_id):
            return Caller("user", user["arn"], access_key_id=access_key_id, principal_id=user["id"])
        return self._sessions[access_key_id].caller

    def session_of(self, caller: Caller) -> Session | None:
        """Return the session in which somebody calls, if it is one."""
        return self._sessions.get(caller.access_key_id)

    def narrowing(self, caller: Caller) -> tuple[list[dict[str, Any]] | None, dict[str, str]]:
        """Return the session policies (``None``: none were given) and session tags of a caller."""
        session = self._sessions.get(caller.access_key_id)
        return (session.policies, session.tags) if session else (None, {})

    def account_of(self, access_key_id: str) -> str:
        """Return the account of a key.

        Raises:
            AwsError: ``ValidationError``.
        """
        known = {self.administrator.access_key_id, *self._sessions, *(self._users or {})}
        if access_key_id not in known:
            raise AwsError("ValidationError", "The access key does not exist here.", 400)
        return ACCOUNT_ID

    # --- State --------------------------------------------------------------------------------------------------------

    def snapshot(self) -> list[dict[str, Any]]:
        """Return the sessions as plain data; users and policies are moto's."""
        return [asdict(session) for session in self._sessions.values()]

    def restore(self, state: list[dict[str, Any]]) -> None:
        """Take over what :meth:`snapshot` returned."""
        for one in state:
            keys = Credentials(**one["keys"])
            session = Session(keys, Caller(**one["caller"]), one.get("policies"), dict(one.get("tags") or {}))
            self._sessions[keys.access_key_id] = session
        self._users = None
