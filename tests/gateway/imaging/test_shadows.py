"""Light a picture evenly across the straight edge of a shadow, and leave other pictures as they are."""

import numpy as np
import pytest

from serving.gateway.imaging.shadows import evenly_lit
from testing.encoded import drawn

SHEET = np.pad(np.asarray(drawn(4)), ((10, 26), (20, 36)), constant_values=255)  # dark on light, [256, 256]
GROUND = SHEET > 200
GREY = np.where(GROUND, 220, 110).astype(np.float32)  # ink in the light is as dark as ground in a shadow
Y, X = np.mgrid[:256, :256] - 128


def seen(levels: np.ndarray) -> np.ndarray:
    noise = np.random.default_rng(0).normal(0, 2, levels.shape)
    return np.clip(levels + noise, 0, 255).astype(np.uint8)[:, :, np.newaxis]


def shade(degrees: float, offset: float, depth: float = 0.5, soft: float = 2.0) -> np.ndarray:
    angle = np.radians(degrees)
    return 1 - depth * np.clip((X * np.cos(angle) + Y * np.sin(angle) - offset) / soft + 0.5, 0, 1)


@pytest.mark.parametrize("soft", [0.01, 4])
@pytest.mark.parametrize("depth", [0.2, 0.5])
@pytest.mark.parametrize("offset", [-70, 0, 40])
@pytest.mark.parametrize("degrees", [0, 33, 90, 161, 205, 300])
def test_ground_and_ink_are_as_light_in_the_shadow(degrees: float, offset: float, depth: float, soft: float) -> None:
    light = shade(degrees, offset, depth, soft)
    lit = evenly_lit(seen(GREY * light))[:, :, 0].astype(int)
    away = (light > 0.999) | (light < 1.001 - depth)
    for mask, level in ((GROUND, 220), (~GROUND, 110)):
        assert np.mean(np.abs(lit[mask & away] - level) < 15) > 0.97


@pytest.mark.parametrize("degrees", range(3, 180, 16))
def test_no_trace_of_the_edge_is_left(degrees: float) -> None:
    lit = evenly_lit(seen(GREY * shade(degrees, 15, soft=0.01)))[:, :, 0]
    inside = GROUND & (np.hypot(X, Y) < 120)
    assert np.mean(lit[inside] < 180) < 0.002


def test_light_ink_on_dark_ground_is_lit_too() -> None:
    lit = evenly_lit(seen((330 - GREY) * shade(60, 10)))[:, :, 0]
    assert abs(np.median(lit[GROUND]) - 110) < 5
    assert abs(np.median(lit[~GROUND]) - 220) < 5


def test_the_colours_of_a_picture_stay() -> None:
    colours = np.dstack([GREY, GREY / 2, GREY / 4]) * shade(120, 0)[:, :, np.newaxis]
    lit = evenly_lit(colours.astype(np.uint8))
    assert lit.dtype == np.uint8
    assert np.median(lit[GROUND], axis=0) == pytest.approx([220, 110, 55], abs=2)


BAR = np.where(np.abs(X) < 30, 40, 220)  # a 1 from border to border
PAGES = {
    "even light": seen(GREY),
    "a slope of light": seen(GREY * (0.75 + X / 1000)),
    "a bar": seen(BAR),
    "a light bar": seen(260 - BAR),
    "a card": seen(np.where((np.abs(X) < 90) & (np.abs(Y) < 100), 220, 60)),
    "an edge that ends": seen(np.where((X > 0) & (Y > 0), 110, 220)),
    "28 pixels": np.where(X < 0, 100, 200).astype(np.uint8)[100:128, 114:142, np.newaxis],
    "black": np.zeros((256, 256, 1), np.uint8),
}


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_a_picture_without_such_an_edge_stays_as_it_is(page: np.ndarray) -> None:
    assert evenly_lit(page) is page


@pytest.mark.parametrize("seed", range(30))
def test_pages_of_any_size_are_lit(seed: int) -> None:
    rng = np.random.default_rng(seed)
    height, width = (int(each) for each in rng.integers(40, 256, 2))
    y, x = np.indices((height, width))
    angle = rng.uniform(0, 2 * np.pi)
    in_shadow = (x - width / 2) * np.cos(angle) + (y - height / 2) * np.sin(angle) > 0
    page = np.where(in_shadow, 100, 200) + rng.normal(0, 2, (height, width))
    channels = int(rng.choice([1, 3]))
    lit = evenly_lit(np.repeat(page.astype(np.uint8)[:, :, np.newaxis], channels, axis=2))
    assert (lit.shape, lit.dtype) == ((height, width, channels), np.uint8)
    assert np.mean(np.abs(lit - 200.0) > 20) < 0.03


@pytest.mark.parametrize("seed", range(10))
def test_noise_and_patches_come_out_in_their_size(seed: int) -> None:
    rng = np.random.default_rng(seed)
    height, width = (int(each) for each in rng.integers(32, 256, 2))
    page = rng.integers(0, 256, (height, width, 1), np.uint8)
    page[: int(rng.integers(height)), : int(rng.integers(width))] = rng.integers(0, 256)
    lit = evenly_lit(page)
    assert (lit.shape, lit.dtype) == (page.shape, page.dtype)
