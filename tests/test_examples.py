"""Run every example of README and docs against a running service, in a folder of its own."""

import datetime
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import requests
from standardwebhooks.webhooks import Webhook

from testing.api import ADMIN, ADMIN_TOKEN
from testing.examples import form, look_at_commands, look_at_options
from testing.machine import ROOT
from tests.conftest import Serving

pytestmark = pytest.mark.slow
PAGES = [
    *ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("deploy/**/*.md"), *ROOT.glob("clients/*/*.md"),
    ROOT / "models/README.md",
]  # fmt: skip
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.M | re.S)
URL, SECRET = "http://127.0.0.1:8080", "whsec_" + 8 * "abcd"
SCHEMAS = json.loads((ROOT / "docs/openapi.json").read_text())["components"]["schemas"]

REAL = ("curl", "jq", "openssl", "bash")  # programs that examples may run
LOOKED_AT = ("make", ".venv/bin/python")  # which tests of their own run; here their targets and options must exist
ELSEWHERE = {
    "docker": "tests/docker brings containers up",
    "git": "tests run in a clone",
    "gh": "needs GitHub",
    "sha256sum": "needs a release; its workflow checks the digests",
    "kubectl": "tests/deploy renders and checks the manifests; there is no cluster",
    "kind": "there is no cluster",
    "socat": "needs HAProxy's socket; make test-hosts drains hosts by it",
    "python": "pip; tests/client/test_package.py installs the wheel",
}


class Example(NamedTuple):
    """A block of code on a page."""

    page: Path
    language: str
    text: str


EXAMPLES = [Example(page, *found.groups()) for page in sorted(PAGES) for found in BLOCK.finditer(page.read_text())]


def examples(*languages: str, elsewhere: Sequence[str] = ()) -> Any:
    """Run a test on each example in these languages, but for those of pages whose own tests run them."""
    chosen = [each for each in EXAMPLES if each.language in languages and each.page.name not in elsewhere]
    assert chosen
    return pytest.mark.parametrize(
        "example", chosen, ids=[f"{e.page.name}: {e.text.strip().splitlines()[0][:50]}" for e in chosen]
    )


def test_every_language_is_run() -> None:
    assert {example.language for example in EXAMPLES} <= {"sh", "console", "python", "json"}


@pytest.fixture
def service(serving: Serving) -> Iterator[Serving]:
    """The service; experiments that an example started are stopped at its end, or they would answer the next."""
    yield serving
    found = requests.get(f"{serving.url}/experiments", headers=ADMIN, timeout=10).json()["experiments"]
    for name in (each["name"] for each in found if each["status"] == "running"):
        requests.post(f"{serving.url}/experiments/{name}/stop", headers=ADMIN, json={}, timeout=10).raise_for_status()


@pytest.fixture
def sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files that examples read, and the programs that they may run."""
    for name in ("docs", "clients", "deploy"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "bin").mkdir()
    (tmp_path / ".venv/bin").mkdir(parents=True)
    for name in REAL:
        if found := shutil.which(name):
            (tmp_path / "bin" / name).symlink_to(found)
    client = f'PYTHONPATH={ROOT}/clients/python/src exec {sys.executable} -m dropserve.command.main "$@"'
    log = f'printf "%q " "$0" "$@" >> {tmp_path}/log; echo >> {tmp_path}/log'
    log += "; [ ! -p /dev/stdin ] || while read -r; do :; done"  # a pipe into it does not break
    programs = {"dropserve": client, **dict.fromkeys((*LOOKED_AT, *ELSEWHERE), log)}
    programs["git"] = f'{shutil.which("mkdir")} "${{@: -1}}"'  # the folder of a clone
    for name, text in programs.items():
        file = tmp_path / (name if "/" in name else f"bin/{name}")
        file.write_text(f"#!{shutil.which('bash')}\n{text}\n")
        file.chmod(0o755)
    (tmp_path / "log").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def filled(text: str, service: Serving) -> str:
    """Return an example with this service's address, token and a prediction's id."""
    if re.search(r"\bID\b", text):
        image = {"image": (ROOT / "docs/seven.png").read_bytes()}
        answer = requests.post(f"{service.url}/predict", files=image, timeout=60).json()
        text = re.sub(r"\bID\b", answer["predictions"][0]["id"], text)
    return re.sub(r"(?<![$\w])TOKEN\b", ADMIN_TOKEN, text.replace(URL, service.url))


def run(text: str, service: Serving, sandbox: Path) -> str:
    """Run shell code to its end, which must be a good one; return what it printed."""
    for name in REAL:
        if re.search(rf"\b{name}\b", text) and not shutil.which(name):
            pytest.skip(f"{name} is not installed")
    environment = {
        "PATH": str(sandbox / "bin"), "DROPSERVE_URL": service.url, "TOKEN": ADMIN_TOKEN, "HOME": str(sandbox),
        "PYTHONWARNINGS": "error", "LANG": "C.UTF-8", "api": service.url, "HOSTS_SOCKET": "socket",
        "admin": f"Authorization: Bearer {ADMIN_TOKEN}", "json": "Content-Type: application/json",
    }  # fmt: skip
    command = ["bash", "-euo", "pipefail", "-c", text]
    done = subprocess.run(command, cwd=sandbox, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr or done.stdout
    return done.stdout


@examples("sh")
def test_shell_code_runs(example: Example, service: Serving, sandbox: Path) -> None:
    # Pages send pictures of pages, too, some of which show no digit: exit code 4.
    text = filled(example.text, service).replace("> answers.jsonl", "> answers.jsonl || test $? = 4")
    assert '"about:blank"' not in run(text, service, sandbox)
    look_at_commands(sandbox / "log")


@examples("console")
def test_a_console_shows_answers_of_that_form(example: Example, service: Serving, sandbox: Path) -> None:
    for command, shown in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", example.text, re.M):
        printed = run(filled(command, service), service, sandbox)
        if not (sandbox / "log").read_text():
            assert [form(line) for line in printed.splitlines()] == [form(line) for line in shown.splitlines()]
    look_at_commands(sandbox / "log")


@examples("python", elsewhere=("protocols.md",))  # tests/test_protocols.py runs those
def test_python_code_runs(
    example: Example, service: Serving, sandbox: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    now, body = datetime.datetime.now(datetime.UTC), "{}"
    signed = {"webhook-id": "a", "webhook-timestamp": str(int(now.timestamp()))}
    signed["webhook-signature"] = Webhook(SECRET).sign("a", now, body)
    text = filled(example.text, service).replace("whsec_…", SECRET)
    exec(compile(text, example.page, "exec"), {"body": body, "headers": signed})


@examples("json")
def test_json_is_an_answers(example: Example) -> None:
    names = json.loads(example.text).keys()
    assert any(len(schema.get("required", ())) > 2 and names >= set(schema["required"]) for schema in SCHEMAS.values())


def test_options_that_do_not_exist_are_found() -> None:
    look_at_options("x -m serving.gateway.commands.plan --control-error 1", "--control-error 1")
    with pytest.raises(AssertionError, match="has no --flavour"):
        look_at_options("x -m training train --flavour 1", "--flavour 1")
