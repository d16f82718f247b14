import pytest
from hypothesis import given
from hypothesis import strategies as st

from convlens.core.errors import ConvlensError
from convlens.core.formatting import describe, parse_duration


@given(st.integers(0, 9), st.integers(0, 59), st.integers(0, 59))
def test_what_is_written_in_parts_adds_up(hours: int, minutes: int, seconds: int) -> None:
    total = 3600 * hours + 60 * minutes + seconds
    if total:
        assert parse_duration(f"{hours}h{minutes}m{seconds}s") == total
        assert parse_duration(total) == parse_duration(str(total)) == total


@pytest.mark.parametrize("text", ["", "soon", "5 m", "-5m", "0s", "5m3h", "1e400", "nan"])
def test_what_is_no_time_is_refused_with_the_form(text: str) -> None:
    with pytest.raises(ConvlensError, match="90s, 5m or 1h30m"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.04, "0.0 s"),
        (9.96, "10.0 s"),
        (59.6, "1 min 00 s"),
        (3599, "59 min 59 s"),
        (3600, "1 h 00 min"),
    ],
)
def test_words_never_say_60(seconds: float, words: str) -> None:
    assert describe(seconds) == words
