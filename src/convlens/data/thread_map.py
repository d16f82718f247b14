"""Work in threads whose results come back in order."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future
from contextlib import closing
from itertools import islice
from typing import TypeVar

from convlens.core.reporter import Reporter
from convlens.core.threads import Threads

Item = TypeVar("Item")
Result = TypeVar("Result")

_CHUNK = 256
_THREADS = 8


def ordered_map(
    function: Callable[[Item], Result], items: Iterable[Item], *, threads: int, ahead: int
) -> Generator[Result, None, None]:
    """Apply a function in threads; the results in the order of the items, as they are taken.

    An exception is raised where its result would have come. The threads end when the iterator is
    used up or closed, or meets an exception; work under way at that moment, be it Ctrl-C, is
    waited for no longer than `convlens.core.threads.PATIENCE`.

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
    pool = Threads(threads)
    try:
        waiting: deque[Future[Result]] = deque(
            pool.submit(function, item) for item in islice(remaining, ahead)
        )
        while waiting:
            result = waiting.popleft().result()
            waiting.extend(pool.submit(function, item) for item in islice(remaining, 1))
            yield result
    finally:
        pool.close()


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
        mapped = ordered_map(function, chunks, threads=_THREADS, ahead=2 * _THREADS)
        with reporter.task(name, len(items)) as task, closing(mapped) as found:
            for done, result in enumerate(found, start=1):
                results.append(result)
                task.update(min(done * _CHUNK, len(items)))
    return results
