"""Read, check and watch `models/manifest.json`, the gateway's only source on the models."""

import logging
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from serving.gateway.errors import Unavailable
from serving.gateway.imaging.framing import ImageFormat

logger = logging.getLogger(__name__)

Name = Annotated[str, Field(pattern=r"^[a-z0-9_]+$", max_length=64)]


class Variant(BaseModel):
    """One variant of the model, with its training and tests."""

    model_config = ConfigDict(protected_namespaces=())

    name: Name
    title: str
    version: int = Field(ge=1, description="The newest published version")
    parameters: int
    regularisation: dict[str, Any]
    training: dict[str, Any]
    test: dict[str, Any]
    history: list[dict[str, Any]]
    signatures: list[str] = Field(min_length=1)


class Manifest(BaseModel):
    """The content of `manifest.json`; other keys are ignored."""

    schema_version: Literal[1] = Field(alias="schema")
    image: ImageFormat
    classes: list[str] = Field(min_length=2)
    default: str
    variants: list[Variant] = Field(min_length=1)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        names = [variant.name for variant in self.variants]
        if len(set(names)) < len(names):
            raise ValueError(f"two variants have one name: {', '.join(names)}")
        if self.default not in names:
            raise ValueError(f"default {self.default!r} is not among the variants {', '.join(names)}")
        return self

    def variant(self, name: str) -> Variant | None:
        """Return the variant called `name`, or None."""
        return next((variant for variant in self.variants if variant.name == name), None)

    def default_variant(self, promoted: str | None) -> Variant:
        """Return the promoted variant while it is published, else the default."""
        found = self.variant(promoted) if promoted is not None else None
        return found or next(variant for variant in self.variants if variant.name == self.default)

    def versions(self, known: Mapping[str, int | None]) -> dict[str, int | None]:
        """Return the versions of variants: the published ones, and the `known` ones of those not published."""
        return {name: found.version if (found := self.variant(name)) else known[name] for name in known}


class ManifestFile:
    """The manifest on disk, read again after each change; a broken one is logged, and the old one stays in use."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._seen: tuple[int, ...] | None = None
        self._current: Manifest | None = None
        self._problem = f"{path} has not been read yet."

    def current(self) -> Manifest:
        """Return the newest valid manifest; raise Unavailable, with the reason, before the first."""
        newest = self.newest()
        if newest is None:
            raise Unavailable(self._problem)
        return newest

    def newest(self) -> Manifest | None:
        """Return the newest valid manifest, None before the first."""
        seen = self._stamp()
        if seen != self._seen:
            with self._lock:
                if seen != self._seen:
                    self._read()
                    self._seen = seen
        return self._current

    def _stamp(self) -> tuple[int, ...]:
        try:
            stat = os.stat(self._path)
        except OSError:
            return ()
        return stat.st_mtime_ns, stat.st_ino, stat.st_size

    def _read(self) -> None:
        try:
            self._current = Manifest.model_validate_json(self._path.read_bytes())
            logger.info("manifest read", extra={"path": str(self._path)})
        except FileNotFoundError:
            self._report(f"{self._path} does not exist; the training job writes it (python -m training train).")
        except OSError as error:
            self._report(f"{self._path} cannot be read: {error.strerror}.")
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False, include_context=False)[0]
            place = ".".join(map(str, first["loc"])) or "the whole"
            self._report(f"{self._path} is no valid manifest: {place}: {first['msg']}.")

    def _report(self, problem: str) -> None:
        self._problem = problem
        kept = (
            "the manifest read before stays in use" if self._current else "no request can be answered until it is there"
        )
        logger.warning("%s %s", problem, kept[0].upper() + kept[1:] + ".")
