"""Read the images of a request's body, whichever form it has."""

import binascii
from contextvars import copy_context
from io import BytesIO
from typing import IO, Any

from flask import Request

from serving.gateway.errors import TooLarge, Unprocessable, UnsupportedMediaType, pointer
from serving.gateway.manifest import ImageFormat
from serving.gateway.settings import Settings
from serving.gateway.tf_serving.messages import Images
from serving.gateway.uploads import Upload, frame_uploads, unprocessable
from serving.gateway.views.instances import Instances, read_instances
from serving.gateway.waits import Away

JSON, FORM, RAW = "application/json", "multipart/form-data", "application/octet-stream"
ENCODED = ("image/png", "image/jpeg", "image/webp", "image/bmp", "image/gif")
FIELD = "image"
LIGHT_BYTES = 32_768  # of a body: what is longer takes milliseconds to take apart, in which others go on
BINARY = {"type": "string", "format": "binary"}

DOCUMENTED: dict[str, Any] = {
    "required": True,
    "content": {
        JSON: {"schema": {"$ref": f"#/components/schemas/{Instances.__name__}"}},
        **{mimetype: {"schema": BINARY} for mimetype in ENCODED},
        FORM: {
            "schema": {
                "type": "object",
                "required": [FIELD],
                "properties": {FIELD: {"type": "array", "items": BINARY, "minItems": 1}},
            }
        },
        RAW: {"schema": {**BINARY, "description": "Pixels, one byte each, row by row, image after image"}},
    },
}


class BodyRequest(Request):
    """A request whose uploaded files stay in memory, which the body's limit bounds, so that no disk is needed."""

    def _get_file_stream(
        self,
        total_content_length: int | None,
        content_type: str | None,
        filename: str | None = None,
        content_length: int | None = None,
    ) -> IO[bytes]:
        return BytesIO()


def read_images(request: Request, image: ImageFormat, settings: Settings, away: Away) -> Images:
    """Return the images of the body as the models take them; raise a GatewayError that names what is wrong.

    What takes long is done by `away`, so that other requests go on.
    """
    length = request.content_length
    if request.mimetype == RAW or (length is not None and length <= LIGHT_BYTES):
        return _read(request, image, settings, away)
    return away(copy_context().run, _read, request, image, settings, away)


def _read(request: Request, image: ImageFormat, settings: Settings, away: Away) -> Images:
    if request.content_encoding not in (None, "", "identity"):
        raise UnsupportedMediaType(f"Content-Encoding {request.content_encoding!r}: send the body as it is.")
    mimetype = request.mimetype
    if mimetype == JSON:
        pixels = _json(_whole(request, settings), image, settings, away)
    elif mimetype == RAW:
        pixels = _raw(_whole(request, settings), image)
    elif mimetype == FORM:
        pixels = _form(request, image, settings, away)
    elif mimetype in ENCODED:
        [pixels] = frame_uploads([Upload("", _whole(request, settings))], image, settings, away)
    else:
        given = f"Content-Type {mimetype!r}" if mimetype else "A missing Content-Type"
        raise UnsupportedMediaType(f"{given} is not read; send one of {', '.join((JSON, *ENCODED, FORM, RAW))}.")
    count = len(pixels) // image.pixels
    if count > settings.max_instances:
        raise TooLarge(f"There are {count:,} images; at most {settings.max_instances:,} are taken.")
    return Images(pixels, count, image.height, image.width)


def _whole(request: Request, settings: Settings) -> bytes:
    body = request.get_data(cache=False)
    # Where the length was not announced, Flask has cut the body off one byte past the limit, without a word.
    if len(body) > settings.max_body_bytes:
        raise TooLarge(f"The body is larger than {settings.max_body_bytes:,} bytes (GATEWAY_MAX_BODY_BYTES).")
    return body


def _json(body: bytes, image: ImageFormat, settings: Settings, away: Away) -> bytes:
    items = read_instances(body, image, settings.max_instances)
    texts = [(pointer("instances", at, "b64"), item) for at, item in enumerate(items) if isinstance(item, str)]
    if not texts:
        return b"".join(items)  # type: ignore[arg-type]  # none of them is a text
    uploads = [Upload(place, _decoded(place, text)) for place, text in texts]
    framed = iter(frame_uploads(uploads, image, settings, away))
    return b"".join(next(framed) if isinstance(item, str) else item for item in items)


def _decoded(place: str, text: str) -> bytes:
    try:
        return binascii.a2b_base64("".join(text.split()), strict_mode=True)
    except ValueError as error:
        raise unprocessable(place, f"This is not base64: {error}.") from error


def _raw(body: bytes, image: ImageFormat) -> bytes:
    if not body or len(body) % image.pixels:
        raise Unprocessable(
            f"The body has {len(body):,} bytes; images of {image.height} × {image.width} pixels take a multiple of "
            f"{image.pixels} bytes, at least one."
        )
    return body


def _form(request: Request, image: ImageFormat, settings: Settings, away: Away) -> bytes:
    files = request.files.getlist(FIELD)
    if not files:
        found = ", ".join(sorted({*request.files, *request.form})) or "none"
        raise unprocessable(pointer(FIELD), f"The form has no file in a field {FIELD!r}; its fields: {found}.")
    if len(files) > settings.max_instances:
        raise TooLarge(f"There are {len(files):,} images; at most {settings.max_instances:,} are taken.")
    uploads = [Upload(pointer(FIELD, at), file.read()) for at, file in enumerate(files)]
    return b"".join(frame_uploads(uploads, image, settings, away))
