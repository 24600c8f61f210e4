"""A trained member as a SavedModel: raw pixels in, probabilities out, checked as TF Serving will run it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

from training import network, noise
from training.data import SIDE

WARMUP_IMAGES = (1, 8, 64)  # the first call of a batch size costs tens of milliseconds
WARMUP_SAMPLES = 2
CHECK_TOLERANCE = 1e-5  # batches of other sizes may differ in the last bits


class ExportError(Exception):
    """An exported model that does not answer as the trained one does."""


class Servable(tf.Module):
    """A trained network with its signatures; it holds its variables itself, or a session could not restore them."""

    def __init__(self, weights: Sequence[np.ndarray], dropout: float) -> None:
        super().__init__()
        self.weights = [tf.Variable(w, trainable=False, name=f"weight_{i}") for i, w in enumerate(weights)]
        self.dropout = dropout

    @tf.function(autograph=False, input_signature=[tf.TensorSpec([None, SIDE, SIDE], tf.uint8, "images")])
    def predict(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return `probabilities`, float32 `[n, classes]`, with dropout off."""
        return {"probabilities": network.probabilities(self.weights, images)}

    @tf.function(
        autograph=False,
        input_signature=[tf.TensorSpec([None, SIDE, SIDE], tf.uint8, "images"), tf.TensorSpec([], tf.int32, "samples")],
    )
    def mc_dropout(self, images: tf.Tensor, samples: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return what `samples` passes with dropout on say: mean `probabilities`, `entropy`, `mutual_information`.

        Entropy of the mean prediction and the mutual information of prediction and weights, `[n]`, in nats; the
        latter is the entropy less the passes' mean entropy (Gal & Ghahramani 2016; Houlsby et al. 2011). The passes
        run one after another, so memory does not grow with their number.
        """
        x = network.pixels_to_inputs(images)

        def one_pass(i: tf.Tensor, total: tf.Tensor, entropies: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            masks = [
                noise.bernoulli(
                    tf.stack([tf.shape(x)[0], units]),
                    self.dropout,
                    tf.random.uniform([2], maxval=2**31 - 1, dtype=tf.int32),
                )
                for units in network.HIDDEN[: network.DROPOUT_AFTER]
            ]
            p = tf.nn.softmax(network.logits(self.weights, x, masks))
            return i + 1, total + p, entropies + entropy(p)

        samples = tf.maximum(samples, 1)
        classes = self.weights[-1].shape[0]
        start = tf.constant(0), tf.zeros([tf.shape(x)[0], classes]), tf.zeros([tf.shape(x)[0]])
        _, total, entropies = tf.while_loop(lambda i, *_: i < samples, one_pass, start)
        mean = total / tf.cast(samples, tf.float32)
        of_mean = entropy(mean)
        information = tf.maximum(of_mean - entropies / tf.cast(samples, tf.float32), 0.0)
        return {"probabilities": mean, "entropy": of_mean, "mutual_information": information}

    def signatures(self) -> dict[str, tf.types.experimental.ConcreteFunction]:
        """Return the signatures by name; `mc_dropout` where the variant has dropout."""
        found = {"serving_default": self.predict.get_concrete_function()}
        if self.dropout:
            found["mc_dropout"] = self.mc_dropout.get_concrete_function()
        return found


def entropy(p: tf.Tensor) -> tf.Tensor:
    """Return the entropy of each distribution in the rows of `[n, classes]`, in nats."""
    return -tf.reduce_sum(tf.math.xlogy(p, p), axis=1)


def export(weights: Sequence[np.ndarray], dropout: float, name: str, samples: np.ndarray, folder: Path) -> list[str]:
    """Write the SavedModel of trained weights with its warm-up records into `folder`; return its signatures' names.

    `samples` are images, uint8 `[n, 28, 28]`, of which the warm-up requests are made.
    """
    servable = Servable(weights, dropout)
    signatures = servable.signatures()
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
    """Return what the SavedModel in `folder` answers in a session, `[n, classes]`: the way TF Serving runs it.

    A model that eager code can load may still be one that no session can restore.
    """
    graph = tf.Graph()
    with graph.as_default(), tf.compat.v1.Session(graph=graph) as session:
        meta = tf.compat.v1.saved_model.loader.load(session, ["serve"], str(folder))
        signature = meta.signature_def["serving_default"]
        output = signature.outputs["probabilities"].name
        return session.run(output, {signature.inputs["images"].name: images})


def check(folder: Path, weights: Sequence[np.ndarray], images: np.ndarray) -> np.ndarray:
    """Return the exported model's probabilities of `images`; raise ExportError where they are not the weights' own."""
    served = served_probabilities(folder, images)
    trained = network.probabilities([tf.constant(w) for w in weights], tf.constant(images)).numpy()
    if (off := float(np.abs(served - trained).max())) > CHECK_TOLERANCE:
        raise ExportError(
            f"{folder.name}: the exported model's probabilities differ from the trained one's by up to {off:.2g}"
        )
    return served
