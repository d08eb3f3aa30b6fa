"""The execution environments of all functions: reused while warm, started when busy, bounded in number."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from labkit.local.lambda_runtime.environment import Environment
from labkit.local.lambda_runtime.names import not_found

PATIENCE = 0.006
IDLE_SECONDS = 300
MOST_IN_ALL = 12


@dataclass(slots=True)
class Pool:
    """The environments of one function."""

    make: Callable[[], Awaitable[Environment]]
    idle: list[Environment] = field(default_factory=list)
    busy: set[Environment] = field(default_factory=set)
    waiting: deque[asyncio.Future[Environment]] = field(default_factory=deque)
    starting: int = 0
    generation: int = 0

    @property
    def size(self) -> int:
        """How many processes there are, those that start included."""
        return len(self.idle) + len(self.busy) + self.starting


class Environments:
    """Hand out environments: a warm one if it comes free within milliseconds, else a new one while there is room."""

    def __init__(self, most_per_function: int) -> None:
        self._most = most_per_function
        self._pools: dict[str, Pool] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing = False

    async def acquire(self, function_arn: str, make: Callable[[], Awaitable[Environment]]) -> Environment:
        """Return an environment for one invocation; give it back with :meth:`release`."""
        pool = self._pools.setdefault(function_arn, Pool(make))
        pool.make = make
        while pool.idle:
            environment = pool.idle.pop()
            if environment.alive and environment.expires > time.time():
                pool.busy.add(environment)
                return environment
            self._spawn(environment.end())
        waiter: asyncio.Future[Environment] = asyncio.get_running_loop().create_future()
        pool.waiting.append(waiter)
        if pool.size:
            asyncio.get_running_loop().call_later(PATIENCE, self._grow, pool)
        else:
            self._grow(pool)
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and not waiter.exception():
                self.release(function_arn, waiter.result())
            raise

    def _grow(self, pool: Pool) -> None:
        needed = sum(not waiter.done() for waiter in pool.waiting) > pool.starting
        if not needed or pool.size >= self._most or self._closing:
            return
        if len(self) >= MOST_IN_ALL and not self._evict(pool):
            return
        pool.starting += 1
        self._spawn(self._start(pool, pool.generation))

    def _evict(self, asking: Pool) -> bool:
        others = [(e.idle_since, p, e) for p in self._pools.values() if p is not asking for e in p.idle]
        if not others:
            return False
        _, pool, environment = min(others, key=lambda entry: entry[0])
        pool.idle.remove(environment)
        self._spawn(environment.end())
        return True

    async def _start(self, pool: Pool, generation: int) -> None:
        try:
            environment = await pool.make()
        except Exception as error:
            pool.starting -= 1
            self._fail_one(pool, error)
            self._fill_room()
            return
        pool.starting -= 1
        environment.stale = generation != pool.generation
        self._hand_over(pool, environment)

    @staticmethod
    def _fail_one(pool: Pool, error: Exception) -> None:
        while pool.waiting:
            waiter = pool.waiting.popleft()
            if not waiter.done():
                waiter.set_exception(error)
                return

    def release(self, function_arn: str, environment: Environment) -> None:
        """Take an environment back: for the next in line, for later, or to its end."""
        pool = self._pools.get(function_arn)
        if pool is None:  # the function was deleted
            self._spawn(environment.end())
            self._fill_room()
            return
        pool.busy.discard(environment)
        self._hand_over(pool, environment)

    def _hand_over(self, pool: Pool, environment: Environment) -> None:
        if environment.stale or self._closing or (environment.invocations and not environment.alive):
            self._spawn(environment.end())
            self._fill_room()
            return
        while pool.waiting:
            waiter = pool.waiting.popleft()
            if not waiter.done():
                pool.busy.add(environment)
                waiter.set_result(environment)
                return
        environment.idle_since = time.monotonic()
        pool.idle.append(environment)
        asyncio.get_running_loop().call_later(IDLE_SECONDS + 1, self._end_idle, pool)
        self._fill_room()

    def _fill_room(self) -> None:
        """Start environments where invocations wait: one has ended, or is idle and can make way."""
        for pool in self._pools.values():
            self._grow(pool)

    def _end_idle(self, pool: Pool) -> None:
        for environment in [e for e in pool.idle if time.monotonic() - e.idle_since >= IDLE_SECONDS]:
            pool.idle.remove(environment)
            self._spawn(environment.end())

    def renew(self, function_arn: str) -> None:
        """Let every environment of a function end: its code or configuration changed."""
        pool = self._pools.get(function_arn)
        if pool is None:
            return
        pool.generation += 1
        for environment in pool.idle:
            self._spawn(environment.end())
        pool.idle.clear()
        for environment in pool.busy:
            environment.stale = True

    def forget(self, function_arn: str) -> None:
        """Let every environment of a deleted function end, and tell those who wait for one that it is gone."""
        self.renew(function_arn)
        pool = self._pools.pop(function_arn, None)
        for waiter in pool.waiting if pool else ():
            if not waiter.done():
                waiter.set_exception(not_found(function_arn))

    def __len__(self) -> int:
        """Count the processes."""
        return sum(pool.size for pool in self._pools.values())

    def _spawn(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """End every process."""
        self._closing = True
        everything = [e for pool in self._pools.values() for e in [*pool.idle, *pool.busy]]
        await asyncio.gather(*(environment.end() for environment in everything), return_exceptions=True)
