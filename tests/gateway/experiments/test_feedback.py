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
