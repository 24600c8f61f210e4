from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.gateway.learning.selection import LabelledImage, Selection, Unusable, select

CLASSES = [str(digit) for digit in range(10)]
SIZE = 4
HASHES = st.integers(-(2**63), 2**63 - 1)


def image(
    number: int, unit: int = 1, pixels: int | None = None, label: str = "3", source: str = "audit"
) -> LabelledImage:  # fmt: skip
    pixels = number if pixels is None else pixels
    return LabelledImage(
        f"p.{number}", unit, pixels, label, source, "3", "plain", 1, pixels.to_bytes(SIZE), float(number)
    )  # fmt: skip


def chosen(images: Sequence[LabelledImage], user_labels: int = 0) -> Selection:
    return select(images, CLASSES, SIZE, user_labels)


@given(st.lists(st.tuples(HASHES, st.integers(0, 20), st.sampled_from("123"), st.sampled_from(["user", "audit"]))))
@pytest.mark.slow
def test_a_unit_is_on_one_side_and_an_image_counts_once(facts: list[tuple[int, int, str, str]]) -> None:
    given = [image(number, *each) for number, each in enumerate(facts)]
    try:
        train, test, left_out = chosen(given, user_labels=2)
    except Unusable:
        return
    assert train
    assert test
    assert not {each.unit for each in train} & {each.unit for each in test}
    together = [*train, *test]
    assert len({each.pixels for each in together}) == len(together)
    assert len(together) + left_out.total() == len(given)


def test_a_unit_judges_again_when_others_come() -> None:
    given = [image(number, unit=(number - 92) * 10**17, label="12"[number % 2]) for number in range(184)]
    before, after = chosen(given[2:-2]), chosen(given)
    assert {each.unit for each in before.test} <= {each.unit for each in after.test}
    assert 0.1 < len(before.test) / 180 < 0.3


@pytest.mark.parametrize(
    ("extra", "reason"),
    [
        (image(8, label="unreadable"), "unreadable"),
        (image(8, label="x"), "of an unknown class"),
        (image(8, source="user"), "labelled by users alone"),
        (image(8, pixels=1), "shown before"),
    ],
)
def test_images_are_left_out_and_counted(extra: LabelledImage, reason: str) -> None:
    train, test, left_out = chosen([image(1), image(2, unit=2, label="4"), extra])
    assert {each.prediction for each in (*train, *test)} == {"p.1", "p.2"}
    assert +left_out == {reason: 1}


def test_images_of_another_size_are_left_out() -> None:
    with pytest.raises(Unusable, match=r"no labelled images \(left out: 2 of another image size\)"):
        select([image(1), image(2, unit=2)], CLASSES, SIZE + 1)


def test_a_higher_source_decides_and_a_contradiction_leaves_the_image_out() -> None:
    others = [image(1), image(2, unit=2, label="4")]
    same = [image(3, 1, 9, "5", "audit"), image(4, 2, 9, "6", "ground_truth")]
    train, test, _ = chosen([*others, *same])
    assert [each.label for each in (*train, *test) if each.image == 9] == ["6"]
    train, test, left_out = chosen([*others, *same, image(5, 2, 9, "7", "ground_truth")])
    assert 9 not in {each.image for each in (*train, *test)}
    assert left_out["with contradictory labels"] == 3


def test_a_unit_of_users_teaches_so_much_and_no_more() -> None:
    given = [image(number, unit=number % 2, label=str(number), source="user") for number in range(10)]
    train, test, left_out = chosen(given, user_labels=3)
    assert (len(train), len(test), left_out["beyond 3 of a user's unit"]) == (3, 3, 4)


@pytest.mark.parametrize(
    ("images", "text"),
    [
        ([], "no labelled images; set GATEWAY_KEEP_LABELLED"),
        ([image(1), image(2, unit=2)], "All 2 labels say '3'"),
        ([image(1), image(2, label="4")], "All 2 images come from one unit"),
    ],
)
def test_nothing_can_be_learned_from_some(images: list[LabelledImage], text: str) -> None:
    with pytest.raises(Unusable, match=text):
        chosen(images)
