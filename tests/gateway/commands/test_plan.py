import sys

import pytest

from serving.gateway.commands import plan

RATES = ["--control-error", "0.01", "--variant-error", "0.007", "--disagreement", "0.009", "--runs", "100"]


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["plan", *arguments])
    return plan.main()


def test_a_plan_is_printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, *RATES, "--images-per-day", "500") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("paired, 100 simulated experiments: ship ")
    assert lines[3].startswith("days to a decision: median ")
    assert lines[4].startswith("smallest difference found with 80% power by 200,000 labels: 0.1")


def test_an_unpaired_plan_needs_no_disagreement(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "--no-paired", *RATES[:4], "--runs", "100", "--max-labels", "500") == 0
    assert "images to a decision: median more than allowed" in capsys.readouterr().out


def test_unusable_options_are_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], database_url: str
) -> None:
    assert run(monkeypatch, "--control-error", "2") == 2
    assert "plan: --control-error 2 cannot be used: Input should be less than" in capsys.readouterr().err
    assert run(monkeypatch, *RATES[:4], "--disagreement", "0.001") == 1
    assert "plan: /disagreement: 0.001 is too low" in capsys.readouterr().err
    monkeypatch.setenv("GATEWAY_DATABASE_URL", database_url)
    assert run(monkeypatch, "--pilot", "none") == 1
    assert "plan: There is no experiment 'none'; there are none." in capsys.readouterr().err
