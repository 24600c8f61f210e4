"""Read the images of a request's body, whichever form it has."""

import binascii
from io import BytesIO
from typing import Any

from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.formparser import FormDataParser
from werkzeug.http import parse_options_header
from werkzeug.wsgi import get_content_length

from serving.gateway.errors import BadRequest, TooLarge, Unprocessable, UnsupportedMediaType, pointer
from serving.gateway.imaging.uploads import Heavy, Upload, frame_uploads, unprocessable
from serving.gateway.inference.tf_serving.messages import Images
from serving.gateway.manifest import ImageFormat
from serving.gateway.settings import Settings
from serving.gateway.web.instances import Instances, read_instances
from serving.gateway.web.request import Request

JSON, FORM, RAW = "application/json", "multipart/form-data", "application/octet-stream"
ENCODED = ("image/png", "image/jpeg", "image/webp", "image/bmp", "image/gif")
FIELD = "image"
LIGHT_BYTES = 32_768  # of a body: a longer one takes milliseconds to read
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


def read_body(environ: dict[str, Any], most: int) -> bytes:
    """Return the whole body of a WSGI request; raise TooLarge above `most` bytes, BadRequest for one cut short."""
    announced = get_content_length(environ)
    if announced is None and "wsgi.input_terminated" not in environ:
        return b""
    if announced is not None and announced > most:
        raise too_large(most)
    body: bytes = environ["wsgi.input"].read(most + 1 if announced is None else announced)
    if len(body) > most:
        raise too_large(most)
    if announced is not None and len(body) < announced:
        raise BadRequest(f"The body ended after {len(body):,} of {announced:,} bytes.")
    return body


def too_large(most: int) -> TooLarge:
    """Return the error for a body of more than `most` bytes."""
    return TooLarge(f"The body is larger than {most:,} bytes (GATEWAY_MAX_BODY_BYTES).")


def read_images(request: Request, image: ImageFormat, settings: Settings, *, light: bool = False) -> Images:
    """Return the images of a request as the models take them; raise a GatewayError that names what is wrong.

    Raise Heavy for a `light` request that takes milliseconds to read, which others should not wait for.
    """
    if light and request.mimetype != RAW and len(request.body) > LIGHT_BYTES:
        raise Heavy
    if (encoding := request.headers.get("content-encoding", "")) not in ("", "identity"):
        raise UnsupportedMediaType(f"Content-Encoding {encoding!r}: send the body as it is.")
    mimetype, body = request.mimetype, request.body
    if mimetype == JSON:
        pixels = _json(body, image, settings, light)
    elif mimetype == RAW:
        pixels = _raw(body, image)
    elif mimetype == FORM:
        pixels = _form(request, image, settings, light)
    elif mimetype in ENCODED:
        [pixels] = frame_uploads([Upload("", body)], image, settings, light=light)
    else:
        given = f"Content-Type {mimetype!r}" if mimetype else "A missing Content-Type"
        raise UnsupportedMediaType(f"{given} is not read; send one of {', '.join((JSON, *ENCODED, FORM, RAW))}.")
    count = len(pixels) // image.pixels
    if count > settings.max_instances:
        raise TooLarge(f"There are {count:,} images; at most {settings.max_instances:,} are taken.")
    return Images(pixels, count, image.height, image.width)


def _json(body: bytes, image: ImageFormat, settings: Settings, light: bool) -> bytes:
    items = read_instances(body, image, settings.max_instances)
    texts = [(pointer("instances", at, "b64"), item) for at, item in enumerate(items) if isinstance(item, str)]
    if not texts:
        return b"".join(items)  # type: ignore[arg-type]  # none of them is a text
    uploads = [Upload(place, _decoded(place, text)) for place, text in texts]
    framed = iter(frame_uploads(uploads, image, settings, light=light))
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


def _form(request: Request, image: ImageFormat, settings: Settings, light: bool) -> bytes:
    parser = FormDataParser(stream_factory=_in_memory, max_form_parts=settings.max_instances + 1)
    options = parse_options_header(request.headers.get("content-type"))[1]
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
    return b"".join(frame_uploads(uploads, image, settings, light=light))


def _in_memory(*_: object, **__: object) -> BytesIO:
    """Keep an uploaded file in memory, which the body's limit bounds, so that no disk is needed."""
    return BytesIO()
