"""Work in threads whose results come back in order, never far ahead of who takes them."""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def ordered_map(
    function: Callable[[Item], Result], items: Iterable[Item], *, threads: int, ahead: int
) -> Generator[Result, None, None]:
    """Apply a function in threads; the results in the order of the items.

    An exception is raised where its result would have come. The threads end when the iterator is
    used up or closed, or meets an exception.

    Args:
        function: called in the threads.
        items: taken one at a time as results are taken, in the caller's thread.
        threads: how many threads.
        ahead: how many items are under way or waiting to be taken.

    Example:
        >>> list(ordered_map(str.upper, "abc", threads=2, ahead=2))
        ['A', 'B', 'C']
    """
    remaining = iter(items)
    pool = ThreadPoolExecutor(threads, thread_name_prefix="convlens")
    try:
        waiting: deque[Future[Result]] = deque(
            pool.submit(function, item) for item in islice(remaining, ahead)
        )
        while waiting:
            result = waiting.popleft().result()
            waiting.extend(pool.submit(function, item) for item in islice(remaining, 1))
            yield result
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
