"""The content of a body decides where its type says little of it, or something else."""

import base64
import json
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient
from PIL import Image

from serving.gateway.imaging.decode import FORMATS
from testing.api import json_of
from testing.encoded import drawn, encode, framed
from testing.fake_model_server import FakeModelServer

RAW, CURLS, FORM = "application/octet-stream", "application/x-www-form-urlencoded", "multipart/form-data"
DIGIT = drawn(7)
FRAMED = framed(encode(DIGIT)).tobytes()
PNG = encode(DIGIT)
BODY = {"instances": [np.frombuffer(FRAMED, np.uint8).reshape(28, 28).tolist()]}
JSON = json.dumps(BODY).encode()
SCALED = np.frombuffer(FRAMED, np.uint8) / 255
READ = "send a BMP, GIF, JPEG, PNG or WEBP image."


def sent(server: FakeModelServer) -> bytes:
    """Return the pixels of the last request that the model server got."""
    return server.requests[-1].inputs["images"].tensor_content


def padded(file: bytes) -> bytes:
    """Return a file with bytes behind its image, as many bytes as two images have pixels or more."""
    return file + bytes(-len(file) % 784)


@pytest.mark.parametrize("file", [PNG, padded(PNG)], ids=["PNG", "PNG of n·784 bytes"])
@pytest.mark.parametrize(
    "content_type", [RAW, "", CURLS, "image/jpg", "image/x-png", "image/pjpeg", "image/heic", "image/*"]
)
def test_an_encoded_image_is_decoded_whatever_its_type(
    client: FlaskClient, fake_server: FakeModelServer, content_type: str, file: bytes
) -> None:
    answer = client.post("/predict", data=file, content_type=content_type)
    assert answer.status_code == 200, answer.text
    assert sent(fake_server) == FRAMED


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_is_decoded_from_octets(client: FlaskClient, fake_server: FakeModelServer, format: str) -> None:
    options = {"lossless": True} if format == "WEBP" else {}
    assert client.post("/predict", data=encode(DIGIT, format, **options), content_type=RAW).status_code == 200
    pixels = np.frombuffer(sent(fake_server), np.uint8)
    assert np.corrcoef(pixels, np.frombuffer(FRAMED, np.uint8))[0, 1] > 0.95


@pytest.mark.parametrize("content_type", [RAW, ""])
def test_pixels_stay_pixels(client: FlaskClient, fake_server: FakeModelServer, content_type: str) -> None:
    assert client.post("/predict", data=FRAMED * 3, content_type=content_type).status_code == 200
    assert sent(fake_server) == FRAMED * 3


@pytest.mark.parametrize("content_type", [CURLS, ""])
@pytest.mark.parametrize("before", [b"", b"\xef\xbb\xbf", b"\n  "])
def test_json_is_read_as_curl_sends_it(
    client: FlaskClient, fake_server: FakeModelServer, content_type: str, before: bytes
) -> None:
    answer = client.post("/predict", data=before + JSON, content_type=content_type)
    assert answer.status_code == 200, answer.text
    assert sent(fake_server) == FRAMED


def test_a_form_from_curl_is_told_the_remedy(client: FlaskClient) -> None:
    answer = client.post("/predict", data="image=@seven.png", content_type=CURLS)
    assert answer.status_code == 415
    assert json_of(answer)["detail"].endswith("With curl, use -F image=@FILE, or -H 'Content-Type: …' beside -d.")


@pytest.mark.parametrize("path", ["/predict", "/compare"])
@pytest.mark.parametrize("content_type", ["image/tiff", "image/png", RAW, "", CURLS])
@pytest.mark.parametrize("file", [encode(DIGIT, "TIFF"), padded(encode(Image.new("L", (28, 28)), "TIFF"))])
def test_a_format_that_is_not_read_is_named(client: FlaskClient, path: str, content_type: str, file: bytes) -> None:
    answer = client.post(path, data=file, content_type=content_type)
    assert answer.status_code == 415
    assert json_of(answer)["detail"] == f"This is a file of format TIFF, which is not read; {READ}"


