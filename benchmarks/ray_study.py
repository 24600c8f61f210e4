"""Train the quick study on Ray clusters of this machine, and check that its bytes are those of one machine.

    python -m benchmarks.ray_study [--arms A,B] [--seeds N] [--epochs N]

Runs in an environment of requirements/ray.txt (`make test-ray`). A node is a set of Ray's processes on one core of its
own: first one node trains all, then two do, then one of two is killed when half of the members are done.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ray.cluster_utils import Cluster
from ray.util.state import list_tasks

LONGEST_SECONDS = 3600
MOST_SHARE = 0.56  # of the time of one node, that two may take
MOST_AGAIN = 2  # runs of members: the one in training on the killed node, and one whose result is not fetched yet
MEMORY_BYTES = 300_000_000  # of a node's object store
TABLES = ("results.csv", "curves.csv")


def main() -> int:
    """Run the studies, print their figures, and return 1 where a goal is missed."""
    parser = argparse.ArgumentParser(description="Train a study on Ray clusters of one and two nodes.")
    parser.add_argument("--arms", default="plain,dropout", help="(default: %(default)s)")
    parser.add_argument("--seeds", type=int, default=60, help="(default: %(default)s)")
    parser.add_argument("--epochs", type=int, default=4, help="(default: %(default)s)")
    parser.add_argument("--data", type=Path, default=Path("data"))
    chosen = parser.parse_args()
    study = [f"--arms={chosen.arms}", f"--seeds={chosen.seeds}", f"--epochs={chosen.epochs}", f"--data={chosen.data}"]
    members = len(chosen.arms.split(",")) * chosen.seeds
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the clusters end, too
    with tempfile.TemporaryDirectory(prefix="ray-") as top:
        whole = Path(top) / "here"
        _finish(_start(whole, study))
        seconds = {}
        for nodes in (1, 2):
            with _cluster(nodes) as cluster:
                folder = Path(top) / f"{nodes}-nodes"
                _finish(
                    _start(Path(top) / f"warm-{nodes}", [*study, "--seeds=1"], cluster.address)
                )  # starts the workers
                began = time.perf_counter()
                _finish(_start(folder, study, cluster.address))
                seconds[nodes] = time.perf_counter() - began
                _same(whole, folder)
        share = seconds[2] / seconds[1]
        print(
            f"one node {seconds[1]:.1f} s, two nodes {seconds[2]:.1f} s: {share:.2f} of the time; same bytes",
            flush=True,
        )
        with _cluster(2, dashboard=True) as cluster:
            folder = Path(top) / "killed"
            process = _start(folder, study, cluster.address)
            _until_finished(process, folder, members // 2)
            cluster.remove_node(cluster.list_all_nodes()[-1], allow_graceful=False)
            _finish(process)
            _same(whole, folder)
            again = _run_again(cluster, members)
        print(
            f"a node killed when {members // 2} of {members} members were done: same bytes, {again} members run again"
        )
    if share > MOST_SHARE:
        print(f"Two nodes took {share:.2f} of the time of one; the goal is {MOST_SHARE}.")
    if again > MOST_AGAIN:
        print(f"{again} members were run again; the killed node had {MOST_AGAIN} at most.")
    return int(share > MOST_SHARE or again > MOST_AGAIN)


@contextmanager
def _cluster(nodes: int, dashboard: bool = False) -> Iterator[Cluster]:
    """Run a head that trains nothing, and nodes of one core each; the dashboard tells of tasks, and takes time."""
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0"}  # as a study without Ray
    cores = sorted(os.sched_getaffinity(0))
    head = {"num_cpus": 0, "object_store_memory": MEMORY_BYTES, "include_dashboard": dashboard}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    try:
        for number in range(nodes):
            os.sched_setaffinity(0, {cores[number % len(cores)]})
            cluster.add_node(num_cpus=1, object_store_memory=MEMORY_BYTES)
            os.sched_setaffinity(0, cores)
        cluster.wait_for_nodes()
        yield cluster
    finally:
        os.sched_setaffinity(0, cores)
        cluster.shutdown()


def _start(folder: Path, study: list[str], address: str | None = None) -> subprocess.Popen[bytes]:
    timings = folder / "regularisers" / "timings.json"
    timings.parent.mkdir(parents=True)
    timings.write_text("null")  # nothing is to be timed
    command = [sys.executable, "-m", "training", "study", f"--folder={folder}", *study]
    return subprocess.Popen([*command, *([f"--ray={address}"] if address else [])], stdout=subprocess.DEVNULL)


def _finish(process: subprocess.Popen[bytes]) -> None:
    try:
        if process.wait(LONGEST_SECONDS):
            sys.exit(f"The study ended with exit code {process.returncode}.")
    except BaseException:
        process.send_signal(signal.SIGINT)
        raise


def _until_finished(process: subprocess.Popen[bytes], folder: Path, members: int) -> None:
    while len(list((folder / "regularisers" / "members").glob("*.npz"))) < members:
        if process.poll() is not None:
            sys.exit(f"The study ended with exit code {process.returncode}.")
        time.sleep(0.05)


def _run_again(cluster: Cluster, members: int) -> int:
    """Return how many runs of members there were beyond the first of each."""
    runs = list_tasks(address=cluster.address, filters=[("name", "=", "member")], limit=10 * members)
    if len({run.task_id for run in runs}) != members:
        sys.exit(f"Ray tells of {len(runs)} runs of {members} members, not of each.")
    return sum(run.attempt_number > 0 for run in runs)


def _same(whole: Path, other: Path) -> None:
    for name in TABLES:
        if (whole / "regularisers" / name).read_bytes() != (other / "regularisers" / name).read_bytes():
            sys.exit(f"{name} differs from that of a study on one machine.")


if __name__ == "__main__":
    assert shutil.which("ray", path=str(Path(sys.executable).parent)), "Run it by `make test-ray`."
    sys.exit(main())
