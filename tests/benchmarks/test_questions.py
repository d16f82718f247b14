"""The front door of the benchmarks: what it lists, what it runs, what it writes."""

import json
import re
import tomllib
from pathlib import Path

import pytest
from benchmarks.table import FRONT, fresh

from benchmarks import __main__ as front
from benchmarks import harness, questions, sprint, table, time_to_accuracy

NAMES = [own.name for own in questions.questions()]


def test_every_question_says_what_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert front.main([]) == 0
    told = capsys.readouterr().out
    for own in questions.questions():
        assert own.text.endswith("?")
        assert own.peers
        assert own.minutes > 0
        assert "--out" not in own.quick
        assert f"{own.name} " in told
        assert own.text in told
    assert {"decode", "training", "time_to_accuracy", "kill_drill", "memory"} <= set(NAMES)


def test_a_file_is_a_question_once_it_says_all_of_it(tmp_path: Path) -> None:
    file = tmp_path / "color.py"
    file.write_text('"""Which color?\n\nMore.\n"""\nPEERS = ("red",)\nMINUTES = 1\n')
    with pytest.raises(ValueError, match=r"color\.py does not say headline, main, quick, target"):
        questions.read(file)
    with file.open("a") as more:
        more.write('QUICK = ("--few",)\nTARGET = "blue"\ndef main(): ...\ndef headline(): ...\n')
    own = questions.read(file)
    assert (own.name, own.text, own.quick) == ("color", "Which color?", ("--few",))


def test_small_answers_never_go_to_the_results(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(front, "answer", lambda own, options: (asked.append(options), (True, 0))[1])
    assert front.main(["--quick"]) == 0
    assert front.main(["decode", "--quick"]) == 0
    assert len(asked) == len(NAMES) + 1
    for options in asked:
        assert harness.RESULTS not in Path(options[options.index("--out") + 1]).parents


def test_an_unknown_question_names_the_nearest() -> None:
    with pytest.raises(SystemExit, match="did you mean decode"):
        front.main(["decod"])


def test_a_question_that_fails_fails_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(front, "answer", lambda own, _: (own.name != "memory", 0.0))
    assert front.main(["memory", "decode"]) == 1
    assert front.main(["decode"]) == 0


def test_a_single_question_gets_its_own_options(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(front, "answer", lambda own, options: (asked.append(options), (True, 0))[1])
    front.main(["decode", "--images", "7"])
    assert asked == [["--images", "7"]]


def test_the_tables_are_as_the_results_are() -> None:
    for page, text in fresh().items():
        assert page.read_text("utf-8") == text, "run python -m benchmarks --table"


def test_the_first_page_claims_what_was_measured_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = (FRONT.read_text("utf-8")).partition("<!-- end -->")[2]
    assert not re.search(r"\d\s*(×|%|images/s)", own), "a figure without a result"
    monkeypatch.setattr(table, "FOLDER", tmp_path)
    assert table.front_table().count("\n") == 2


def test_a_result_says_what_it_is_to_be_read_with(tmp_path: Path) -> None:
    out = tmp_path / "decode.json"
    file = str(questions.FOLDER / "decode.py")
    harness.write_result(
        out, file, ["--images", "2"], "images a second", {"n": 2}, packages=["torch"]
    )
    found = json.loads(out.read_text("utf-8"))
    assert found["command"] == "python -m benchmarks.decode --images 2"
    assert re.fullmatch(r"[0-9a-f]{12}\+?|\+?", found["commit"])
    assert found["machine"]["cores"] >= 1
    assert found["question"].startswith("How fast does a JPEG")


def test_a_small_question_is_answered_from_start_to_end(tmp_path: Path) -> None:
    own = next(own for own in questions.questions() if own.name == "decode")
    answered, _ = front.answer(
        own,
        ["--photos", "samples", "--images", "2", "--large", "1", "--rounds", "1",
         "--out", str(tmp_path / "decode.json")],
    )  # fmt: skip
    assert answered
    found = json.loads((tmp_path / "decode.json").read_text("utf-8"))
    assert found["sets"]["photographs"]["images"] == 2


def test_kerass_seconds_are_those_of_its_first_epochs_beside_ours() -> None:
    seconds = time_to_accuracy.paced(3, [{"seconds": 8}, {"seconds": 11}])
    assert seconds == [8, 11, 14]
    reached = time_to_accuracy.keras_reached([0.5, 0.72, 0.86], seconds)
    assert reached == {"70 %": 11, "80 %": 14, "85 %": 14, "88 %": None, "90 %": None}
    runs = [{"seconds": 4, "test_accuracy": 0.81}, {"seconds": 2, "test_accuracy": 0.7}]
    assert time_to_accuracy.ours_reached(runs)["70 %"] == 2
    assert time_to_accuracy.ours_reached(runs)["80 %"] == 4


def test_shorter_sprints_keep_their_share_of_smaller_images() -> None:
    for recipe in sprint.RECIPES:
        path = harness.ROOT / "recipes" / f"{recipe}.toml"
        said = tomllib.loads(path.read_text("utf-8"))
        full, early = said["training"]["epochs"], said["augment"]["early_epochs"]
        assert sprint._early(path, full) == early
        assert 1 <= sprint._early(path, 2) < 2
        assert sprint._early(path, 2 * full) == 2 * early


def test_a_finished_sprint_is_not_made_again(tmp_path: Path) -> None:
    (tmp_path / "cifar10-sprint-0").mkdir()
    kept = {"command_seconds": 12.5, "commit": "abc"}
    (tmp_path / "cifar10-sprint-0.json").write_text(json.dumps(kept))
    made = sprint.trained("cifar10-sprint", 0, tmp_path / "no images", tmp_path)
    assert (made.run.folder, made.command_seconds) == (tmp_path / "cifar10-sprint-0", 12.5)


def test_the_medians_of_our_runs_are_by_run() -> None:
    every = [
        {"run": run, "seconds": s, "training_seconds": s - 1, "test_accuracy": a}
        for run, s, a in (("a:2", 10, 0.7), ("b", 40, 0.8), ("a:2", 14, 0.74), ("a:2", 11, 0.72))
    ]
    assert [(own["run"], own["seconds"]) for own in time_to_accuracy.medians(every)] == [
        ("a:2", 11),
        ("b", 40),
    ]
