"""Read the images of a request's body, whichever form it has."""

import binascii
from io import BytesIO
from typing import IO, Any

from werkzeug import Request
from werkzeug.wsgi import get_content_length

from serving.gateway.errors import TooLarge, Unprocessable, UnsupportedMediaType, pointer
from serving.gateway.imaging.uploads import Upload, frame_uploads, unprocessable
from serving.gateway.inference.tf_serving.messages import Images
from serving.gateway.manifest import ImageFormat
from serving.gateway.settings import Settings
from serving.gateway.waits import Away
from serving.gateway.web.instances import Instances, read_instances

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


class Body:
    """The body of a request, and what its headers say of it; limits are those of `settings`."""

    def __init__(self, environ: dict[str, Any], settings: Settings) -> None:
        self._environ = environ
        self._settings = settings
        self.length = get_content_length(environ)  # None if it was not announced
        self.mimetype: str = environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower()
        self.encoding: str = environ.get("HTTP_CONTENT_ENCODING", "identity")

    def whole(self) -> bytes:
        """Return it; raise TooLarge."""
        most = self._settings.max_body_bytes
        if self.length is None and "wsgi.input_terminated" not in self._environ:
            return b""
        if self.length is not None and self.length > most:
            raise self._too_large()
        body = self._environ["wsgi.input"].read(most + 1 if self.length is None else self.length)
        if len(body) > most:
            raise self._too_large()
        return body

    def form(self) -> "FormRequest":
        """Return the request, which takes a form apart when it is asked; raises RequestEntityTooLarge then."""
        request = FormRequest(self._environ)
        request.max_content_length = self._settings.max_body_bytes
        request.max_form_parts = self._settings.max_instances + 1
        return request

    def _too_large(self) -> TooLarge:
        return TooLarge(f"The body is larger than {self._settings.max_body_bytes:,} bytes (GATEWAY_MAX_BODY_BYTES).")


class FormRequest(Request):
    """A request whose uploaded files stay in memory, which the body's limit bounds, so that no disk is needed."""

    def _get_file_stream(
        self,
        total_content_length: int | None,
        content_type: str | None,
        filename: str | None = None,
        content_length: int | None = None,
    ) -> IO[bytes]:
        return BytesIO()


def read_images(body: Body, image: ImageFormat, settings: Settings, away: Away) -> Images:
    """Return the images of the body as the models take them; raise a GatewayError that names what is wrong.

    What takes long is done by `away`, so that other requests go on.
    """
    if body.mimetype == RAW or (body.length is not None and body.length <= LIGHT_BYTES):
        return _read(body, image, settings, away)
    return away(_read, body, image, settings, away)


def _read(body: Body, image: ImageFormat, settings: Settings, away: Away) -> Images:
    if body.encoding not in ("", "identity"):
        raise UnsupportedMediaType(f"Content-Encoding {body.encoding!r}: send the body as it is.")
    mimetype = body.mimetype
    if mimetype == JSON:
        pixels = _json(body.whole(), image, settings, away)
    elif mimetype == RAW:
        pixels = _raw(body.whole(), image)
    elif mimetype == FORM:
        pixels = _form(body.form(), image, settings, away)
    elif mimetype in ENCODED:
        [pixels] = frame_uploads([Upload("", body.whole())], image, settings, away)
    else:
        given = f"Content-Type {mimetype!r}" if mimetype else "A missing Content-Type"
        raise UnsupportedMediaType(f"{given} is not read; send one of {', '.join((JSON, *ENCODED, FORM, RAW))}.")
    count = len(pixels) // image.pixels
    if count > settings.max_instances:
        raise TooLarge(f"There are {count:,} images; at most {settings.max_instances:,} are taken.")
    return Images(pixels, count, image.height, image.width)


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


def _form(request: FormRequest, image: ImageFormat, settings: Settings, away: Away) -> bytes:
    files = request.files.getlist(FIELD)
    if not files:
        found = ", ".join(sorted({*request.files, *request.form})) or "none"
        raise unprocessable(pointer(FIELD), f"The form has no file in a field {FIELD!r}; its fields: {found}.")
    if len(files) > settings.max_instances:
        raise TooLarge(f"There are {len(files):,} images; at most {settings.max_instances:,} are taken.")
    uploads = [Upload(pointer(FIELD, at), file.read()) for at, file in enumerate(files)]
    return b"".join(frame_uploads(uploads, image, settings, away))
