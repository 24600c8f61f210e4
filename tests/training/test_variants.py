import pytest

from training.variants import DEFAULT, VARIANTS, Recipe, select


def test_the_recipe_is_the_posts() -> None:
    assert Recipe().steps(60_000) == 4690


def test_select_keeps_the_tables_order() -> None:
    assert [v.name for v in select(["l2", "plain"])] == ["plain", "l2"]


def test_select_names_what_there_is() -> None:
    with pytest.raises(ValueError, match="no variant foo; there are plain, dropout, l2, dropout_l2"):
        select(["foo", "l2"])


def test_the_default_is_in_the_table() -> None:
    assert DEFAULT in {v.name for v in VARIANTS}
