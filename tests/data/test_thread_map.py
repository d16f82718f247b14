import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convlens.data.thread_map import ordered_map


@given(st.lists(st.integers()), st.integers(1, 4), st.integers(1, 9))
def test_results_come_in_the_order_of_the_items(items: list[int], threads: int, ahead: int) -> None:
    assert list(ordered_map(lambda x: x + 1, items, threads=threads, ahead=ahead)) == [
        item + 1 for item in items
    ]


def test_a_slow_item_delays_and_does_not_reorder() -> None:
    def work(item: int) -> int:
        time.sleep(0.02 if item == 0 else 0)
        return item

    assert list(ordered_map(work, range(20), threads=4, ahead=8)) == list(range(20))


def test_no_more_than_ahead_is_begun_before_it_is_asked_for() -> None:
    new_run: list[int] = []
    results = ordered_map(lambda x: new_run.append(x) or x, range(100), threads=2, ahead=3)
    assert new_run == []
    assert next(results) == 0
    results.close()
    assert len(new_run) <= 4


def test_an_exception_comes_where_the_result_would_and_ends_the_threads() -> None:
    threads = threading.active_count()

    def work(item: int) -> int:
        if item == 3:
            raise ValueError("item 3")
        return item

    seen = []
    with pytest.raises(ValueError, match="item 3"):
        for result in ordered_map(work, range(100), threads=2, ahead=4):
            seen.append(result)  # noqa: PERF402 - what came before it is wanted
    assert seen == [0, 1, 2]
    assert threading.active_count() == threads


def test_closing_early_ends_the_threads() -> None:
    threads = threading.active_count()
    results = ordered_map(lambda x: x, range(1000), threads=3, ahead=6)
    assert next(results) == 0
    assert threading.active_count() > threads
    results.close()
    assert threading.active_count() == threads
