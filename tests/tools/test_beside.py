"""How the tool that compares with Docker Compose sees outputs."""

from __future__ import annotations

from tools.beside import difference


def test_outputs_differ_by_their_words_and_not_by_ids_times_or_order():
    docker = " Container s-web-1  Started\n Container s-db-1  Started\nweb 0123456789ab   3 seconds ago\n"
    own = "web ba9876543210 Less than a second ago\n Container s-db-1 Started\n Container s-web-1 Started\n"
    assert difference(docker, own) == ""
    assert difference(docker, own.replace("db-1 Started", "db-1 Running")) == (
        "    - Container s-db-1 Started\n    + Container s-db-1 Running\n"
    )
