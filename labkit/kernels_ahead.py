"""Start the kernel of the next notebook while the one before it still runs, so that nobody waits for its start.

It imports what its notebook will import, too: on a run of the whole course these are a second and a half per notebook.
"""

from __future__ import annotations

import ast
import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from jupyter_client.manager import AsyncKernelManager
from jupyter_core.utils import ensure_event_loop, run_sync
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, papermill_engines

from labkit import course
from labkit.exceptions import LabkitError

ENGINE = "labkit"
SAVE_SECONDS = 5.0
# Run in a kernel before its first cell. It binds no name: a notebook that forgets an import fails as it should.
IMPORT_EACH = """
import contextlib, importlib, labkit
labkit.name
for module in {modules!r}:
    with contextlib.suppress(Exception):
        importlib.import_module(module)
"""


class GivenKernel(NBClientEngine):  # type: ignore[misc]  # papermill has no annotations
    """Papermill's own engine, on a kernel that has been started already and that somebody else ends."""

    @classmethod
    def execute_managed_notebook(
        cls, nb_man: Any, kernel_name: str, *, km: Any, execution_timeout: int, **_options: Any
    ) -> None:
        """Execute the cells of *nb_man* on the kernel of *km*, each for *execution_timeout* seconds at most."""
        nb_man.save = _seldom(nb_man.save)  # papermill saves around every cell, a second per notebook, and at the end
        client = PapermillNotebookClient(nb_man, km=km, timeout=execution_timeout, kernel_name=kernel_name)
        try:
            client.execute()
        finally:
            del nb_man.save
            if client.kc:
                client.kc.stop_channels()


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


def imports_of(sources: Iterable[str]) -> list[str]:
    """Return the modules that code cells import; cells with magics are left out."""
    modules: dict[str, None] = {"matplotlib.pyplot": None}  # show_pipeline draws with it
    for source in sources:
        with contextlib.suppress(SyntaxError):
            for node in ast.walk(ast.parse(source)):
                match node:
                    case ast.Import(names=names):
                        modules |= dict.fromkeys(name.name for name in names)
                    case ast.ImportFrom(module=str(module), level=0):
                        modules[module] = None
    return list(modules)


class KernelsAhead:
    """Hands out a started kernel for each of *notebooks*, in order, and ends it while the next one is at work."""

    def __init__(self, notebooks: Iterable[Path]) -> None:
        self._next = iter(notebooks)
        self._taken: AsyncKernelManager | None = None
        self._waiting = self._started()
        self._ending: list[asyncio.Future[None]] = []

    def take(self) -> AsyncKernelManager | None:
        """Return the kernel of the next notebook, ``None`` after the last; start the one after it, end the one before.

        What is begun here goes on whenever jupyter_core's event loop runs: in every cell of the next notebook.
        """
        self._end(self._taken)
        self._taken, self._waiting = self._waiting, self._started()
        return self._taken

    def end(self) -> None:
        """End every kernel, and wait until they have ended."""
        self._end(self._taken)
        self._end(self._waiting)
        self._taken = self._waiting = None
        run_sync(self._ended)()

    async def _ended(self) -> None:
        await asyncio.gather(*self._ending, return_exceptions=True)  # one that died cannot be told to end

    def _end(self, kernel: AsyncKernelManager | None) -> None:
        if kernel is not None:
            self._ending.append(asyncio.ensure_future(kernel.shutdown_kernel(), loop=ensure_event_loop()))

    def _started(self) -> AsyncKernelManager | None:
        notebook = next(self._next, None)
        if notebook is None:
            return None
        modules: list[str] = []
        with contextlib.suppress(LabkitError):  # no notebook: whoever runs it says so
            modules = imports_of(cell.source for cell in course.read(notebook).cells)
        code = IMPORT_EACH.format(modules=modules)
        manager = AsyncKernelManager(kernel_name="python3")
        run_sync(manager.start_kernel)(
            cwd=str(notebook.parent),
            extra_arguments=[
                "--HistoryManager.hist_file=:memory:",
                f"--IPKernelApp.exec_lines=exec({code!r}, {{}})",
            ],
        )
        return manager


@contextlib.contextmanager
def kernels_ahead(notebooks: Iterable[Path]) -> Iterator[KernelsAhead]:
    """Yield a `KernelsAhead` that leaves no kernel behind."""
    kernels = KernelsAhead(notebooks)
    try:
        yield kernels
    finally:
        kernels.end()
