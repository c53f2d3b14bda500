"""Files made to hurt: each ends in a clear answer, soon, and with little memory."""

from __future__ import annotations

import time
import tracemalloc

import pytest

from orchestra.cli.render.diagnostics import render_diagnostics
from orchestra.compose import LoadRequest, load
from orchestra.compose.problems import Problems
from orchestra.compose.source import Budget, Source, parse_documents
from orchestra.errors import ComposeError

# Of the processor. Generous: what this is to catch takes minutes, or forever, where a usual file takes 1 s.
SECONDS = 5.0
MEBIBYTES = 150


def lines(count, line):
    return "\n".join(line(number) for number in range(count))


def many(count, item):
    return ", ".join(item(number) for number in range(count))


HOSTILE = {
    "an alias bomb": (
        "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
        + lines(30, lambda i: f"a{i + 1}: &a{i + 1} [{many(10, lambda _: f'*a{i}')}]"),
        "aliases expand to more than 100000 values [yaml]",
    ),
    "a bomb of merge keys": (
        f"x-0: &a {{{many(1000, lambda i: f'k{i}: v')}}}\n" + lines(2000, lambda i: f"x-{i + 1}: {{<<: *a}}"),
        "aliases expand to more than 100000 values [yaml]",
    ),
    "a ladder of aliases": (
        "x-0: &a0 [x]\n" + lines(500, lambda i: f"x-{i + 1}: &a{i + 1} [*a{i}]"),
        "aliases nest this deeper than 100 levels [yaml]",
    ),
    "an anchor around itself": ("services: &a {web: *a}", "an anchor contains an alias to itself [yaml]"),
    "an anchor merged into itself": ("services: &a {<<: *a}", "an anchor contains an alias to itself [yaml]"),
    "deep brackets": ("x: " + "[" * 20_000, "nested deeper than 100 levels [yaml]"),
    "deep indentation": (lines(300, lambda i: " " * i + "a:"), "nested deeper than 100 levels [yaml]"),
    "deep variables": (
        f"services: {{a: {{image: '{'${A:-' * 5000}x{'}' * 5000}'}}}}",
        "variables are nested too deeply [interpolation]",
    ),
    "variables that are never closed": (
        f"services: {{a: {{image: '{'${' * 50_000}'}}}}",
        "is not a valid variable reference [interpolation]",
    ),
    "a number with too many digits": (
        f"services: {{a: {{image: x, scale: {'9' * 50_000}}}}}",
        "services.a.scale must be a whole number, not the string '9999",
    ),
    "a duration with too many digits": (
        f"services: {{a: {{image: x, stop_grace_period: {'9' * 50_000}s}}}}",
        "is not a duration",
    ),
    "more containers than anybody has": (
        "services: {a: {image: x, scale: 999999999}}",
        "999999999 is not a valid number of containers: it must be from 0 to 10000 [invalid-value]",
    ),
    "more containers together": (
        f"services: {{{many(10, lambda i: f's{i}: {{image: x, scale: 9999}}')}}}",
        "the stack has 99990 containers; the maximum is 50000 [invalid-value]",
    ),
    "no number at all": ("services: {a: {image: x, cpus: .nan}}", "services.a.cpus must be a number [wrong-type]"),
    "thousands of unknown keys": (
        f"services: {{a: {{{many(5000, lambda i: f'zz{i}: 1')}}}}}",
        "unknown key zz0 in services.a [unknown-key]",
    ),
    "a service that all others copy": (
        f"services:\n  b: {{image: x, labels: {{{many(2000, lambda i: f'l{i}: 1')}}}}}\n"
        + lines(3000, lambda i: f"  s{i}: {{extends: b}}"),
        "this makes the stack too large [invalid-value]",
    ),
    "a long chain of extends": (
        f"services:\n{lines(500, lambda i: f'  s{i}: {{extends: s{i + 1}}}')}\n  s500: {{image: x}}",
        "a chain of extends is longer than 100 services [invalid-value]",
    ),
    "extends in a circle": (
        "services: {a: {extends: b}, b: {extends: c}, c: {extends: a}}",
        "services extend each other: a (compose.yaml) -> b (compose.yaml) -> c (compose.yaml) -> a (compose.yaml)",
    ),
    "a circle of thousands": (
        f"services:\n{lines(2000, lambda i: f'  s{i}: {{image: x, depends_on: [s{(i + 1) % 2000}]}}')}",
        "-> s4 -> s5 -> … 1990 more … -> s1996 -> ",
    ),
    "a file that includes itself": ("include: [compose.yaml]", "files include each other: compose.yaml ->"),
    "a directory to include": ("include: [.]", "is a directory [file-not-found]"),
    "a device to include": ("include: [/dev/zero]", "/dev/zero is a device, not a file [unreadable-file]"),
    "a file of another machine": (
        "include: ['https://example.com/compose.yaml']",
        "https://example.com/compose.yaml is on another machine",
    ),
    "a device full of variables": (
        "services: {a: {image: x, env_file: /dev/zero}}",
        "/dev/zero is a device, not a file [unreadable-file]",
    ),
    "NUL in the text": ("services: {a: {image: 'x\0'}}", "contains the character U+0000, which is not text [encoding]"),
    "NUL behind an escape": (r'services: {a: {image: "x\0"}}', "the string contains a NUL or an incomplete character"),
    "half a character": (r'services: {a: {image: "\ud800"}}', "the string contains a NUL or an incomplete character"),
    "a tag that would run something": (
        "services: !!python/object/apply:os.system [x]",
        "unknown tag tag:yaml.org,2002:python/object/apply:os.system [yaml]",
    ),
    "a name that leads elsewhere": (
        "services: {a: {image: x, container_name: ../../etc, volumes: ['vol:/v']}}\nvolumes: {vol: {name: ../../etc}}",
        "'../../etc' is not a valid container name",
    ),
    "a key that leads elsewhere": ("services: {../../a: {image: x}}", "'../../a' is not a valid service name"),
    "more values than anybody writes": (
        f"x: [{'a,' * 40_000}]",
        "too many values: 30001 for 0 services [yaml]",
    ),
    "more keys than anybody writes": (
        f"services: {{a: {{image: x, labels: {{{many(20_000, lambda i: f'k{i}: v')}}}}}}}",
        "too many values: 30101 for 1 services [yaml]",
    ),
    "more services than anybody has": (
        f"services:\n{lines(10_001, lambda i: f'  s{i}: a')}",
        "compose.yaml:10002:3: the stack has more than 10000 services [yaml]",
    ),
    "more documents than anybody has": ("a: b\n---\n" * 1001, "the stack has more than 1000 documents [yaml]"),
    "more lines than anybody has": ("#\n" * 250_000, "the file has more than 250000 lines [yaml]"),
    "a line without end": (f"# {'x' * 1024**2}", "compose.yaml:1:1: this line is longer than 1 MiB [yaml]"),
    "more ports than there are": (
        "services: {a: {image: x, ports: ['1-65535:1-65535', '1-65535:1-65535/udp']}}",
        "the stack has too many ports [invalid-port]",
    ),
    "more variables than anybody has": (
        f"services: {{a: {{image: '{'$A' * 20_000}'}}}}",
        "this value has more than 10000 variables [interpolation]",
    ),
    "more variables in many places": (
        f"services: {{a: {{image: x, command: [{many(50, lambda _: '$$' * 5000)}]}}}}",
        "the file has more than 200000 variables [interpolation]",
    ),
    "thousands of keys twice": (
        f"services:\n{lines(20_000, lambda _: '  s: a')}",
        "duplicate key s; first used at line 2 [duplicate-key]",
    ),
    "a long line": (f"services: {{a: {{image: x, bad: '{'x' * 500_000}'}}}}", "unknown key bad in services.a"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_clearly_and_soon(name, folder):
    text, message = HOSTILE[name]
    began = time.process_time()
    shown = folder.refused(text)
    took = time.process_time() - began
    assert message.removesuffix(" [wrong-type]") in shown
    assert took < SECONDS
    assert all(len(line) < 2000 for line in shown.splitlines())


@pytest.mark.parametrize("name", ["an alias bomb", "deep variables", "a bomb of merge keys"])
def test_a_hostile_file_takes_little_memory(name, folder):
    text, _ = HOSTILE[name]
    tracemalloc.start()
    try:
        folder.refused(text)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < MEBIBYTES * 1024**2


@pytest.mark.parametrize(
    ("text", "most"),
    [
        ("x: [" + "a," * 100_000 + "]", 30_001),
        ("services:\n" + lines(50_000, lambda _: "  s: a"), 2_000),  # twice the errors that are kept: keys and values
        ("a: b\n---\n" * 5_000, 3_000),
    ],
    ids=["values", "errors", "documents"],
)
def test_what_is_refused_is_not_read_to_its_end(text, most):
    problems, budget = Problems(), Budget()
    parse_documents(Source("f", text), problems, budget)
    assert problems.errors
    assert budget.written <= most


def test_the_files_of_a_load_share_what_they_may_hold(folder):
    half = f"x: [{'a,' * 20_000}]\n"
    folder.write("other.yaml", half)
    assert "too many values: 30101 for 1 services" in folder.refused(
        f"include: [other.yaml]\nservices: {{a: {{image: x}}}}\n{half}"
    )


def test_a_stack_of_as_many_ports_as_there_are_is_loaded(folder):
    assert len(folder.load("services: {a: {image: x, ports: ['1-65535']}}").desired.containers[0].ports) == 65535


def test_variables_that_double_themselves_are_stopped(folder):
    folder.write(".env", "A0=xxxxxxxxxxxxxxxx\n" + lines(40, lambda i: f"A{i + 1}=$A{i}$A{i}"))
    began = time.perf_counter()
    assert "after interpolation this is longer than 1 MiB" in folder.refused("services: {a: {image: $A40}}")
    assert time.perf_counter() - began < SECONDS


def test_files_that_include_each_other_twice_are_stopped(folder):
    for number in range(30):
        folder.write(f"f{number}.yaml", f"include: [f{number + 1}.yaml, f{number + 1}.yaml]\n")
    folder.write("f30.yaml", "services: {a: {image: x}}")
    assert "more than 1000 files are included" in folder.refused("include: [f0.yaml]")


def test_a_file_of_ten_megabytes_is_refused_at_once(folder):
    began = time.perf_counter()
    shown = folder.refused("services:\n" + lines(400_000, lambda i: f"  service-{i}: {{image: x}}"))
    assert "larger than 4 MiB [unreadable-file]" in shown
    assert time.perf_counter() - began < SECONDS


def test_services_that_mount_each_others_volumes_twice_are_loaded(folder):
    def rung(i: int) -> str:
        both = f"volumes_from: [s{i + 1}, t{i + 1}]"
        return f"  s{i}: {{image: x, volumes: [/h:/s{i}], {both}}}\n  t{i}: {{image: x, volumes: [/h:/t{i}], {both}}}"

    loaded = folder.load(f"services:\n{lines(40, rung)}\n  s40: {{image: x}}\n  t40: {{image: x}}")
    assert len(loaded.desired.replicas("s0")[0].mounts) == 79


def test_windows_line_ends_and_a_byte_order_mark_change_nothing(folder):
    text = "services:\n  a:\n    image: x\n    environment:\n      B: |\n        one\n        two\n"
    plain = folder.load(text).stack
    (folder / "compose.yaml").write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    assert folder.load().stack == plain


def test_text_in_another_encoding_is_named_with_its_line(folder):
    (folder / "compose.yaml").write_bytes("services:\n  a: {image: 'caf\xe9'}\n".encode("latin-1"))
    assert "compose.yaml:2:1: " in folder.refused()
    assert "is not UTF-8 text [encoding]" in folder.refused()


def test_all_mistakes_are_reported_together(folder):
    with pytest.raises(ComposeError) as caught:
        load(
            LoadRequest(
                {},
                str(folder.path),
                files=(folder.write("wrong.yaml", "services: {a: {imag: x, ports: ['x'], scale: y}, b: {tty: 5}}"),),
            )
        )
    codes = [diagnostic.code for diagnostic in caught.value.diagnostics]
    assert sorted(codes) == ["invalid-port", "missing-key", "unknown-key", "wrong-type", "wrong-type"]
    text = render_diagnostics(caught.value.diagnostics, color=False)
    assert text.count("^") > 4
    assert "did you mean image?" in text


def test_what_does_not_fit_together_is_told_beside_what_the_schema_refuses(folder):
    with pytest.raises(ComposeError) as caught:
        folder.load("services: {a: {image: x, ports: 80, restart: maybe, depends_on: [b], volumes: ['data:/x']}}")
    found = {(diagnostic.code, diagnostic.subject) for diagnostic in caught.value.diagnostics}
    assert found == {
        ("wrong-type", "services.a.ports"),
        ("invalid-value", "services.a.restart"),
        ("undefined", "services.a.depends_on.b"),
        ("undefined", "services.a.volumes[0]"),
    }


@pytest.mark.parametrize(
    "text",
    ["services: {a: {imagee: x}}", "services: {a: [], b: {image: x, depends_on: [a]}}", "services: {a: {image: 5}}"],
)
def test_a_mistake_causes_no_further_reports(text, folder):
    with pytest.raises(ComposeError) as caught:
        folder.load(text)
    assert len(caught.value.diagnostics) == 1


def test_a_name_that_only_docker_engine_would_refuse_is_accepted(folder):
    text = "services: {a: {image: x, container_name: '${NOBODY}_a', volumes: ['vol:/v']}}\nvolumes: {vol: {name: _v}}"
    assert folder.load(text).desired.container("_a") is not None


def test_an_unreadable_file_is_reported_where_it_is_named(folder):
    text = "services:\n  a:\n    image: x\n    env_file: [/dev/zero]\n  b: {extends: {file: /dev/zero, service: b}}\n"
    assert "compose.yaml:5:23: /dev/zero is a device, not a file [unreadable-file]" in folder.refused(text)
    text = text.partition("  b:")[0]
    assert "compose.yaml:4:16: /dev/zero is a device, not a file [unreadable-file]" in folder.refused(text)


def test_what_is_no_text_in_the_environment_is_told_where_it_is_used(folder):
    environment = {"HOME": "/home/me", "BAD": "\udcff", "UNUSED": "\udcff"}
    text = "services: {a: {image: x, environment: [BAD]}}"
    told = "the environment variable BAD is not UTF-8 text [encoding]"
    assert told in folder.refused(text, environment=environment)
    assert told in folder.refused("services: {a: {image: $BAD}}", environment=environment)
    assert folder.load("services: {a: {image: x}}", environment=environment)


def test_a_directory_whose_name_is_no_text_is_refused(folder):
    where = folder.path / "\udcff"
    where.mkdir()
    assert "name that is not UTF-8 text" in folder.refused(working_directory=str(where))
