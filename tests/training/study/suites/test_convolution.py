import keras
import numpy as np
import pytest

from training.study.suites.convolution import SITES, Cell, build, cells

pytestmark = pytest.mark.slow


def kinds(model: keras.Sequential) -> list[str]:
    return [type(layer).__name__ for layer in model.layers]


def test_cells_are_every_site_with_and_without_batch_norm_on_both_sizes() -> None:
    assert len({cell.name for cell in cells()}) == len(SITES) * 2 * 2


def test_the_network_is_the_one_described() -> None:
    assert kinds(build(Cell("none", False, True), 10, 1)) == [
        "Conv2D", "ReLU", "Conv2D", "ReLU", "MaxPooling2D", "Flatten", "Dense", "Dense",
    ]  # fmt: skip
    model = build(Cell("none", True, False), 10, 1)
    assert kinds(model)[:6] == ["Conv2D", "BatchNormalization", "ReLU"] * 2
    assert build(Cell("none", False, True), 10, 1).count_params() == 160 + 4640 + (12 * 12 * 32 + 1) * 64 + 650


@pytest.mark.parametrize(
    ("site", "before"),
    [("input", []), ("between_convolutions", ["ReLU"]), ("before_pool", ["ReLU"]), ("after_pool", ["MaxPooling2D"]),
     ("after_dense", ["Dense"])],
)  # fmt: skip
def test_dropout_is_where_its_cell_says(site: str, before: list[str]) -> None:
    layers = kinds(build(Cell(site, True, True), 10, 1))
    at = layers.index("Dropout")
    assert layers.count("Dropout") == 1
    assert layers[max(0, at - 1) : at] == before
    convolutions = layers[:at].count("Conv2D")
    assert convolutions == {"input": 0, "between_convolutions": 1}.get(site, 2)


@pytest.mark.parametrize(("batch_norm", "same"), [(False, True), (True, False)])
def test_without_batch_norm_dropout_before_relu_is_dropout_after_it(batch_norm: bool, same: bool) -> None:
    """relu(m·z) = m·relu(z) for masks that are never negative; batch normalisation between them parts the two."""

    def outputs(first: keras.Layer, second: keras.Layer) -> np.ndarray:
        norm = [keras.layers.BatchNormalization()] if batch_norm else []
        layers = [keras.layers.Conv2D(16, 3, kernel_initializer=keras.initializers.GlorotUniform(seed=1))]
        drop_first = isinstance(first, keras.layers.Dropout)
        layers += [first, *norm, second] if drop_first else [*norm, first, second]
        return np.asarray(keras.Sequential([keras.Input((28, 28, 1)), *layers])(images, training=True))

    images = np.random.default_rng(1).random((8, 28, 28, 1), np.float32)
    before = outputs(keras.layers.Dropout(0.25, seed=3), keras.layers.ReLU())
    after = outputs(keras.layers.ReLU(), keras.layers.Dropout(0.25, seed=3))
    assert 0.2 < (after == 0).mean() < 0.9
    assert np.array_equal(before, after) == same
