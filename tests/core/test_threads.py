import threading
import time

import pytest

from convlens.core.threads import PATIENCE, Threads


def test_close_waits_a_moment_for_what_is_under_way_and_cancels_the_rest() -> None:
    release, new_run = threading.Event(), threading.Event()
    threads = Threads(1)

    def work() -> None:
        new_run.set()
        release.wait(30)

    running, waiting = threads.submit(work), threads.submit(work)
    assert new_run.wait(5)
    began = time.monotonic()
    threads.close()
    assert PATIENCE <= time.monotonic() - began < PATIENCE + 1.5
    assert waiting.cancelled()
    release.set()
    running.result(5)


def test_threads_never_keep_a_process_from_ending() -> None:
    threads = Threads(2)
    names = [threads.submit(lambda: threading.current_thread().daemon) for _ in range(4)]
    assert all(name.result(5) for name in names)
    threads.close()


def test_an_error_is_raised_where_the_result_is_taken() -> None:
    threads = Threads(1)
    with pytest.raises(ZeroDivisionError):
        threads.submit(lambda: 1 // 0).result(5)
    assert threads.submit(pow, 2, 3).result(5) == 8
    threads.close()
