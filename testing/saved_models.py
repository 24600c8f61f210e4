"""Write the small models that the model server's tests expect into a folder:

    python -m testing.saved_models FOLDER [FOLDER AS THE SERVER SEES IT]

`FOLDER/models.config` lists them; a real TF Serving that is to be compared is started with it (see conftest.py).
"""

import sys
from pathlib import Path

import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

v1 = tf.compat.v1
HALF = 0.5

CONFIG = """model_config_list {{
  config {{
    name: "half_plus" base_path: "{root}/half_plus" model_platform: "tensorflow" model_version_policy {{ all {{}} }}
    version_labels {{ key: "stable" value: 2 }} version_labels {{ key: "canary" value: 3 }}
  }}
  config {{ name: "pixels" base_path: "{root}/pixels" model_platform: "tensorflow" }}
  config {{ name: "native" base_path: "{root}/native" model_platform: "tensorflow" }}
  config {{ name: "kinds" base_path: "{root}/kinds" model_platform: "tensorflow" }}
  config {{ name: "slow" base_path: "{root}/slow" model_platform: "tensorflow" }}
}}
"""


def write_half_plus(folder: Path, addend: float) -> None:
    """Write y = x / 2 + addend in the form of TensorFlow 1: signatures on tensors and on serialized examples."""
    builder = v1.saved_model.Builder(str(folder))
    with v1.Session(graph=tf.Graph()) as session:
        addends = v1.get_variable("addend", initializer=addend, use_resource=False)
        serialized = v1.placeholder(tf.string, [None], name="tf_example")
        x = tf.identity(v1.parse_example(serialized, {"x": v1.FixedLenFeature([1], tf.float32)})["x"], name="x")
        y = tf.add(HALF * x, addends, name="y")
        negative = tf.negative(y, name="negative")
        labels = tf.where(y > addend, tf.fill(tf.shape(y), "large"), tf.fill(tf.shape(y), "small"))
        info = v1.saved_model.build_tensor_info
        signature = v1.saved_model.build_signature_def
        examples = {"inputs": info(serialized)}
        session.run(v1.global_variables_initializer())
        builder.add_meta_graph_and_variables(
            session,
            ["serve"],
            signature_def_map={
                "serving_default": signature({"x": info(x)}, {"y": info(y)}, "tensorflow/serving/predict"),
                "both": signature(
                    {"x": info(x)}, {"y": info(y), "negative": info(negative)}, "tensorflow/serving/predict"
                ),
                "classify": signature(
                    examples, {"classes": info(labels), "scores": info(y)}, "tensorflow/serving/classify"
                ),
                "scores_only": signature(examples, {"scores": info(y)}, "tensorflow/serving/classify"),
                "regress": signature(examples, {"outputs": info(y)}, "tensorflow/serving/regress"),
                "regress_negative": signature(examples, {"outputs": info(negative)}, "tensorflow/serving/regress"),
            },
        )
        builder.save()


class _Pixels(tf.Module):
    """uint8 [n, 28, 28] → probabilities [n, 10], of fixed random weights."""

    def __init__(self, widths: tuple[int, ...] = (784, 10)) -> None:
        super().__init__()
        random = tf.random.Generator.from_seed(1)
        self.weights = [
            tf.Variable(random.normal([a, b], stddev=a**-0.5)) for a, b in zip(widths, widths[1:], strict=False)
        ]

    @tf.function(input_signature=[tf.TensorSpec([None, 28, 28], tf.uint8, "images")])
    def serving_default(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        layer = tf.reshape(tf.cast(images, tf.float32) / 255, [-1, 784])
        for weights in self.weights[:-1]:
            layer = tf.nn.relu(layer @ weights)
        return {"probabilities": tf.nn.softmax(layer @ self.weights[-1])}

    @tf.function(
        input_signature=[tf.TensorSpec([None, 28, 28], tf.uint8, "images"), tf.TensorSpec([], tf.int32, "samples")]
    )
    def repeated(self, images: tf.Tensor, samples: tf.Tensor) -> dict[str, tf.Tensor]:
        probabilities = self.serving_default(images)["probabilities"]
        return {"probabilities": probabilities, "samples": tf.fill([tf.shape(images)[0]], samples)}


class _Native(tf.Module):
    """y = x / 2 + 2 on serialized examples, in the form of TensorFlow 2.

    It writes the method name of Predict into every signature, and gives each an input tensor of its own.
    """

    def _halve(self, examples: tf.Tensor) -> tf.Tensor:
        return HALF * tf.io.parse_example(examples, {"x": tf.io.FixedLenFeature([1], tf.float32)})["x"] + 2.0

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "inputs")])
    def classify(self, inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"scores": self._halve(inputs)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "inputs")])
    def regress(self, inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"outputs": self._halve(inputs)}


