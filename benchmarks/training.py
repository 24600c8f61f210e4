"""Time the post's eager Keras loop beside the compiled population.

    python -m benchmarks.training [--data DIR]

Prints JSON. Times are wall-clock, the best of some rounds in turn. Those of the population cover its loops alone with
every core busy: elapsed time over steps × members, for STEPS steps, since all steps cost alike. `end_to_end` covers a
whole training of the four variants, tracing and reports included, beside the eager loop's time extrapolated to as many
steps. `fraction_of_matmul_peak` compares 32 members, the four variants in equal parts, with the fastest float32 matmul
of the same process. The eager loop has a process of its own, with TensorFlow's own threads.
"""

import argparse
import json
import math
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from training import data, network, population
from training.loop import Kind, Settings, State, compile_loop
from training.stopping import Stop
from training.variants import BLOG_POST, DROPOUT, Noise, Recipe, Variant

RECIPE = Recipe()
STEPS, ROUNDS, EAGER_STEPS = 60, 3, 40
NOISES = {
    "bernoulli 0.5": DROPOUT,
    "bernoulli 0.5 falling": replace(DROPOUT, schedule="falling"),
    "bernoulli 0.5 rising": replace(DROPOUT, schedule="rising"),
    "bernoulli 0.25": Noise("bernoulli", 0.25),
    "uniform 1": Noise("uniform", 1.0),
    "gaussian 0.32": Noise("gaussian", 0.32),
}


def main() -> None:
    """Print every figure."""
    parser = argparse.ArgumentParser(description="Measure the training engine.")
    parser.add_argument("--data", type=Path, default=Path("data"), metavar="DIR", help="(default: %(default)s)")
    parser.add_argument("--eager", action="store_true", help="time the eager loop alone")
    arguments = parser.parse_args()
    images = data.load(arguments.data)
    if arguments.eager:
        print(json.dumps([eager_milliseconds(variant, images) for variant in BLOG_POST]))
        return
    command = [sys.executable, "-m", "benchmarks.training", "--eager", f"--data={arguments.data}"]
    eager = statistics.mean(json.loads(subprocess.run(command, check=True, capture_output=True).stdout))
    population.use_one_core_per_member()
    tf.get_logger().setLevel("ERROR")  # it takes the loops of several kinds for one that is traced again and again
    print(json.dumps(engine_figures(images, eager), indent=1))


def eager_milliseconds(variant: Variant, images: data.ImageSet) -> float:
    """Return the milliseconds of a step of the post's kind of loop: Keras layers, a tape, nothing compiled."""
    model = network.build(28 * 28, 10, variant.dropout, seed=1)
    optimizer = keras.optimizers.Adam(learning_rate=RECIPE.learning_rate)
    dataset = tf.data.Dataset.from_tensor_slices((images.train_images, images.train_labels))
    dataset = dataset.map(lambda x, y: (tf.cast(x, tf.float32) / 255.0, tf.cast(y, tf.int32)))
    batches = iter(dataset.shuffle(60_000).batch(RECIPE.batch).repeat())

    def steps(count: int) -> None:
        for _ in range(count):
            x, y = next(batches)
            with tf.GradientTape() as tape:
                logits = model(tf.reshape(x, (-1, 28 * 28)), training=True)
                losses = keras.losses.categorical_crossentropy(tf.one_hot(y, 10), logits, from_logits=True)
                loss = tf.reduce_mean(losses)
                if variant.l2:
                    loss += variant.l2 * tf.reduce_sum([tf.nn.l2_loss(p) for p in model.trainable_variables])
            gradients = tape.gradient(loss, model.trainable_variables)
            optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        float(loss)

    steps(10)
    return best([lambda: steps(EAGER_STEPS)])[0] / EAGER_STEPS * 1e3


