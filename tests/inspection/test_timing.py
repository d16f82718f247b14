import time

from convlens.inspection.timing import Timing, alternated


def test_all_take_turns_and_every_second_round_runs_backwards():
    order = []
    works = {name: (lambda name=name: order.append(name)) for name in "abc"}
    found = alternated(works, repeats=4, seconds=60)
    assert "".join(order) == "cba" + "abc" + "cba" + "abc" + "cba"
    assert [timing.n for timing in found.values()] == [4, 4, 4]  # the first round warms up


def test_three_rounds_whatever_the_time():
    found = alternated({"slow": lambda: time.sleep(0.01)}, repeats=50, seconds=0)
    assert found["slow"].n == 3
    assert found["slow"].median >= 0.01


def test_quartiles_and_overlap():
    timing = Timing.of([1.0, 2.0, 3.0, 4.0, 100.0])
    assert (timing.low, timing.median, timing.high, timing.n) == (2.0, 3.0, 4.0, 5)
    assert timing.overlaps(Timing.of([4.0, 4.0, 4.0]))
    assert not timing.overlaps(Timing.of([5.0, 5.0, 5.0]))


def test_progress_is_told():
    told = []

    class Listener:
        def task(self, name, total):
            told.append((name, total))
            return self

        def __enter__(self):
            return self

        def __exit__(self, *_):
            told.append("end")

        def update(self, done, detail=""):
            told.append(done)

    alternated({"a": lambda: None}, repeats=3, seconds=0, reporter=Listener())
    assert told == [("measuring", 4), 1, 2, 3, 4, "end"]
