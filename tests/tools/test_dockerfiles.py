"""Facts about real Dockerfiles."""

from __future__ import annotations

from tools.dockerfiles import FACTS, facts


def test_each_different_file_becomes_a_line_without_its_text(tmp_path):
    for name, text in {
        "a_1/Dockerfile": "ARG V=1\nFROM base:$V AS one\nRUN make secret-word\nFROM one\nCOPY a b\n",
        "a_1/again.Dockerfile": "ARG V=1\nFROM base:$V AS one\nRUN make secret-word\nFROM one\nCOPY a b\n",
        "b_2/Containerfile": "FROM x\nMAINTAINER me\nWRONG\n",
        "b_2/dockerfile.arg": "FROM $NAME\n",
        "b_2/Dockerfile.tmpl": "@include\n",
        "b_2/other": "FROM x\n",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    first, second, third = [row.split("\t") for row in facts(tmp_path)]
    assert (first[0], first[2:4], first[5:]) == ("a_1/Dockerfile", ["2", "5"], ["-", "4"])
    assert (second[0], second[2:]) == ("b_2/Containerfile", ["refused", "3: unknown instruction: WRONG"])
    assert third[-1] == "1: base name ($NAME) should not be blank"
    assert "secret-word" not in "".join(first)
    # Only what was read counts, not where it stood.
    (tmp_path / "a_1/Dockerfile").write_text(
        "\nARG V=1\nFROM base:$V AS one\nRUN make secret-word\nFROM one\nCOPY a b\n"
    )
    (tmp_path / "a_1/again.Dockerfile").unlink()
    [again, *_] = facts(tmp_path)
    assert again.split("\t")[4] == first[4]


def test_the_facts_are_of_more_than_300_files():
    rows = [row.split("\t") for row in FACTS.read_text().splitlines()]
    assert len({row[1] for row in rows}) == len(rows) > 300
    assert all(len(row) == (4 if row[2] == "refused" else 7) for row in rows)
