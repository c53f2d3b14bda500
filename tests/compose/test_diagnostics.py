"""What the user reads for each kind of mistake: golden texts."""

from __future__ import annotations

import pytest

from orchestra.cli.render.diagnostics import render_diagnostics
from orchestra.errors import Diagnostic, Span

WEB = "services:\n  web:\n    image: rootfs:/\n"

GOLDEN = {
    "unknown key": (
        WEB + "    imagge: x\n",
        """\
error: compose.yaml:4:5: unknown key imagge in services.web [unknown-key]
  4 |     imagge: x
    |     ^^^^^^
  hint: did you mean image?
""",
    ),
    "quotes that are never closed": (
        WEB + '    command: "sleep\n\n',
        """\
error: compose.yaml:4:14: this quote is never closed [yaml]
  4 |     command: "sleep
    |              ^
  hint: end the value with another "
""",
    ),
    "wrong type": (
        WEB + "    ports: 80\n",
        """\
error: compose.yaml:4:12: services.web.ports must be a list, not the number 80 [wrong-type]
  4 |     ports: 80
    |            ^^
""",
    ),
    "string wanted": (
        WEB + "    user: 1000\n",
        """\
error: compose.yaml:4:11: services.web.user must be a string, not the number 1000 [wrong-type]
  4 |     user: 1000
    |           ^^^^
  hint: quote it: "1000"
""",
    ),
    "a command that YAML reads as a boolean": (
        WEB + "    command: true\n",
        """\
error: compose.yaml:4:14: services.web.command must be a string or a list, not the boolean true [wrong-type]
  4 |     command: true
    |              ^^^^
  hint: quote it: command: "true"
""",
    ),
    "no space after a colon": (
        "services:\n  web:\n    image:nginx\n",
        """\
error: compose.yaml:3:5: services.web must be a mapping, not the string 'image:nginx' [wrong-type]
  3 |     image:nginx
    |     ^^^^^^^^^^^
  hint: a space is missing after the colon: image: nginx
""",
    ),
    "version 1 of the format": (
        "web:\n  image: nginx\n",
        """\
error: compose.yaml:1:1: unknown key web in the file [unknown-key]
  1 | web:
    | ^^^
  hint: nest web under services: (Compose files of version 1 had services at the top level)
""",
    ),
    "cycle": (
        WEB + "    depends_on: [db]\n  db:\n    image: x\n    links: [web]\n",
        """\
error: compose.yaml:4:18: services depend on each other: web -> db -> web [cycle]
  4 |     depends_on: [db]
    |                  ^^
  hint: one of them must be able to start before the others
""",
    ),
    "undefined network": (
        WEB + "    networks: [fornt]\nnetworks: {front: }\n",
        """\
error: compose.yaml:4:16: service web refers to the undefined network fornt [undefined]
  4 |     networks: [fornt]
    |                ^^^^^
  hint: did you mean front?
""",
    ),
    "required variable": (
        WEB + '    user: "u${WHO:?name somebody}"\n',
        """\
error: compose.yaml:4:13: required variable WHO is missing a value: name somebody [missing-variable]
  4 |     user: "u${WHO:?name somebody}"
    |             ^^^^^^^^^^^^^^^^^^^^^
  hint: set WHO in the environment or in the .env file
""",
    ),
    "nothing to run": (
        "services:\n  web: {command: x}\n",
        """\
error: compose.yaml:2:3: service "web" has neither an image nor a build context specified [missing-key]
  2 |   web: {command: x}
    |   ^^^
  hint: set image:
""",
    ),
    "bad port": (
        WEB + "    ports:\n      - '80:http'\n",
        """\
error: compose.yaml:5:9: '80:http': 'http' is not a port or a port range [invalid-port]
  5 |       - '80:http'
    |         ^^^^^^^^^
  hint: write [[ADDRESS:]HOST:]CONTAINER[/PROTOCOL], such as 8080:80
""",
    ),
    "waiting for health that never comes": (
        WEB + "    depends_on: {db: {condition: service_healthy}}\n  db: {image: 'rootfs:/'}\n",
        """\
error: compose.yaml:4:18: service web waits for db to be healthy, but db has no healthcheck [no-healthcheck]
  4 |     depends_on: {db: {condition: service_healthy}}
    |                  ^^
  hint: give db a healthcheck, or wait for service_started
""",
    ),
    "one name for two": (
        WEB + "    container_name: one\n    scale: 2\n",
        """\
error: compose.yaml:4:21: 2 containers of web cannot all be named one [conflict]
  4 |     container_name: one
    |                     ^^^
  hint: remove container_name
""",
    ),
    "missing env file": (
        WEB + "    env_file: [a.env]\n",
        """\
error: compose.yaml:4:16: env file: DIRECTORY/a.env does not exist [file-not-found]
  4 |     env_file: [a.env]
    |                ^^^^^
  hint: create it, or write required: false
""",
    ),
    "tabs": (
        "services:\n\tweb:\n",
        """\
error: compose.yaml:2:1: this line is indented with a tab [yaml]
  2 |  web:
    | ^
  hint: indent with spaces: YAML does not allow tabs
""",
    ),
    "no mapping": (
        "- web\n",
        """\
error: compose.yaml:1:1: a Compose file must be a mapping at its top level [wrong-type]
  1 | - web
    | ^^^^^
""",
    ),
    "empty file": (
        "# nothing yet\n",
        """\
error: compose.yaml:1:1: the Compose file is empty [empty-file]
  1 | # nothing yet
    | ^
  hint: declare services:
""",
    ),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_a_mistake_is_explained_at_its_place(folder, name):
    text, golden = GOLDEN[name]
    assert folder.refused(text).replace(str(folder.path), "DIRECTORY") == golden


def test_all_mistakes_are_reported_at_once_in_the_order_of_the_text(folder):
    text = WEB + "    mem_limit: 5x\n    imagge: x\n    volumes: ['aa:/b:ro:z']\n    environment: {A: '${'}\n"
    lines = [line for line in folder.refused(text).splitlines() if line.startswith("error: ")]
    assert [line.split(":")[2] for line in lines] == ["4", "5", "6", "7"]
    assert [line.rpartition("[")[2] for line in lines] == [
        "invalid-value]",
        "unknown-key]",
        "invalid-volume]",
        "interpolation]",
    ]


def test_an_env_file_is_wrong_at_a_place_of_its_own(folder):
    folder.write(".env", "A=1\nB='open\n")
    assert folder.refused(WEB).splitlines()[0] == "error: .env:2:3: the quote ' is never closed [env-file]"


def test_a_mistake_in_an_alias_is_reported_once(folder):
    text = "x-base: &base {image: a, restart: sometimes}\nservices:\n  one: *base\n  two: *base\n"
    assert folder.refused(text).count("not a restart policy") <= 2


def test_colour_is_only_paint():
    diagnostic = Diagnostic("code", "wrong", Span("f", 1, 2, 1, 4), hint="mend it", source_line="abcd")
    painted = render_diagnostics([diagnostic], color=True)
    plain = render_diagnostics([diagnostic], color=False)
    assert "\033[" in painted
    for code in ("\033[0m", "\033[1m", "\033[31m", "\033[36m"):
        painted = painted.replace(code, "")
    assert painted == plain == "error: f:1:2: wrong [code]\n  1 | abcd\n    |  ^^\n  hint: mend it\n"


def test_a_problem_without_a_place_is_one_line():
    assert render_diagnostics([Diagnostic("code", "wrong")], color=False) == "error: wrong [code]\n"
