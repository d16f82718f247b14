"""Work in threads whose results come back in order."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

from convlens.core.reporter import Reporter

Item = TypeVar("Item")
Result = TypeVar("Result")

_CHUNK = 256
_THREADS = 8


def ordered_map(
    function: Callable[[Item], Result], items: Iterable[Item], *, threads: int, ahead: int
) -> Generator[Result, None, None]:
    """Apply a function in threads; the results in the order of the items, as they are taken.

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


def chunk_by_chunk(
    function: Callable[[Sequence[Item]], Result],
    items: Sequence[Item],
    *,
    name: str,
    reporter: Reporter,
) -> list[Result]:
    """Apply a function to 256 items at a time, in eight threads, which mostly wait for the disk.

    Args:
        function: called in the threads.
        items: files, or their numbers.
        name: of the work, as it is shown.
        reporter: sees the progress.

    Returns:
        The results, in the order of the items.

    Example:
        >>> from convlens.core.reporter import Quiet
        >>> chunk_by_chunk(len, range(600), name="counting", reporter=Quiet())
        [256, 256, 88]
    """
    chunks = [items[start : start + _CHUNK] for start in range(0, len(items), _CHUNK)]
    results = []
    if chunks:
        with ThreadPoolExecutor(_THREADS) as pool, reporter.task(name, len(items)) as task:
            for done, result in enumerate(pool.map(function, chunks), start=1):
                results.append(result)
                task.update(min(done * _CHUNK, len(items)))
    return results
