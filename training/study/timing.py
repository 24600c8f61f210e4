"""Time a step of each of the blog post's four arms; the results themselves depend on no clock."""

import json
import statistics
import time
from pathlib import Path
from typing import Any

import tensorflow as tf

from training import files, network, population
from training.data import ImageSet
from training.loop import Kind, Settings, State, compile_loop
from training.stopping import Stop
from training.variants import BLOG_POST, Recipe, Variant

STEPS, ROUNDS = 150, 15  # a round runs STEPS of each arm, one arm after another, so that all meet the same noise


def write(path: Path, data: ImageSet, stop: Stop) -> None:
    """Time a step of each arm and write milliseconds a step and member, every core busy with a member."""
    print(f"Timing a step of each of the four variants into {path} …", flush=True)
    files.write(path, json.dumps(measure(data, stop), indent=1) + "\n")


def measure(data: ImageSet, stop: Stop) -> dict[str, Any]:
    """Return, for each of the four variants, milliseconds a step and member: the median, and all rounds."""
    images, labels = tf.constant(data.train_images), tf.constant(data.train_labels, tf.int32)
    lanes = [_Lane(variant, data, images, labels) for variant in BLOG_POST]
    members = range(population.cores())
    rounds: dict[str, list[float]] = {variant.name: [] for variant in BLOG_POST}
    for number in range(ROUNDS + 1):
        for lane in lanes:
            stop.check()
            began = time.perf_counter()
            population.on_every_core(lane.advance, members, stop)
            milliseconds = (time.perf_counter() - began) * 1e3 / (STEPS * len(members))
            if number:  # the first round traces
                rounds[lane.name].append(round(milliseconds, 4))
    arms = {name: {"median": statistics.median(values), "rounds": values} for name, values in rounds.items()}
    return {"cores": len(members), "steps_a_round": STEPS, "ms_per_step_and_member": arms}


class _Lane:
    """One member of a variant for each core, all at the same step."""

    def __init__(self, variant: Variant, data: ImageSet, images: tf.Tensor, labels: tf.Tensor) -> None:
        self.name, self._images, self._labels = variant.name, images, labels
        recipe = Recipe()
        self._loop = compile_loop(Kind.of(variant), recipe.batch, len(images))
        self._settings = Settings.of(variant, 1, recipe, len(images))
        inputs, classes = images.shape[1:].num_elements(), len(data.classes)
        self._states = []
        for seed in range(population.cores()):
            model = network.build(inputs, classes, variant.dropout, seed)
            self._states.append(State.of([v.value for v in model.trainable_variables]))

    def advance(self, member: int) -> None:
        """Train one of the members for STEPS steps; a step's cost does not depend on its number."""
        steps = tf.constant(0), tf.constant(STEPS)
        self._loop(self._states[member], self._images, self._labels, *steps, self._settings).numpy()