class _Kinds(tf.Module):
    """Returns its inputs, of several types; `total` has shapes of no use to the row form."""

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.string, "text"),
            tf.TensorSpec([None, None], tf.int64, "whole"),
            tf.TensorSpec([None], tf.bool, "truth"),
            tf.TensorSpec([None], tf.float32, "real"),
        ]
    )
    def serving_default(
        self, text: tf.Tensor, whole: tf.Tensor, truth: tf.Tensor, real: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        return {"text": text, "text_bytes": text, "whole": whole, "truth": truth, "real": tf.math.log(real)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "real")])
    def total(self, real: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"total": tf.reduce_sum(real), "half": tf.cast(real, tf.float16), "count": tf.size(real)}


class _Slow(tf.Module):
    """Counts up to n, so that a large n takes as long as a test needs."""

    @tf.function(input_signature=[tf.TensorSpec([1], tf.int64, "n")])
    def serving_default(self, n: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"counted": tf.while_loop(lambda i: i[0] < n[0], lambda i: [i + 1], [tf.zeros([1], tf.int64)])[0]}


def write_pixels(folder: Path, widths: tuple[int, ...] = (784, 10)) -> None:
    """Write the model of `_Pixels`, with signatures `serving_default` and `repeated`."""
    _write(_Pixels(widths), ("serving_default", "repeated"), folder)


def _write(module: tf.Module, names: tuple[str, ...], folder: Path) -> None:
    tf.saved_model.save(module, str(folder), signatures={name: getattr(module, name) for name in names})


def write_warmup(folder: Path, records: list[prediction_log_pb2.PredictionLog]) -> None:
    """Put warm-up records beside a SavedModel."""
    path = folder / "assets.extra" / "tf_serving_warmup_requests"
    path.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in records:
            writer.write(record.SerializeToString())


def pixels_record(shape: tuple[int, ...] = (1, 28, 28)) -> prediction_log_pb2.PredictionLog:
    """Return a warm-up record for `pixels`; its model's name is ignored."""
    record = prediction_log_pb2.PredictionLog()
    record.predict_log.request.model_spec.name = "any"
    record.predict_log.request.inputs["images"].CopyFrom(tf.make_tensor_proto(tf.zeros(shape, tf.uint8)))
    return record


def main(folder: Path, seen_as: str) -> None:
    """Write all models and their configuration into `folder`, which the server sees as `seen_as`."""
    write_half_plus(folder / "half_plus" / "00000002", 2.0)
    write_half_plus(folder / "half_plus" / "3", 3.0)
    write_pixels(folder / "pixels" / "1")
    write_warmup(folder / "pixels" / "1", [pixels_record()])
    _write(_Native(), ("classify", "regress"), folder / "native" / "1")
    _write(_Kinds(), ("serving_default", "total"), folder / "kinds" / "1")
    _write(_Slow(), ("serving_default",), folder / "slow" / "1")
    (folder / "models.config").write_text(CONFIG.format(root=seen_as))
    (folder / "batching.config").write_text("max_batch_size { value: 10000 }")
    (folder / "monitoring.config").write_text("prometheus_config { enable: true }")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[-1])
