import contextlib
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convlens.core.errors import ConvlensError
from convlens.models.notation import (
    ACTIVATIONS,
    SIGNATURES,
    parse_head,
    parse_network,
    split_at_head,
    split_layers,
)


def pointed_at(message: str) -> str:
    """The word over the carets in an error."""
    _, text, carets = message.splitlines()
    return text[carets.index("^") : carets.rindex("^") + 1].strip()


def test_commas_lines_and_lists_are_the_same_network() -> None:
    wanted = ("conv 8 3 relu", "maxpool 2", "flatten", "dense")
    assert split_layers("conv 8 3 relu, maxpool 2, flatten, dense") == wanted
    assert split_layers("\n conv 8 3 relu\nmaxpool 2,\n\n flatten\ndense\n") == wanted
    assert split_layers(list(wanted)) == wanted


def test_a_layer_is_read_word_by_word() -> None:
    (layer,) = parse_network("Conv 32 3 /2 SAME Relu")
    assert (layer.kind, layer.numbers, layer.stride) == ("conv", (32, 3), 2)
    assert (layer.padding, layer.activation) == ("same", "relu")
    (plain,) = parse_network("conv 32 3")
    assert (plain.stride, plain.padding, plain.activation) == (None, "valid", None)
    assert parse_network("dropout .25, dense")[0].numbers == (0.25,)
    assert parse_network("dropout 0.25, dense")[1].numbers == ()


@pytest.mark.parametrize(
    ("text", "word", "hint"),
    [
        ("conv 32 3 sme relu", "sme", "did you mean 'same'?"),
        ("conv 32 3 same rleu", "rleu", "did you mean 'relu'?"),
        ("maxpol 2", "maxpol", "did you mean 'maxpool'?"),
        ("flatten, dnse 256 relu", "dnse", "did you mean 'dense'?"),
        ("transformer 12", "transformer", "known: conv, depthwise"),
        ("conv 32", "", "nothing where conv needs KERNEL"),
        ("conv", "", "nothing where conv needs FILTERS"),
        ("conv 32 3.5 relu", "3.5", "a whole number from 1 to 255"),
        ("conv 0 3", "0", "a whole number from 1 to 65,536"),
        ("conv -8 3", "-8", "a whole number from 1"),
        ("conv 32 3x3", "3x3", "a whole number"),
        ("conv 1e9 3", "1e9", "a whole number"),
        ("conv 32 nan", "nan", "a whole number"),
        ("conv 32 3 /0", "/0", "is no stride"),
        ("conv 32 3 /two", "/two", "is no stride"),
        ("conv 32 3 /999", "/999", "from 1 to 255"),
        ("conv 32 3 same same", "same", "one padding is enough"),
        ("conv 32 3 relu tanh", "tanh", "one activation is enough"),
        ("conv 32 3 same batchnorm", "batchnorm", "put a comma before 'batchnorm'"),
        ("maxpool 2 relu", "relu", "put a comma before 'relu'"),
        ("residual 64 same", "same", "residual FILTERS [/STRIDE]"),
        ("dropout 1", "1", "a number from 0 to 0.99"),
        ("dropout", "", "nothing where dropout needs RATE"),
        ("flatten 3", "3", "write: flatten"),
        ("dense 2.5", "2.5", "a whole number"),
        ("dense ten", "ten", "dense [UNITS] [ACTIVATION]"),
        ("globalavgpool 2", "2", "write: globalavgpool"),
    ],
)
def test_an_error_points_at_the_word_and_says_what_to_write(
    text: str, word: str, hint: str
) -> None:
    with pytest.raises(ConvlensError) as caught:
        parse_network(text)
    assert pointed_at(caught.value.message) == word
    assert hint in caught.value.message
    assert caught.value.exit_status == 2


def test_an_error_names_the_layer() -> None:
    with pytest.raises(ConvlensError, match="^layer 3: ") as caught:
        parse_network("conv 8 3, batchnorm, conv 8 x, flatten")
    assert caught.value.message.splitlines()[1] == "  conv 8 x"


@pytest.mark.parametrize("text", ["", " , ,\n", []])
def test_no_layers_are_no_network(text: str) -> None:
    with pytest.raises(ConvlensError, match="no layers"):
        parse_network(text)


def test_a_head_flattens() -> None:
    assert [layer.kind for layer in parse_head("globalavgpool, dense")] == [
        "globalavgpool",
        "dense",
    ]
    with pytest.raises(ConvlensError, match="must turn the feature map into a vector"):
        parse_head("dense 256 relu, dense")


def test_the_head_begins_at_the_first_flatten_or_global_pool() -> None:
    stages, head = split_at_head(parse_network("conv 8 3, maxpool 2, globalavgpool, dense"))
    assert [layer.kind for layer in stages] == ["conv", "maxpool"]
    assert [layer.kind for layer in head] == ["globalavgpool", "dense"]
    assert split_at_head(parse_network("conv 8 3"))[1] == ()


@st.composite
def written_layers(draw: st.DrawFn) -> str:
    """A layer that the grammar allows."""
    kind = draw(st.sampled_from(sorted(SIGNATURES)))
    signature = SIGNATURES[kind]
    words = [kind]
    for quantity in signature.numbers:
        if not quantity.optional or draw(st.booleans()):
            whole = draw(st.integers(int(quantity.low), int(quantity.high)))
            words.append(str(whole) if quantity.whole else f"{draw(st.integers(0, 99)) / 100}")
    options = [
        *([f"/{draw(st.integers(1, 255))}"] if signature.stride else []),
        *([draw(st.sampled_from(["same", "valid"]))] if signature.padding else []),
        *([draw(st.sampled_from(ACTIVATIONS))] if signature.activation else []),
    ]
    chosen = draw(st.permutations(options))[: draw(st.integers(0, len(options)))]
    return draw(st.sampled_from([" ", "  "])).join([*words, *chosen])


@settings(deadline=None)
@given(written_layers())
def test_whatever_the_grammar_allows_is_read(text: str) -> None:
    (layer,) = parse_network(text)
    words = text.split()
    assert layer.kind == words[0]
    assert [float(word) for word in words[1:] if re.match(r"[\d.]", word)] == [*layer.numbers]
    assert layer.stride == next((int(w[1:]) for w in words if w.startswith("/")), None)
    assert (layer.padding == "same") == ("same" in words)


@settings(deadline=None)
@given(st.text(alphabet="conv dense/maxpol2.5,\n\tsé同", max_size=40))
def test_whatever_is_typed_is_read_or_refused_in_words(text: str) -> None:
    with contextlib.suppress(ConvlensError):
        assert len(parse_network(text)) == len(split_layers(text)) > 0


def test_the_guide_shows_every_form_and_its_examples_are_read() -> None:
    guide = (Path(__file__).parents[2] / "docs/guide/layer-notation.md").read_text("utf-8")
    table = guide.replace("\\|", "|")
    for kind, signature in SIGNATURES.items():
        assert f"`{signature.describe(kind)}`" in table
    first = guide.split("```")[1].strip()
    assert len(parse_network(first)) == 8
