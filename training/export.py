"""Export a trained member as a SavedModel, raw pixels in and probabilities out, and check it as TF Serving runs it."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

from training import network
from training.data import SIDE
from training.familiarity import Familiarity, familiarity
from training.loop import draw_masks
from training.variants import Noise

WARMUP_IMAGES = (1, 8)  # a larger batch than a server allows would fail the load
WARMUP_SAMPLES = 2
CHECK_TOLERANCE = 1e-5  # batches of other sizes may differ in the last bits
IMAGES = tf.TensorSpec([None, SIDE, SIDE], tf.uint8, "images")
SAMPLES = tf.TensorSpec([], tf.int32, "samples")
Outputs = dict[str, tf.Tensor]
Predict = Callable[[list[tf.Variable], tf.Tensor], tf.Tensor]  # weights and images → class probabilities


class ExportError(Exception):
    """An exported model whose answers differ from the trained one's."""


class Servable(tf.Module):
    """Hold a trained network's variables directly: a session cannot restore those of a Keras model inside."""

    def __init__(self, weights: Sequence[np.ndarray]) -> None:
        super().__init__()
        self.weights = [tf.Variable(w, trainable=False, name=f"weight_{i}") for i, w in enumerate(weights)]


def signatures_of(
    weights: list[tf.Variable], predict: Predict, noise_at_end: Noise | None, familiar: Familiarity | None
) -> dict[str, Any]:
    """Return the concrete functions to serve, by signature name; `mc_dropout` where there is noise.

    `serving_default` keeps its one output: a second one would give REST's `predictions` another form.
    """

    def scored(images: tf.Tensor, outputs: Outputs) -> Outputs:
        if familiar is None:
            return outputs
        return {**outputs, "familiarity": familiarity(familiar, images, outputs["probabilities"])}

    @tf.function(autograph=False, input_signature=[IMAGES])
    def serving_default(images: tf.Tensor) -> Outputs:
        return {"probabilities": predict(weights, checked(images))}

    found = {"serving_default": serving_default.get_concrete_function()}
    if noise_at_end:

        @tf.function(autograph=False, input_signature=[IMAGES, SAMPLES])
        def mc_dropout(images: tf.Tensor, samples: tf.Tensor) -> Outputs:
            images = checked(images)
            return scored(images, sampled(weights, noise_at_end, images, samples))

        found["mc_dropout"] = mc_dropout.get_concrete_function()
    if familiar:

        @tf.function(autograph=False, input_signature=[IMAGES])
        def with_familiarity(images: tf.Tensor) -> Outputs:
            images = checked(images)
            return scored(images, {"probabilities": predict(weights, images)})

        found["with_familiarity"] = with_familiarity.get_concrete_function()
    return found


def checked(images: tf.Tensor) -> tf.Tensor:
    """Return images of any shape `[n, …]` with 784 values each as `[n, 28, 28]`; refuse others.

    A server feeds what it is sent, whatever the signature's shape. So each variant takes and refuses the same shapes,
    with the same words.
    """
    flat = tf.reshape(images, [tf.shape(images)[0], -1])
    return tf.reshape(tf.ensure_shape(flat, [None, SIDE * SIDE]), [-1, SIDE, SIDE])


def sampled(weights: list[tf.Variable], noise: Noise, images: tf.Tensor, samples: tf.Tensor) -> Outputs:
    """Return mean `probabilities`, `entropy` and `mutual_information` of `samples` passes with the noise on.

    Entropy is the mean prediction's, `[n]`, in nats. Mutual information of prediction and weights is that entropy less
    the passes' mean entropy (Gal & Ghahramani 2016; Houlsby et al. 2011). The passes run one after another, so memory
    does not grow with their number.
    """
    x = network.pixels_to_inputs(images)
    rows = tf.shape(x)[0]

    def one_pass(i: tf.Tensor, total: tf.Tensor, entropies: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        seed = tf.random.uniform([2], maxval=2**31 - 1, dtype=tf.int32)
        masks = draw_masks(noise.kind, weights, rows, tf.constant(noise.strength), seed[0], seed[1])
        p = tf.nn.softmax(network.logits(weights, x, masks))
        return i + 1, total + p, entropies + network.entropy(p)

    samples = tf.maximum(samples, 1)
    start = tf.constant(0), tf.zeros([rows, weights[-1].shape[0]]), tf.zeros([rows])
    _, total, entropies = tf.while_loop(lambda i, *_: i < samples, one_pass, start)
    mean = total / tf.cast(samples, tf.float32)
    of_mean = network.entropy(mean)
    information = tf.maximum(of_mean - entropies / tf.cast(samples, tf.float32), 0.0)
    return {"probabilities": mean, "entropy": of_mean, "mutual_information": information}


def export(
    weights: Sequence[np.ndarray],
    predict: Predict,
    noise_at_end: Noise | None,
    name: str,
    samples: np.ndarray,
    folder: Path,
    familiar: Familiarity | None = None,
) -> list[str]:
    """Write the SavedModel of trained weights with its warm-up records into `folder`; return its signatures' names.

    `serving_default` answers by `predict`; `mc_dropout` draws from `noise_at_end`, the noise of the last step. The
    warm-up requests send `samples`, uint8 images `[n, 28, 28]`. With `familiar`, there is
    `with_familiarity`, which gives `familiarity` too, and so does `mc_dropout`.
    """
    servable = Servable(weights)
    signatures = signatures_of(servable.weights, predict, noise_at_end, familiar)
    tf.saved_model.save(servable, str(folder), signatures=signatures)
    extra = folder / "assets.extra"
    extra.mkdir()
    with tf.io.TFRecordWriter(str(extra / "tf_serving_warmup_requests")) as writer:
        for signature in signatures:
            for count in WARMUP_IMAGES:
                writer.write(_warmup_record(name, signature, np.resize(samples, (count, SIDE, SIDE))))
    return list(signatures)


def _warmup_record(name: str, signature: str, images: np.ndarray) -> bytes:
    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = name, signature
    request.inputs["images"].CopyFrom(tf.make_tensor_proto(images))
    if signature == "mc_dropout":
        request.inputs["samples"].CopyFrom(tf.make_tensor_proto(WARMUP_SAMPLES, tf.int32))
    log = prediction_log_pb2.PredictionLog(predict_log=prediction_log_pb2.PredictLog(request=request))
    return log.SerializeToString()


def served_probabilities(folder: Path, images: np.ndarray) -> np.ndarray:
    """Return the answer of the SavedModel in `folder` in a session, as TF Serving runs it: `[n, classes]`.

    Eager code loads some models that no session can restore.
    """
    graph = tf.Graph()
    with graph.as_default(), tf.compat.v1.Session(graph=graph) as session:
        meta = tf.compat.v1.saved_model.loader.load(session, ["serve"], str(folder))
        signature = meta.signature_def["serving_default"]
        output = signature.outputs["probabilities"].name
        return session.run(output, {signature.inputs["images"].name: images})


def check(folder: Path, weights: Sequence[np.ndarray], predict: Predict, images: np.ndarray) -> np.ndarray:
    """Return the exported model's probabilities of `images`; raise ExportError where the weights give others."""
    served = served_probabilities(folder, images)
    trained = predict([tf.constant(w) for w in weights], tf.constant(images)).numpy()
    if (off := float(np.abs(served - trained).max())) > CHECK_TOLERANCE:
        raise ExportError(
            f"{folder.name}: the exported model's probabilities differ from the trained one's by up to {off:.2g}"
        )
    return served
