"""Read the images of a request's body, whichever form it has."""

import binascii
import re
from collections.abc import Callable, Sequence
from io import BytesIO
from typing import Any

from werkzeug.datastructures import FileStorage
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.formparser import FormDataParser
from werkzeug.http import parse_options_header
from werkzeug.wsgi import get_content_length

from serving.gateway.errors import BadRequest, TooLarge, UnsupportedMediaType, pointer
from serving.gateway.imaging import formats
from serving.gateway.imaging.framing import ImageFormat
from serving.gateway.imaging.raster import Place
from serving.gateway.imaging.uploads import FULL, Effort, Framed, Heavy, Upload, frame_uploads, unprocessable
from serving.gateway.inference.tf_serving.messages import Images
from serving.gateway.settings import Settings
from serving.gateway.web.instances import BYTE_ORDER_MARK, Instances, read_instances
from serving.gateway.web.pixels import AS_SENT, Reading, read_octets
from serving.gateway.web.request import LONGEST, SHOWN, Request
from serving.gateway.web.tensors import EncodedText

JSON, FORM, RAW = "application/json", "multipart/form-data", "application/octet-stream"
CURLS = "application/x-www-form-urlencoded"  # the type that curl gives to any body
IMAGE = "image/"
ENCODED = ("image/png", "image/jpeg", "image/webp", "image/bmp", "image/gif")
FIELD = "image"
IMAGE_PATHS = ("/predict", "/compare")  # paths whose bodies are images
INFER = "/v2/models/", "/infer"  # the start and end of others
MOST_NAMED = 10  # fields of a form in an error
HEAD = 64  # bytes in which JSON's first bracket stands
MOST_PART_HEAD = 8192  # bytes of the head of a part of a form, which takes much memory for each line
# As werkzeug reads them: the end of a part's head, and the rest of a delimiter's line, which ends the form after "--".
BLANK_LINE = re.compile(rb"\r\n\r\n|\n\n|\r\r")
REST_OF_DELIMITER = re.compile(rb"(--)|[^\S\n\r]*(?:\r\n|\n|\r)")
URL_SAFE = str.maketrans("-_", "+/")  # to the usual alphabet
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
        RAW: {
            "schema": {
                **BINARY,
                "description": "Pixels, one byte each, row by row, image after image; or one encoded image",
            }
        },
    },
}


def most_body(path: str, settings: Settings) -> int:
    """Return the most bytes of the body of a request to `path`."""
    return settings.max_body_bytes if _has_images(path) else settings.max_other_body_bytes


def too_large(path: str, settings: Settings) -> TooLarge:
    """Return the error for a larger body."""
    name = "GATEWAY_MAX_BODY_BYTES" if _has_images(path) else "GATEWAY_MAX_OTHER_BODY_BYTES"
    return TooLarge(f"The body is larger than {most_body(path, settings):,} bytes ({name}).")


def _has_images(path: str) -> bool:
    return path in IMAGE_PATHS or (path.startswith(INFER[0]) and path.endswith(INFER[1]))


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


