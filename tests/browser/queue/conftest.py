"""Fixtures of the label queue's tests: experiments on real disagreements of the trained models, and their queues."""

import itertools
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page

from testing.running_gateway import Gateway
from tests.browser.conftest import Visit
from tests.browser.experiment import Experiment
from tests.browser.queue.sight import look
from tests.browser.site import Site

numbers = itertools.count()


@pytest.fixture(scope="module")
def labelled_gateway(site: Site) -> Iterator[Gateway]:
    """A gateway for the experiments of these tests."""
    with site.gateway() as running:
        yield running


@pytest.fixture
def experiment(labelled_gateway: Gateway) -> Experiment:
    """An experiment whose arms disagree on some images."""
    asked = Experiment(labelled_gateway, f"queue_{next(numbers)}")
    asked.ask(0, 300, together=100)
    assert len(asked.waiting) > 3
    return asked


@pytest.fixture
def page(visit: Visit, experiment: Experiment) -> Page:
    """The experiment's queue, with its first image."""
    return look(visit, experiment, expected="ERR_INTERNET_DISCONNECTED")
