"""A server gets its usual port where nobody has it, and never one that is taken or promised."""

from __future__ import annotations

import socket
from contextlib import closing

from deploy.local.ports import FREE_RANGE, LOOPBACK, choose, is_free


def free_port() -> int:
    """Give a port that is free now."""
    with closing(socket.create_server((LOOPBACK, 0))) as server:
        return int(server.getsockname()[1])


def test_the_usual_port_is_taken_where_it_is_free() -> None:
    usual = free_port()
    assert choose(usual) == usual


def test_a_port_that_somebody_listens_on_is_left_to_them() -> None:
    with closing(socket.create_server((LOOPBACK, 0))) as server:
        taken = server.getsockname()[1]
        assert not is_free(taken)
        assert choose(taken) in FREE_RANGE


def test_a_port_that_was_promised_to_another_server_is_not_given_again() -> None:
    usual = free_port()
    assert choose(usual, taken={usual}) != usual


def test_throwaway_servers_stay_out_of_the_range_of_outgoing_connections() -> None:
    assert choose(None) in FREE_RANGE
