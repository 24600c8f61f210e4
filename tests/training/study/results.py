"""Results of made-up members."""

import numpy as np

from training.study.result import Curve, Result

LABELS = np.arange(100) % 10


def made_up(arm: str, seed: int, wrong: int) -> Result:
    """Return a result that has the first `wrong` of LABELS wrong, and was at 50 %, 95 % and there on its way."""
    predicted = LABELS.astype(np.uint8)
    predicted[:wrong] = (predicted[:wrong] + 1) % 10
    confidences = np.linspace(0.5, 1.0, 100).astype(np.float32)
    accuracy = np.array([0.5, 0.95, 1 - wrong / 100])
    curve = Curve(np.array([0, 500, 999]), accuracy, 1 - accuracy, accuracy + 0.01, 0.9 - accuracy)
    return Result(arm, seed, confidences, predicted, 0.2 + wrong / 1000, 0.1, 0.02, 0.99, 0.05, curve)
