from sqlalchemy import delete

from serving.gateway.experiments import feedback
from serving.gateway.experiments.feedback import Feedback, FeedbackOutcome
from serving.gateway.store.store import Store
from serving.gateway.store.tables import phases
from testing.trials import CLASSES, SECRET, Trial, spec


def test_a_label_of_a_phase_that_a_restored_backup_lacks_holds_no_other_up(store: Store) -> None:
    first, second = (Trial(store, spec(0.5, 0.5, paired=True)) for _ in range(2))
    first.reweight(0.4, 0.6)
    [late], [good] = (trial.send([0], [("1", "7")]) for trial in (first, second))
    with store.write() as connection:
        connection.execute(delete(phases).where(phases.c.experiment_id == first.row().id, phases.c.number == 2))
    with store.write() as connection:
        given = [Feedback(each, "1", "audit") for each in (late, good)]
        results = feedback.record(connection, SECRET, CLASSES, given)
    assert [result.outcome for result in results] == [FeedbackOutcome.UNKNOWN_PREDICTION, FeedbackOutcome.STORED]


def test_corrected_labels_withdraw_an_inconclusive_verdict(store: Store) -> None:
    trial = Trial(store, spec(0.5, 0.5, paired=True, max_labels=40))
    ids = trial.send([0, 1] * 20, [("1", "7")] * 40)
    trial.label({each: "17"[at % 2] for at, each in enumerate(ids)}, "audit")
    assert trial.judge() == "inconclusive"
    trial.label(dict.fromkeys(ids, "7"))
    assert trial.row().verdict is None
    assert trial.judge() == "ship"


def test_a_label_of_a_user_changes_no_decision(store: Store) -> None:
    """Of two variants that beat control l2 gains more, and dropout is surer."""
    trial = Trial(store, spec(1 / 3, 1 / 3, 1 / 3, paired=True))
    answers = [("1", "7", "7")] * 30 + [("1", "7", "1")] * 10 + [("1", "1", "7")] * 30 + [("7", "7", "1")] * 10
    trial.label(dict.fromkeys(trial.send([0, 1, 2, 1] * 20, answers), "7"))
    before = trial.report()
    [told] = trial.send([1], [("1", "7", "7")])
    trial.label({told: "7"}, "user")
    after = trial.report()
    assert [each["volunteered"] for each in after["comparisons"]] == [1, 0]  # of the arm that answered
    decided = [(each["decision"]["recommendation"], each["decision"]["variant"]) for each in (before, after)]
    assert decided == [("ship", "l2")] * 2
    assert [each["verdict"] for each in after["comparisons"]] == [each["verdict"] for each in before["comparisons"]]
