"""Train the post's recipe, ten seeds a variant, by Keras' own pieces and by the compiled population.

    python -m benchmarks.recipe [--seeds N]

Keras' layers, Keras' Adam and tf.data's shuffle, in a compiled loop, share no line with `training/loop.py`. Each loop
draws its own random numbers, so the distributions of the final test accuracy must agree. Prints a row a variant: mean,
standard deviation and range of both, and Welch's t.
"""

import argparse
import os
import statistics
import sys
from pathlib import Path

from training.stopping import Stop


def main() -> None:
    """Train both ways and print the comparison."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--data", type=Path, default=Path("data"))
    arguments = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

    from training import data, population
    from training.variants import BLOG_POST, Recipe

    population.use_one_core_per_member()
    images = data.load(arguments.data)
    seeds = range(1, arguments.seeds + 1)
    members = [population.Member(v, s) for v in BLOG_POST for s in seeds]
    ours = [t.history[-1].accuracy for t in population.train(members, images, Recipe(), _progress, Stop())]
    theirs = [_keras(images, member, Recipe()) for member in members]
    print(f"\n{'variant':10}  {'population: mean (SD) [range]':36}  {'Keras: mean (SD) [range]':36}  Welch's t")
    for i, variant in enumerate(BLOG_POST):
        part = slice(i * len(seeds), (i + 1) * len(seeds))
        a, b = ours[part], theirs[part]
        t = (statistics.mean(a) - statistics.mean(b)) / (
            (statistics.variance(a) + statistics.variance(b)) / len(a)
        ) ** 0.5
        print(f"{variant.name:10}  {_summary(a):36}  {_summary(b):36}  {t:+.2f}")


def _keras(images, member, recipe) -> float:
    """Return the final test accuracy of a member trained by Keras' own pieces."""
    import keras
    import tensorflow as tf

    from training import network

    keras.utils.set_random_seed(member.seed)
    model = network.build(784, 10, member.variant.dropout, member.seed)
    optimizer = keras.optimizers.Adam(learning_rate=recipe.learning_rate)
    optimizer.build(model.trainable_variables)
    losses = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    x = images.train_images.reshape(-1, 784).astype("float32") / 255
    dataset = tf.data.Dataset.from_tensor_slices((x, images.train_labels.astype("int32")))
    dataset = dataset.shuffle(len(x)).batch(recipe.batch).repeat(recipe.epochs)

    @tf.function
    def train() -> None:
        for inputs, labels in dataset:
            with tf.GradientTape() as tape:
                loss = losses(labels, model(inputs, training=True))
                loss += member.variant.l2 * tf.add_n([tf.nn.l2_loss(v.value) for v in model.trainable_variables])
            optimizer.apply(tape.gradient(loss, [v.value for v in model.trainable_variables]))

    train()
    predicted = model.predict(images.test_images.reshape(-1, 784) / 255, batch_size=1000, verbose=0).argmax(axis=1)
    accuracy = float((predicted == images.test_labels).mean())
    print(f"Keras: {member.variant.name}, seed {member.seed}: {accuracy:.4f}", file=sys.stderr, flush=True)
    return accuracy


def _summary(values: list[float]) -> str:
    return f"{statistics.mean(values):.4f} ({statistics.stdev(values):.4f}) [{min(values):.4f}, {max(values):.4f}]"


def _progress(member, report) -> None:
    if report.step == 4689:
        print(
            f"population: {member.variant.name}, seed {member.seed}: {report.accuracy:.4f}", file=sys.stderr, flush=True
        )


if __name__ == "__main__":
    main()
