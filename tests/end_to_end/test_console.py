"""`dtmf-server run` with a console: two listeners in one process, which both stop with it."""

import re
import socket
from pathlib import Path

from dtmf_server.runtime.clock import wall_us
from dtmf_server.storage.open import open_database
from support.console import SIGN_IN, make_link
from support.server_process import Service
from support.visitor import Visitor


def test_run_serves_the_console_on_its_own_listener(tmp_path: Path) -> None:
    with Service(tmp_path, DTMF_OPERATOR__LISTEN="127.0.0.1:0") as service:
        service.wait_ready()
        found = re.search(r"Console +(http://127\.0\.0\.1:[0-9]+)/operator", "\n".join(service.out))
        assert found, service.out
        db = open_database(f"sqlite:///{tmp_path / 'dtmf.db'}")
        path = make_link(db, key="k", wall_us=wall_us())
        db.close()
        with Visitor(found[1]) as operator, Visitor(service.url) as renter:
            page = operator.do(path, SIGN_IN)
            assert (page.path, page.status) == ("/operator", 200) and "Signed in as ada" in page.text
            assert renter.open("/operator").status == 404 and renter.open("/sign-in").status == 200
        assert service.stop() == 0


def test_run_refuses_an_address_that_is_in_use(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        with Service(tmp_path, DTMF_OPERATOR__LISTEN=listen) as service:
            assert service.wait(60) == 2
            assert "choose another with listen of [operator]" in "\n".join(service.err), service.err
