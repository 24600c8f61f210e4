from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from training import export, network
from training.familiarity import clusters_of, familiarity, familiarity_of
from training.variants import Noise

pytestmark = pytest.mark.slow
IMAGES = np.random.default_rng(0).integers(0, 256, (50, 28, 28), np.uint8)


@pytest.fixture(scope="module")
def weights() -> list[np.ndarray]:
    return network.build(784, 10, 0.0, seed=1).get_weights()


@pytest.fixture(scope="module")
def folder(weights: list[np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("export") / "dropout"
    assert export.export(weights, network.probabilities, Noise("bernoulli", 0.5), "dropout", IMAGES, path) == [
        "serving_default",
        "mc_dropout",
    ]
    return path


def test_eager_code_and_a_session_say_the_same_as_the_weights(folder: Path, weights: list[np.ndarray]) -> None:
    trained = network.probabilities([tf.constant(w) for w in weights], tf.constant(IMAGES)).numpy()
    eager = tf.saved_model.load(str(folder)).signatures["serving_default"](images=tf.constant(IMAGES))
    np.testing.assert_allclose(eager["probabilities"], trained, atol=1e-6)
    np.testing.assert_allclose(export.served_probabilities(folder, IMAGES), trained, atol=1e-6)
    np.testing.assert_allclose(trained.sum(axis=1), 1, atol=1e-6)


def test_a_model_that_answers_otherwise_is_refused(folder: Path, weights: list[np.ndarray]) -> None:
    export.check(folder, weights, network.probabilities, IMAGES)
    with pytest.raises(export.ExportError, match="dropout: the exported model's probabilities differ .* by up to"):
        export.check(folder, [w * 1.01 for w in weights], network.probabilities, IMAGES)


def test_without_dropout_there_is_one_signature(weights: list[np.ndarray], tmp_path: Path) -> None:
    assert export.export(weights, network.probabilities, None, "plain", IMAGES, tmp_path / "plain") == [
        "serving_default"
    ]


def test_the_default_signature_gives_no_familiarity_and_others_do(weights: list[np.ndarray], tmp_path: Path) -> None:
    def answers(images: np.ndarray) -> np.ndarray:
        return network.probabilities([tf.constant(w) for w in weights], tf.constant(images)).numpy()

    familiar = familiarity_of(clusters_of(IMAGES, np.arange(50) % 10, 10), IMAGES, answers)
    noise = Noise("bernoulli", 0.5)
    export.export(weights, network.probabilities, noise, "both", IMAGES, tmp_path / "both", familiar)
    model = tf.saved_model.load(str(tmp_path / "both"))
    assert list(model.signatures["serving_default"].structured_outputs) == ["probabilities"]
    plain = model.signatures["with_familiarity"](images=tf.constant(IMAGES))["familiarity"]
    expected = familiarity(familiar, tf.constant(IMAGES), tf.constant(answers(IMAGES)))
    np.testing.assert_allclose(plain, expected, atol=1 / len(familiar.scale))
    sampled = model.signatures["mc_dropout"](images=tf.constant(IMAGES), samples=tf.constant(2))["familiarity"]
    assert sampled.shape == (50,)


def test_warm_up_records_are_requests_for_each_signature(folder: Path) -> None:
    records = tf.data.TFRecordDataset(str(folder / "assets.extra" / "tf_serving_warmup_requests"))
    requests = [prediction_log_pb2.PredictionLog.FromString(r.numpy()).predict_log.request for r in records]
    shapes = [
        (r.model_spec.name, r.model_spec.signature_name, tf.make_ndarray(r.inputs["images"]).shape[0]) for r in requests
    ]
    assert shapes == [("dropout", s, n) for s in ("serving_default", "mc_dropout") for n in (1, 8)]
    assert all(tf.make_ndarray(r.inputs["images"]).dtype == np.uint8 for r in requests)


def mc_dropout(folder: Path, samples: int) -> dict[str, np.ndarray]:
    signature = tf.saved_model.load(str(folder)).signatures["mc_dropout"]
    return {k: v.numpy() for k, v in signature(images=tf.constant(IMAGES), samples=tf.constant(samples)).items()}


def test_uncertainty_is_that_of_the_mean_and_of_the_passes(folder: Path) -> None:
    answer = mc_dropout(folder, 200)
    p = answer["probabilities"]
    np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(answer["entropy"], -(p * np.log(p)).sum(axis=1), rtol=1e-4)
    assert (answer["mutual_information"] > 0).all()
    assert (answer["mutual_information"] < answer["entropy"]).all()


def test_passes_are_random_and_average_out(folder: Path) -> None:
    one, another = (mc_dropout(folder, 1) for _ in range(2))
    many, others = (mc_dropout(folder, 200) for _ in range(2))
    np.testing.assert_allclose(one["mutual_information"], 0, atol=1e-5)
    spread = np.abs(one["probabilities"] - another["probabilities"]).mean()
    assert 0 < np.abs(many["probabilities"] - others["probabilities"]).mean() < spread / 5  # about spread / √200


@pytest.mark.parametrize("samples", [0, -5])
def test_there_is_at_least_one_pass(folder: Path, samples: int) -> None:
    np.testing.assert_allclose(mc_dropout(folder, samples)["probabilities"].sum(axis=1), 1, atol=1e-5)
