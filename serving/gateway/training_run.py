"""Read `models/training.json`, in which the training job records its progress."""

import datetime
from collections.abc import Collection
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field, ValidationError

SILENCE_SECONDS = 120  # a running job writes every few seconds


class TrainingVariant(BaseModel):
    """A variant that the run trains."""

    name: str
    title: str
    state: Literal["waiting", "training", "published"]
    done: int = Field(ge=0, description="Optimiser steps that are done")
    steps: int = Field(ge=1, description="Optimiser steps in all")


class TrainingRun(BaseModel):
    """A run of the training job that has not published all its variants."""

    state: Literal["training", "stopped", "failed"]
    detail: str = Field(description="Why it failed")
    started: datetime.datetime
    updated: datetime.datetime
    variants: list[TrainingVariant]


def read(models: Path, published: Collection[str]) -> TrainingRun | None:
    """Return the run under way in `models`, or the last one if it left a variant that is not `published`, else None.

    A run that has written nothing for SILENCE_SECONDS counts as stopped: it was killed.
    """
    try:
        run = TrainingRun.model_validate_json((models / "training.json").read_bytes())
    except (OSError, ValidationError):  # no run yet, or one that finished
        return None
    silent = datetime.datetime.now(datetime.UTC) - run.updated
    if run.state == "training" and silent.total_seconds() > SILENCE_SECONDS:
        run.state = "stopped"
    if run.state != "training" and all(variant.name in published for variant in run.variants):
        return None
    return run
