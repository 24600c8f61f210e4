"""List the comparisons, and the claim of the blog post that each one tests."""

from dataclasses import dataclass

CLAIMS = {
    1: "Dropout and L2 together are worse than either alone, and worse than neither.",
    2: "Dropout makes training a little faster.",
    3: "Dropout prevents over-fitting here.",
    4: "Uniform and Gaussian (continuous) dropout do better than Bernoulli dropout.",
    5: "Raising the keep probability during training does better than holding it.",
    6: "In a convolutional net dropout works before or after a convolution, but not in the middle.",
}
BESIDE = "Beside the claims: weights of the penalty, decoupled decay, a falling learning rate."


@dataclass(frozen=True)
class Comparison:
    """Arm `a` against arm `b` on a column of the results; `claimed` is the sign of a − b that the claim says, or 0."""

    claim: int | None
    a: str
    b: str
    claimed: int = 0
    metric: str = "test_accuracy"


def _regularisers() -> tuple[Comparison, ...]:
    rows = [Comparison(1, "dropout_l2", other, -1) for other in ("dropout", "l2", "plain")]
    rows += [Comparison(1, "dropout", "l2"), Comparison(1, "dropout", "plain"), Comparison(1, "l2", "plain")]
    rows += [Comparison(2, "dropout", "plain", -1, f"steps_to_{percent}") for percent in (90, 95)]
    rows += [
        Comparison(3, "dropout", "plain", sign, metric)
        for sign, metric in ((-1, "accuracy_gap"), (-1, "loss_gap"), (1, "test_accuracy"), (-1, "test_loss"))
    ]
    for suffix in ("", "_l2"):
        rows += [Comparison(4, kind + suffix, f"bernoulli_25{suffix}", 1) for kind in ("uniform", "gaussian")]
    for suffix in ("", "_cosine"):
        rows += [Comparison(5, f"falling{suffix}", f"{b}{suffix}", 1) for b in ("dropout", "as_falling")]
        rows += [Comparison(5, f"falling{suffix}", f"plain{suffix}")]
        rows += [Comparison(5, f"rising{suffix}", f"{b}{suffix}") for b in ("dropout", "as_rising", "falling")]
    others = ("l2_1e6", "l2_1e5", "l2_1e3", "decay_1e4", "decay_1e3", "decay_1e2", "plain_cosine")
    rows += [Comparison(None, a, "plain") for a in others]
    rows += [Comparison(None, "bernoulli_25", "plain"), Comparison(None, "dropout_cosine", "plain_cosine")]
    return tuple(rows)


REGULARISERS = _regularisers()
