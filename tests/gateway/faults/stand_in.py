"""A made-up model server in a process of its own, which can be killed, stopped, and made slow by SIGUSR1.

    python -m tests.gateway.faults.stand_in ADDRESS

Prints a line when it answers.
"""

import itertools
import signal
import sys
import time

from testing.fake_model_server import FakeModelServer

USUAL, SLOW = 0.005, 0.05  # seconds that an answer takes


def main() -> None:
    """Answer until killed."""
    waits = itertools.cycle((SLOW, USUAL))
    server = FakeModelServer(sys.argv[1])
    server.fault = lambda context: time.sleep(USUAL)

    def change(*_: object) -> None:
        wait = next(waits)
        server.fault = lambda context: time.sleep(wait)

    signal.signal(signal.SIGUSR1, change)
    print("ready", flush=True)
    while True:
        signal.pause()


if __name__ == "__main__":
    main()