def engine_figures(images: data.ImageSet, eager: float) -> dict[str, Any]:
    """Return all that is printed; `eager` is the eager loop's milliseconds a step."""
    end_to_end = end_to_end_seconds(images)
    gflops = matmul_gflops()
    cohorts = {"four": [(v, seed) for v in BLOG_POST for seed in range(8)]}
    cohorts |= {v.name: [(v, seed) for seed in range(8)] for v in BLOG_POST}
    cohorts |= {str(n): [(BLOG_POST[0], seed) for seed in range(n)] for n in (2, 4, 8, 16, 32)}
    cohorts |= {name: [(Variant(name, name, noise), seed) for seed in range(4)] for name, noise in NOISES.items()}
    spent = member_milliseconds(images, cohorts)
    flop = 6 * RECIPE.batch * _kernel_sizes() - 2 * RECIPE.batch * 28 * 28 * network.HIDDEN[0]
    eager_seconds = eager / 1e3 * len(BLOG_POST) * RECIPE.steps(len(images.train_images))
    return {
        "cores": population.cores(),
        "tensorflow": tf.__version__,
        "speedup": eager / spent["four"],
        "speedup_end_to_end": eager_seconds / end_to_end,
        "fraction_of_matmul_peak": flop / spent["four"] / 1e6 / gflops,
        "fraction_of_matmul_peak_by_variant": {v.name: flop / spent[v.name] / 1e6 / gflops for v in BLOG_POST},
        "matmul_peak_gflops": gflops,
        "mflop_a_step": flop / 1e6,
        "eager_milliseconds": eager,
        "eager_seconds_extrapolated": eager_seconds,
        "end_to_end_seconds": end_to_end,
        "milliseconds": spent["four"],
        "milliseconds_by_variant": {v.name: spent[v.name] for v in BLOG_POST},
        "milliseconds_of_plain_by_members": {n: spent[n] for n in ("2", "4", "8", "16", "32")},
        "cost_relative_to_bernoulli": {name: spent[name] / spent["bernoulli 0.5"] for name in NOISES},
        "members_in_memory": sum(len(members) for members in cohorts.values()),
        "peak_resident_megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def end_to_end_seconds(images: data.ImageSet) -> float:
    """Return how long training the four variants takes, from images in memory to trained weights."""
    start = time.perf_counter()
    members = [population.Member(variant, seed=1) for variant in BLOG_POST]
    population.train(members, images, RECIPE, lambda *_: None, Stop())
    return time.perf_counter() - start


def matmul_gflops(size: int = 2048, times: int = 4) -> float:
    """Return the best float32 matmul rate of every core together.

    Each product is a factor of the next: grappler would make equal ones once.
    """
    matrix = tf.random.stateless_normal([size, size], [1, 2]) / math.sqrt(size)
    chain = tf.function(
        lambda x: tf.while_loop(lambda i, _: i < times, lambda i, x: (i + 1, x @ matrix), (0, x))[1], autograph=False
    )
    chain(matrix)
    seconds = best([lambda: on_every_core(lambda _: chain(matrix).numpy(), range(population.cores()))])[0]
    return population.cores() * times * 2 * size**3 / seconds / 1e9


def member_milliseconds(images: data.ImageSet, cohorts: dict[str, list[tuple[Variant, int]]]) -> dict[str, float]:
    """Return the elapsed milliseconds a step and member of each cohort of variants and seeds."""
    x, y = tf.constant(images.train_images), tf.constant(images.train_labels, tf.int32)
    kinds = {Kind.of(variant) for members in cohorts.values() for variant, _ in members}
    loops = {kind: compile_loop(kind, RECIPE.batch, len(x)) for kind in kinds}

    def run(member: tuple[Kind, State, Settings], steps: int = STEPS) -> None:
        kind, state, settings = member
        float(loops[kind](state, x, y, tf.constant(0), tf.constant(steps), settings))

    def new_member(variant: Variant, seed: int) -> tuple[Kind, State, Settings]:
        model = network.build(28 * 28, 10, variant.dropout, seed)
        settings = Settings.of(variant, seed, RECIPE, len(x))
        return Kind.of(variant), State.of([v.value for v in model.trainable_variables]), settings

    members = {name: [new_member(*member) for member in cohort] for name, cohort in cohorts.items()}
    for cohort in members.values():
        run(cohort[0], steps=1)
    seconds = best([partial(on_every_core, run, cohort) for cohort in members.values()])
    return {name: s / STEPS / len(members[name]) * 1e3 for name, s in zip(members, seconds, strict=True)}


def on_every_core(run: Callable[[Any], object], items: Sequence[Any]) -> None:
    """Run the items, one a core."""
    with ThreadPoolExecutor(population.cores()) as pool:
        list(pool.map(run, items))


def _kernel_sizes() -> int:
    widths = (28 * 28, *network.HIDDEN, 10)
    return sum(a * b for a, b in zip(widths, widths[1:], strict=False))


def best(runs: Sequence[Callable[[], object]]) -> list[float]:
    """Return the shortest time of each, in seconds, of ROUNDS in which they take turns."""
    times = []
    for _ in range(ROUNDS):
        for run in runs:
            start = time.perf_counter()
            run()
            times.append(time.perf_counter() - start)
    return [min(times[i :: len(runs)]) for i in range(len(runs))]


if __name__ == "__main__":
    main()
