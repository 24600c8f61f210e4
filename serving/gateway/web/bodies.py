"""Read the images of a request's body, whichever form it has."""

import binascii
from io import BytesIO
from typing import Any

from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.formparser import FormDataParser
from werkzeug.http import parse_options_header
from werkzeug.wsgi import get_content_length

from serving.gateway.errors import BadRequest, TooLarge, Unprocessable, UnsupportedMediaType, pointer
from serving.gateway.imaging.framing import ImageFormat
from serving.gateway.imaging.uploads import FULL, Effort, Heavy, Upload, frame_uploads, unprocessable
from serving.gateway.inference.tf_serving.messages import Images
from serving.gateway.settings import Settings
from serving.gateway.web.instances import Instances, read_instances
from serving.gateway.web.request import LONGEST, SHOWN, Request

JSON, FORM, RAW = "application/json", "multipart/form-data", "application/octet-stream"
ENCODED = ("image/png", "image/jpeg", "image/webp", "image/bmp", "image/gif")
FIELD = "image"
IMAGE_PATHS = ("/predict", "/compare")  # paths whose bodies are images
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


def most_body(path: str, settings: Settings) -> int:
    """Return the most bytes of the body of a request to `path`."""
    return settings.max_body_bytes if path in IMAGE_PATHS else settings.max_other_body_bytes


def too_large(path: str, settings: Settings) -> TooLarge:
    """Return the error for a larger body."""
    name = "GATEWAY_MAX_BODY_BYTES" if path in IMAGE_PATHS else "GATEWAY_MAX_OTHER_BODY_BYTES"
    return TooLarge(f"The body is larger than {most_body(path, settings):,} bytes ({name}).")


def read_body(environ: dict[str, Any], path: str, settings: Settings) -> bytes:
    """Return the whole body of a WSGI request; raise TooLarge for too large a one, BadRequest for one cut short."""
    most = most_body(path, settings)
    announced = get_content_length(environ)
    if announced is None and "wsgi.input_terminated" not in environ:
        return b""
    if announced is not None and announced > most:
        raise too_large(path, settings)
    body: bytes = environ["wsgi.input"].read(most + 1 if announced is None else announced)
    if len(body) > most:
        raise too_large(path, settings)
    if announced is not None and len(body) < announced:
        raise BadRequest(f"The body ended after {len(body):,} of {announced:,} bytes.")
    return body


def read_images(request: Request, image: ImageFormat, settings: Settings, effort: Effort = FULL) -> Images:
    """Return the images of a request as the models take them; raise a GatewayError that names what is wrong.

    Raise Heavy where that takes more than `effort`.
    """
    if request.mimetype != RAW and len(request.body) > effort.body_bytes:
        raise Heavy
    if (encoding := request.headers.get("content-encoding", "")) not in ("", "identity"):
        raise UnsupportedMediaType(f"Content-Encoding {encoding[:SHOWN]!r}: send the body as it is.")
    mimetype, body = request.mimetype, request.body
    if mimetype == JSON:
        pixels = _json(body, image, settings, effort)
    elif mimetype == RAW:
        pixels = _raw(body, image)
    elif mimetype == FORM:
        pixels = _form(request, image, settings, effort)
    elif mimetype in ENCODED:
        [pixels] = frame_uploads([Upload("", body)], image, settings, effort)
    else:
        given = f"Content-Type {mimetype!r}" if mimetype else "A missing Content-Type"
        raise UnsupportedMediaType(f"{given} is not read; send one of {', '.join((JSON, *ENCODED, FORM, RAW))}.")
    count = len(pixels) // image.pixels
    if count > settings.max_instances:
        raise TooLarge(f"There are {count:,} images; at most {settings.max_instances:,} are taken.")
    return Images(pixels, count, image.height, image.width)


def _json(body: bytes, image: ImageFormat, settings: Settings, effort: Effort) -> bytes:
    items = read_instances(body, image, settings.max_instances)
    texts = [(pointer("instances", at, "b64"), item) for at, item in enumerate(items) if isinstance(item, str)]
    if not texts:
        return b"".join(items)  # type: ignore[arg-type]  # none of them is a text
    uploads = [Upload(place, _decoded(place, text)) for place, text in texts]
    framed = iter(frame_uploads(uploads, image, settings, effort))
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


def _form(request: Request, image: ImageFormat, settings: Settings, effort: Effort) -> bytes:
    content_type = request.headers["content-type"]
    if len(content_type) > LONGEST:  # such a boundary takes more than a second to compile
        raise BadRequest(f"The Content-Type has {len(content_type):,} characters; send at most {LONGEST:,}.")
    parser = FormDataParser(stream_factory=_in_memory, max_form_parts=settings.max_instances + 1)
    options = parse_options_header(content_type)[1]
    try:
        _, form, uploaded = parser.parse(BytesIO(request.body), FORM, len(request.body), options)
    except RequestEntityTooLarge as error:
        raise TooLarge(f"The form has more than {settings.max_instances:,} parts.") from error
    files = uploaded.getlist(FIELD)
    if not files:
        found = ", ".join(sorted({*uploaded, *form})) or "none"
        raise unprocessable(pointer(FIELD), f"The form has no file in a field {FIELD!r}; its fields: {found}.")
    if len(files) > settings.max_instances:
        raise TooLarge(f"There are {len(files):,} images; at most {settings.max_instances:,} are taken.")
    uploads = [Upload(pointer(FIELD, at), file.read()) for at, file in enumerate(files)]
    return b"".join(frame_uploads(uploads, image, settings, effort))


def _in_memory(*_: object, **__: object) -> BytesIO:
    """Keep an uploaded file in memory, which the body's limit bounds, so that no disk is needed."""
    return BytesIO()
