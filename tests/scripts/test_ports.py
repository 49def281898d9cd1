"""A port that was free when it was chosen may be taken when it is used: the start chooses again."""

import socket
from pathlib import Path

from tests.scripts.bash import linked, ran
from tests.support.docker import free_port

SAID = "Error response from daemon: driver failed: Bind for 127.0.0.1:1 failed: port is already allocated"


def test_row_9_a_port_that_was_taken_meanwhile_is_chosen_anew(tmp_path: Path) -> None:
    checkout = linked(tmp_path / "checkout")
    with socket.socket() as other:
        port = free_port()
        other.bind(("127.0.0.1", port))
        other.listen()
        script = f"""
make_kit_dir
engine_answers=yes
chosen_ports="bossman:{port} firestore:{free_port()}"
save_ports
echo '{SAID}' >"$start_log"
lost_a_port
choose_ports_again
host_port bossman
"""
        code, output = ran(script, checkout)
    assert code == 0, output
    assert "a port was taken meanwhile: trying with" in output
    chosen = int(output.splitlines()[-1])
    assert port < chosen < port + 200


def test_row_9_another_failure_is_not_taken_for_it(tmp_path: Path) -> None:
    checkout = linked(tmp_path / "checkout")
    assert ran('make_kit_dir; echo "no such image" >"$start_log"; ! lost_a_port', checkout) == (0, "")
