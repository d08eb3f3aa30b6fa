"""Start the kernel of the next notebook while the one before it still runs, so that nobody waits for its start."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any

from jupyter_client.manager import AsyncKernelManager
from jupyter_core.utils import run_sync
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, papermill_engines

ENGINE = "labkit"
SAVE_SECONDS = 5.0


class GivenKernel(NBClientEngine):  # type: ignore[misc]  # papermill has no annotations
    """Papermill's own engine, on a kernel that has been started already; it ends that kernel afterwards."""

    @classmethod
    def execute_managed_notebook(
        cls, nb_man: Any, kernel_name: str, *, km: Any, execution_timeout: int, **_options: Any
    ) -> None:
        """Execute the cells of *nb_man* on the kernel of *km*, each for *execution_timeout* seconds at most."""
        nb_man.save = _seldom(nb_man.save)  # papermill saves around every cell, a second per notebook, and at the end
        client = PapermillNotebookClient(nb_man, km=km, timeout=execution_timeout, kernel_name=kernel_name)
        client.owns_km = True
        try:
            client.execute()
        finally:
            del nb_man.save


def _seldom(save: Callable[..., None]) -> Callable[..., None]:
    """Return *save* for calling as often as one likes: it saves every few seconds only."""
    saved = time.monotonic()

    def seldom(**options: Any) -> None:
        nonlocal saved
        if time.monotonic() - saved > SAVE_SECONDS:
            save(**options)
            saved = time.monotonic()

    return seldom


papermill_engines.register(ENGINE, GivenKernel)


class KernelsAhead:
    """Hands out started kernels; *cwd* is the folder they work in."""

    def __init__(self, cwd: str) -> None:
        self._cwd = cwd
        self._waiting: AsyncKernelManager | None = None

    def take(self, *, another: bool) -> AsyncKernelManager:
        """Return a started kernel, whose end is the taker's business; start *another* for the next time."""
        taken = self._waiting or self._started()
        self._waiting = self._started() if another else None
        return taken

    def _started(self) -> AsyncKernelManager:
        manager = AsyncKernelManager(kernel_name="python3")
        run_sync(manager.start_kernel)(cwd=self._cwd, extra_arguments=["--HistoryManager.hist_file=:memory:"])
        return manager

    def end(self) -> None:
        """End the kernel that nobody has taken."""
        if self._waiting is not None:
            run_sync(self._waiting.shutdown_kernel)(now=True)
            self._waiting = None


@contextlib.contextmanager
def kernels_ahead(cwd: str) -> Iterator[KernelsAhead]:
    """Yield a `KernelsAhead` that leaves no kernel behind."""
    kernels = KernelsAhead(cwd)
    try:
        yield kernels
    finally:
        kernels.end()