def read_images(
    request: Request, image: ImageFormat, settings: Settings, effort: Effort = FULL, reading: Reading = AS_SENT
) -> Images:
    """Return the images of a request as the models take them; raise a GatewayError that names what is wrong.

    Raise Heavy where that takes more than `effort`.
    """
    body = request.body
    form = _form_of(request.mimetype, body, image)
    if form != RAW and len(body) > effort.body_bytes:
        raise Heavy
    check_encoding(request)

    def frame(uploads: Sequence[Upload]) -> list[list[Framed]]:
        return frame_uploads(uploads, image, settings, effort, reading.split)

    places: tuple[Place, ...] = ()
    if form == RAW:
        pixels = read_octets(body, image, reading.scale, settings.max_instances)
        if reading.split:
            places = tuple(Place(at, None) for at in range(len(pixels) // image.pixels))
    else:
        if form == JSON:
            found = _json(body, image, settings, reading, frame)
        else:
            found = frame(_form(request, settings) if form == FORM else [Upload("", body)])
        pixels = b"".join(digit.pixels for digits in found for digit in digits)
        if reading.split:
            places = tuple(Place(at, digit.box) for at, digits in enumerate(found) for digit in digits)
    count = len(pixels) // image.pixels
    if count > settings.max_instances:
        raise TooLarge(f"There are {count:,} images; at most {settings.max_instances:,} are taken.")
    return Images(pixels, count, image.height, image.width, places)


def check_encoding(request: Request) -> None:
    """Raise UnsupportedMediaType for a body that is encoded."""
    if (encoding := request.headers.get("content-encoding", "")) not in ("", "identity"):
        raise UnsupportedMediaType(f"Content-Encoding {encoding[:SHOWN]!r}: send the body as it is.")


def _form_of(mimetype: str, body: bytes, image: ImageFormat) -> str:
    """Return JSON, FORM, RAW or IMAGE; the body decides where its type says little of it."""
    if mimetype in (JSON, FORM):
        return mimetype
    if mimetype.startswith(IMAGE):
        return IMAGE
    if mimetype in (RAW, CURLS, ""):
        if formats.is_known(body):
            return IMAGE
        if mimetype == RAW:
            return RAW
        if body[:HEAD].removeprefix(BYTE_ORDER_MARK).lstrip().startswith((b"{", b"[")):
            return JSON
        if mimetype == "" and body and len(body) % image.pixels == 0:
            return RAW
    given = f"Content-Type {mimetype[:SHOWN]!r}" if mimetype else "A missing Content-Type"
    curl = " With curl, use -F image=@FILE, or -H 'Content-Type: …' beside -d." if mimetype == CURLS else ""
    raise UnsupportedMediaType(f"{given} is not read; send one of {', '.join((JSON, *ENCODED, FORM, RAW))}.{curl}")


def _json(
    body: bytes,
    image: ImageFormat,
    settings: Settings,
    reading: Reading,
    frame: Callable[[Sequence[Upload]], list[list[Framed]]],
) -> list[list[Framed]]:
    items = read_instances(body, image, settings.max_instances, reading)
    texts = [item for item in items if isinstance(item, EncodedText)]
    framed = iter(frame([Upload(place, _decoded(place, text)) for place, text in texts]) if texts else ())
    return [next(framed) if isinstance(item, EncodedText) else [Framed(item, None)] for item in items]


def _decoded(place: str, text: str) -> bytes:
    """Return the bytes of base64, of either alphabet, padded or not, or of a data URL."""
    if text.startswith("data:"):
        text = text.partition(",")[2]
    text = "".join(text.split()).translate(URL_SAFE)
    try:
        return binascii.a2b_base64(text if text.endswith("=") else text + "=" * (-len(text) % 4), strict_mode=True)
    except ValueError as error:
        raise unprocessable(place, f"This is not base64: {error}.") from error


def _form(request: Request, settings: Settings) -> list[Upload]:
    content_type = request.headers["content-type"]
    if len(content_type) > LONGEST:  # such a boundary takes more than a second to compile
        raise BadRequest(f"The Content-Type has {len(content_type):,} characters; send at most {LONGEST:,}.")
    parser = FormDataParser(stream_factory=_in_memory, silent=False, max_form_parts=settings.max_instances + 1)
    options = parse_options_header(content_type)[1]
    try:
        _check_heads(request.body, options.get("boundary", "").encode("ascii"), settings.max_instances)
        _, form, uploaded = parser.parse(BytesIO(request.body), FORM, len(request.body), options)
    except RequestEntityTooLarge as error:
        raise _too_many_parts(settings.max_instances) from error
    except UnicodeError as error:
        raise BadRequest(f"The form cannot be read: its names must be UTF-8, its boundary ASCII: {error}.") from error
    except ValueError as error:
        raise BadRequest(f"The form cannot be read: {error}.") from error
    files = uploaded.getlist(FIELD)
    if not files:
        named = sorted(name[:SHOWN] for name in {*uploaded, *form} if name)  # werkzeug's name may be None
        found = ", ".join(named[:MOST_NAMED]) or "none"
        raise unprocessable(pointer(FIELD), f"The form has no file in a field {FIELD!r}; its fields: {found}.")
    if len(files) > settings.max_instances:
        raise TooLarge(f"There are {len(files):,} images; at most {settings.max_instances:,} are taken.")
    return [Upload(pointer(FIELD, at), _content(file)) for at, file in enumerate(files)]


def _check_heads(body: bytes, boundary: bytes, most: int) -> None:
    """Raise BadRequest for a part whose head is too long, TooLarge for more than `most` parts and one."""
    delimiter = b"--" + boundary
    parts, at = 0, body.find(delimiter)
    while boundary and at >= 0:
        rest = REST_OF_DELIMITER.match(body, at + len(delimiter))
        if rest is None or (parts and body[at - 1 : at] not in (b"\n", b"\r")):  # the first may stand behind any text
            at = body.find(delimiter, at + 1)
            continue
        if rest[1]:
            return
        parts += 1
        if parts > most + 1:
            raise _too_many_parts(most)
        blank = BLANK_LINE.search(body, rest.end(), rest.end() + MOST_PART_HEAD)
        if blank is None:
            raise BadRequest(f"A part of the form has a head of more than {MOST_PART_HEAD:,} bytes, or of no end.")
        # The next one may begin with the second line break.
        at = body.find(delimiter, blank.start() + len(blank[0]) // 2)


def _too_many_parts(most: int) -> TooLarge:
    return TooLarge(f"The form has more than {most:,} parts.")


def _content(file: FileStorage) -> bytes:
    """Return an uploaded file's bytes, without a copy."""
    assert isinstance(file.stream, BytesIO)
    return file.stream.getvalue()


def _in_memory(*_: object, **__: object) -> BytesIO:
    """Keep an uploaded file in memory, which the body's limit bounds, so that no disk is needed."""
    return BytesIO()