def test_a_format_that_is_not_read_is_named_with_its_place(client: FlaskClient) -> None:
    heic = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"
    files = [(BytesIO(PNG), "a.png", "text/plain"), (BytesIO(heic), "b.png", "image/png")]
    answers = {
        "/image/1": client.post("/predict", data={"image": files}),
        "/instances/0/b64": client.post("/predict", json={"instances": [{"b64": base64.b64encode(heic).decode()}]}),
    }
    for place, answer in answers.items():
        assert answer.status_code == 415
        assert json_of(answer)["errors"][0] == {
            "pointer": place,
            "detail": f"This is a file of format HEIC, which is not read; {READ}",
        }


def in_forms(file: bytes) -> dict[str, str]:
    """Return the texts in which base64 is met."""
    plain = base64.b64encode(file).decode()
    return {
        "padded": plain,
        "unpadded": plain.rstrip("="),
        "URL-safe": base64.urlsafe_b64encode(file).decode(),
        "URL-safe and unpadded": base64.urlsafe_b64encode(file).decode().rstrip("="),
        "in lines": base64.encodebytes(file).decode(),
        "data URL": f"data:image/png;base64,{plain}",
    }


@pytest.mark.parametrize("form", in_forms(b""))
@pytest.mark.parametrize("more", [0, 1, 2])
def test_every_form_of_base64_is_read(client: FlaskClient, fake_server: FakeModelServer, form: str, more: int) -> None:
    file = PNG + b"\xfb\xff\xbf"[: (more - len(PNG)) % 3] + b"\xff\xfb\xef" * 2
    answer = client.post("/predict", json={"instances": [{"b64": in_forms(file)[form]}]})
    assert answer.status_code == 200, answer.text
    assert sent(fake_server) == FRAMED


@pytest.mark.parametrize("text", ["A", "=", "A===", "AA=A", "AÄ==", "AA*="])
def test_what_is_no_base64_is_refused(client: FlaskClient, text: str) -> None:
    answer = client.post("/predict", json={"instances": [{"b64": text}]})
    assert answer.status_code == 422
    assert json_of(answer)["detail"].startswith("/instances/0/b64: This is not base64: ")


@pytest.mark.parametrize("path", ["/predict", "/compare"])
@pytest.mark.parametrize(
    "body",
    [
        {"data": SCALED.astype("<f4").tobytes(), "content_type": RAW},
        {"data": SCALED.tobytes(), "content_type": RAW},
        {"data": SCALED.astype("<f4").tobytes(), "content_type": ""},
        {"json": {"instances": [SCALED.reshape(28, 28).tolist()]}},
        {"json": {"inputs": {"images": [SCALED.tolist()]}}},
    ],
    ids=["float32", "float64", "no type", "rows", "column"],
)
def test_pixels_of_0_to_1_need_their_scale(
    client: FlaskClient, fake_server: FakeModelServer, path: str, body: dict[str, Any]
) -> None:
    refused = client.post(path, **body)
    assert refused.status_code == 422
    assert "0…1. Send" in json_of(refused)["detail"]
    assert "?scale=1" in json_of(refused)["detail"]
    assert client.post(f"{path}?scale=1", **body).status_code == 200
    assert sent(fake_server) == FRAMED


def test_the_scale_says_nothing_of_encoded_images(client: FlaskClient, fake_server: FakeModelServer) -> None:
    assert client.post("/predict?scale=1", data=PNG, content_type="image/png").status_code == 200
    assert sent(fake_server) == FRAMED


def test_another_scale_is_refused(client: FlaskClient) -> None:
    answer = client.post("/predict?scale=2", json=BODY)
    assert answer.status_code == 422
    assert json_of(answer)["detail"] == "/query/scale: Input should be '1' or '255'."


def test_the_signature_of_uncertainty_may_be_named(client: FlaskClient) -> None:
    body = {**BODY, "signature_name": "mc_dropout"}
    assert client.post("/predict?variant=dropout&uncertainty=true", json=body).status_code == 200
    assert client.post("/predict?variant=dropout", json=body).status_code == 422
    assert client.post("/compare", json=body).status_code == 422
