"""Threads that never keep a process from ending.

Those of `concurrent.futures` are waited for when Python exits, so that Ctrl-C during one long
decode waits for its end. These are daemons: what they have begun when they are closed gets a
moment to finish, and is then left behind.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, ParamSpec, TypeVar

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

PATIENCE = 0.3
"""Seconds that work under way is waited for; Ctrl-C is to be answered within two."""


class Threads:
    """A pool of threads that can be left at any moment.

    Args:
        count: how many threads; each is started when it is first needed.

    Example:
        >>> threads = Threads(2)
        >>> threads.submit(pow, 2, 10).result()
        1024
        >>> threads.close()
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._jobs: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._waiting: set[Future[Any]] = set()

    def submit(
        self,
        function: Callable[Parameters, Result],
        *args: Parameters.args,
        **kwargs: Parameters.kwargs,
    ) -> Future[Result]:
        """Call a function in one of the threads."""
        future: Future[Result] = Future()
        self._waiting.add(future)
        future.add_done_callback(self._waiting.discard)
        if len(self._threads) < self._count:
            name = f"convlens_{len(self._threads)}"
            thread = threading.Thread(target=self._work, name=name, daemon=True)
            self._threads.append(thread)
            thread.start()
        self._jobs.put((future, lambda: function(*args, **kwargs)))
        return future

    def close(self) -> None:
        """Cancel what has not begun, and wait a moment for the rest."""
        for future in list(self._waiting):
            future.cancel()
        for _ in self._threads:
            self._jobs.put(None)
        until = time.monotonic() + PATIENCE
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            future, call = job
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(call())
            except BaseException as error:  # noqa: BLE001 - it is raised where the result is taken
                future.set_exception(error)
            del job, future, call  # a result must not outlive its use because a thread is idle
