"""Requests on plain sockets."""

import socket

from testing.running_gateway import Gateway

HEAD = "POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/octet-stream\r\n"


def connect(gateway: Gateway) -> socket.socket:
    return socket.create_connection(("127.0.0.1", gateway.port), timeout=20)


def connections(gateway: Gateway) -> list[int]:
    """Return the number of connections to its port that each of the gateway's workers has."""
    return [
        sum(each.laddr.port == gateway.port and each.status == "ESTABLISHED" for each in worker.net_connections())
        for worker in gateway.workers()
    ]
