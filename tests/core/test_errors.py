from convlens.core.errors import ConvlensError, WorkFailedError, unknown_name


def test_a_request_exits_with_2_and_a_failure_with_1() -> None:
    assert ConvlensError("x", code="c").exit_status == 2
    assert WorkFailedError("x", code="c").exit_status == 1


def test_an_unknown_name_lists_the_known_and_the_nearest() -> None:
    error = unknown_name("model", "resnet81", ["vgg16", "resnet18"], code="unknown-model")
    assert error.code == "unknown-model"
    assert "'resnet81'" in error.message
    assert "did you mean 'resnet18'" in error.message
    assert "Known: resnet18, vgg16" in error.message


def test_of_names_equally_near_the_one_with_swapped_letters_is_meant() -> None:
    error = unknown_name("model", "vgg61", ["vgg11", "vgg16", "vgg19"], code="unknown-model")
    assert "did you mean 'vgg16'" in error.message


def test_an_unknown_name_without_a_near_one_still_lists_the_known() -> None:
    assert "did you mean" not in unknown_name("model", "zzz", ["vgg16"], code="c").message


def test_a_remedy_stands_in_the_message_and_apart() -> None:
    error = ConvlensError("a; b", remedy="c; d", between=", so ", code="x")
    assert str(error) == error.message == "a; b, so c; d"
    assert (error.problem, error.remedy) == ("a; b", "c; d")
    assert ConvlensError("a", remedy="b", code="x").message == "a; b"
    alone = ConvlensError("a; b", code="x")
    assert (alone.message, alone.problem, alone.remedy) == ("a; b", "a; b", "")
