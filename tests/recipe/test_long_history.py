from pathlib import Path

import pytest

from convlens.core.errors import ConvlensError
from convlens.runs import run_files


def test_a_history_of_endless_epochs_is_refused_before_a_line_is_parsed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_files, "parse_json_file", lambda *_, **__: pytest.fail("parsed"))
    (tmp_path / "history.jsonl").write_bytes(b'{"phase": "all", "epoch": 1}\n' * 200_001)
    with pytest.raises(ConvlensError, match=r"history\.jsonl is damaged.*more than 200,000 lines"):
        run_files.read_history(tmp_path)
