import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from testing.machine import ROOT
from tests.training.study.results import made_up
from training.study import result

TAKE = """
import pathlib, sys
from training.study import result
folder, member = map(pathlib.Path, sys.argv[1:])
with result.locked(folder, [member]):
    pass
"""


def test_a_result_comes_back_as_it_was(tmp_path: Path) -> None:
    file = result.path(tmp_path, "plain", 7, "0123")
    before = made_up("plain", 7, 3)
    result.save(file, before)
    after = result.load(file)
    assert [p.name for p in tmp_path.iterdir()] == ["plain-0007-0123.npz"]
    for name, value in vars(before).items():
        if name != "curve":
            np.testing.assert_array_equal(getattr(after, name), value)
    for name, value in vars(before.curve).items():
        np.testing.assert_array_equal(getattr(after.curve, name), value)


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_damaged_file_is_named(tmp_path: Path, share: float) -> None:
    file = tmp_path / "plain-0001-0.npz"
    result.save(file, made_up("plain", 1, 3))
    file.write_bytes(file.read_bytes()[: int(share * file.stat().st_size)])
    with pytest.raises(ValueError, match=r"0001-0\.npz: not a whole result .*; delete it and run the study again"):
        result.load(file)


def test_measures_are_of_the_probabilities() -> None:
    test = np.array([[0.9, 0.1], [0.6, 0.4]], np.float32), np.array([0, 1])
    train = np.array([[0.2, 0.8]], np.float32), np.array([1])
    measured = result.measure("plain", 1, test, train, made_up("plain", 1, 0).curve)
    assert measured.predicted.tolist() == [0, 0]
    assert measured.test_loss == pytest.approx(-np.log([0.9, 0.4]).mean())
    assert measured.test_brier == pytest.approx((2 * 0.1**2 + 2 * 0.6**2) / 2)
    assert (measured.train_accuracy, measured.train_loss) == pytest.approx((1.0, -np.log(0.8)))


def test_a_fingerprint_is_of_every_part() -> None:
    digests = {result.fingerprint(**parts) for parts in ({"a": 1}, {"a": 2}, {"b": 1}, {"a": 1, "b": 1})}
    assert len(digests) == 4
    assert result.fingerprint(a=1, b=2) == result.fingerprint(b=2, a=1)


@pytest.mark.slow
def test_a_member_is_trained_by_one_process_at_a_time(tmp_path: Path) -> None:
    one, other = tmp_path / "one.npz", tmp_path / "other.npz"

    def takes(member: Path) -> bool:
        """Say whether another process can take a member."""
        command = [sys.executable, "-c", TAKE, str(tmp_path), str(member)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        refusal = "another study trains this member; wait for it, or name another --shard"
        assert done.returncode == 0 or refusal in done.stderr, done.stderr
        return done.returncode == 0

    with result.locked(tmp_path, [one]):
        assert (takes(one), takes(other)) == (False, True)
    assert takes(one)
