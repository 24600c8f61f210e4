from serving.gateway.commands.settings import page
from testing.machine import ROOT


def test_the_committed_page_is_current() -> None:
    """Renew it with `python -m serving.gateway.commands.settings > docs/settings.md`."""
    assert (ROOT / "docs" / "settings.md").read_text() == page()
