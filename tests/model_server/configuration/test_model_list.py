import pytest
from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from serving.model_server.configuration import model_list as models
from serving.model_server.errors import ServingError


def config(text: str) -> model_server_config_pb2.ModelServerConfig:
    return text_format.Parse(text, model_server_config_pb2.ModelServerConfig())


def one(fields: str) -> str:
    return f"model_config_list {{ config {{ {fields} }} }}"


GOOD = 'name: "a" base_path: "/m/a"'


@pytest.mark.parametrize(
    "text",
    [
        one(f'{GOOD} model_platform: "tensorflow"'),
        one(f"{GOOD} model_type: TENSORFLOW"),
        "model_config_list {}",
    ],
)
def test_a_good_list_passes(text: str) -> None:
    models.check(config(text))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (one('base_path: "/m/a"'), "A model in the config list has no name"),
        (
            f'model_config_list {{ config {{ {GOOD} model_platform: "tensorflow" }} config {{ {GOOD} }} }}',
            "Illegal to list model a multiple times in config list",
        ),
        (
            one('name: "a" base_path: "m/a" model_platform: "tensorflow"'),
            r"Expected model a to have an absolute path or URI; got base_path\(\)=m/a",
        ),
        (one(f'{GOOD} model_platform: "caffe"'), "Model a requests unsupported platform caffe"),
        (one(GOOD), "Illegal setting neither ModelServerConfig::model_type"),
        (one(f'{GOOD} model_type: TENSORFLOW model_platform: "tensorflow"'), "Illegal setting both"),
        ("custom_model_config {}", "Only a model_config_list can be served."),
    ],
)
def test_a_bad_list_is_refused_with_tf_servings_words(text: str, message: str) -> None:
    with pytest.raises(ServingError, match=message):
        models.check(config(text))


LABELLED = config(one(f'{GOOD} version_labels {{ key: "stable" value: 2 }}'))
REFUSED = "Request to assign label to version 2 of model a, which is not currently available for inference"


@pytest.mark.parametrize(
    ("available", "old", "allow", "accepted"),
    [
        (True, {}, False, True),
        (True, {"a": {"stable": 1}}, False, True),
        (False, {}, False, False),
        (False, {}, True, True),
        (False, {"a": {"stable": 1}}, True, False),
        (False, {"a": {"stable": 2}}, True, True),
    ],
)
def test_a_label_may_name_an_available_version(
    available: bool, old: dict[str, dict[str, int]], allow: bool, accepted: bool
) -> None:
    def is_available(name: str, version: int) -> bool:
        assert (name, version) == ("a", 2)
        return available

    if accepted:
        assert models.labels(LABELLED, old, is_available, allow) == {"a": {"stable": 2}}
    else:
        with pytest.raises(ServingError, match=REFUSED):
            models.labels(LABELLED, old, is_available, allow)
