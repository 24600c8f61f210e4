"""The parameters of the API, checked by pydantic and documented from the same models."""

from contextlib import suppress
from functools import cache, lru_cache
from typing import Any, Literal, TypeVar
from urllib.parse import parse_qsl

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from werkzeug.datastructures import MultiDict

from serving.gateway.experiments.spec import NO_NUL
from serving.gateway.web.problems import invalid_parameters

UNIT_ID_LENGTH = 200
QUERIES = 256  # different ones whose models are kept


class Parameters(BaseModel):
    """A model whose JSON schema is made once: flask-openapi asks for it at every request."""

    @classmethod
    def model_json_schema(cls, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Return the model's JSON schema."""
        return _schema(cls, *args, **kwargs)


P = TypeVar("P", bound=Parameters)


@cache
def _schema(model: type[Parameters], *args: Any, **kwargs: Any) -> dict[str, Any]:
    return super(Parameters, model).model_json_schema(*args, **kwargs)


class Headers(Parameters):
    """The headers that are read."""

    model_config = ConfigDict(title="header")

    request_id: str | None = Field(
        None, alias="X-Request-Id", description="Taken over if it is 1 to 128 letters, digits, '.', '_' and '-'"
    )
    unit_id: str | None = Field(
        None,
        alias="X-Unit-Id",
        max_length=UNIT_ID_LENGTH,
        description="Who asks, or what about: requests of one unit are answered by one arm of an experiment",
    )


class InferHeaders(Headers):
    """The headers that an infer call of the Open Inference Protocol reads."""

    head_length: str | None = Field(
        None, alias="Inference-Header-Content-Length", description="The bytes of JSON in a body with raw bytes behind"
    )


class ScaleQuery(Parameters):
    """The query of any call that sends pixels."""

    model_config = ConfigDict(title="query", extra="forbid")

    scale: Literal["1", "255"] = Field("255", description="Full ink in lists and raw bytes of pixels: 1 if 0…1")


class InferQuery(ScaleQuery):
    """The query of an infer call of the Open Inference Protocol."""

    experiment: str | None = Field(None, description="The experiment that is to choose, for the model any-variant")
    uncertainty: bool = Field(False, description="Also return entropy and mutual information, from sampled dropout")


class ImagesQuery(ScaleQuery):
    """The query of any call that sends images."""

    split: bool = Field(
        False,
        description="Answer for each digit of an encoded image, from left to right; else refuse several",
    )


class PredictQuery(ImagesQuery):
    """The query of POST /predict."""

    variant: str | None = Field(None, description="The variant that is to answer; the default one if not given")
    experiment: str | None = Field(None, description="The experiment that is to choose the variant")
    uncertainty: bool = Field(False, description="Also return entropy and mutual information, from sampled dropout")


class NamedPath(Parameters):
    """The path of what concerns one experiment or variant."""

    model_config = ConfigDict(title="path")

    name: str = Field(max_length=64, pattern=NO_NUL)


class ModelPath(Parameters):
    """The path of a model of the Open Inference Protocol."""

    model_config = ConfigDict(title="path")

    name: str = Field(description="A variant, or `any-variant`: experiments, else the default variant")


class VersionPath(ModelPath):
    """The path of a version of a model of the Open Inference Protocol."""

    version: str


class FlagPath(Parameters):
    """The path of an experiment as a feature flag."""

    model_config = ConfigDict(title="path")

    key: str = Field(description="The experiment")


class FlagsHeaders(Parameters):
    """The headers of a call that evaluates all flags."""

    model_config = ConfigDict(title="header")

    if_none_match: str | None = Field(None, alias="If-None-Match", description="The ETag of the answer before")


class PredictionPath(Parameters):
    """The path of what concerns one prediction."""

    model_config = ConfigDict(title="path")

    prediction_id: str = Field(max_length=4000, pattern=NO_NUL)


class QueueQuery(Parameters):
    """The query of GET /experiments/{name}/disagreements."""

    model_config = ConfigDict(title="query", extra="forbid")

    limit: int = Field(20, ge=1, le=100, description="Most images in the answer")


class CompareQuery(ImagesQuery):
    """The query of POST /compare."""

    variants: str | None = Field(None, description="Names separated by commas; all variants if not given")


def read_query(model: type[P], query: str) -> P:
    """Return a query string as `model`; raise Unprocessable."""
    try:
        return _query(model, query)
    except ValidationError as error:
        invalid_parameters(error)


def read_unit(unit: str | None) -> str | None:
    """Return the value of X-Unit-Id, in UTF-8 or else in Latin-1; raise Unprocessable for one that is too long."""
    if unit is None:
        return None
    if not unit.isascii():
        with suppress(UnicodeDecodeError):
            unit = unit.encode("latin-1").decode()  # servers hand headers over as Latin-1
    try:
        return Headers.model_validate({"X-Unit-Id": unit}).unit_id
    except ValidationError as error:
        invalid_parameters(error)


@lru_cache(QUERIES)
def _query(model: type[P], text: str) -> P:
    return model.model_validate(MultiDict(parse_qsl(text, keep_blank_values=True)).to_dict())
