import pytest

from orchestra.driver.local.image.documents.manifest import Descriptor, choose_platform
from orchestra.errors import FatalError
from orchestra.model.platform import Platform, parse_platform


def descriptor(platform: Platform | None) -> Descriptor:
    return Descriptor("type", "sha256:" + "0" * 64, 1, platform)


@pytest.mark.parametrize(
    ("text", "machine", "expected"),
    [
        ("", "x86_64", "linux/amd64"),
        ("", "aarch64", "linux/arm64/v8"),
        ("", "strange", "linux/strange"),
        ("linux/arm/v6", "x86_64", "linux/arm/v6"),
        ("LINUX/x86_64", "x86_64", "linux/amd64"),
        ("arm64", "x86_64", "linux/arm64"),
    ],
)
def test_a_platform_is_what_the_file_says_or_the_machine_is(text, machine, expected):
    assert str(parse_platform(text, machine)) == expected


@pytest.mark.parametrize("text", ["/", "linux/", "a/b/c/d", "linux//v7"])
def test_what_is_no_platform_is_refused(text):
    with pytest.raises(FatalError):
        parse_platform(text, "x86_64")


@pytest.mark.parametrize(
    ("there", "wanted", "chosen"),
    [
        (["linux/arm64", "linux/amd64"], "linux/amd64", "linux/amd64"),
        (["linux/amd64/v3", "linux/amd64"], "linux/amd64", "linux/amd64"),
        (["linux/amd64", "linux/amd64/v3"], "linux/amd64/v3", "linux/amd64/v3"),
        (["linux/amd64"], "linux/amd64/v3", "linux/amd64"),
        (["linux/arm/v5", "linux/arm/v6", "linux/arm64"], "linux/arm/v7", "linux/arm/v6"),
        (["linux/arm/v7"], "linux/arm/v6", None),
        (["linux/arm64"], "linux/arm64/v8", "linux/arm64"),
        (["linux/amd64/v3"], "linux/amd64", None),
        (["windows/amd64", "unknown/unknown"], "linux/amd64", None),
        ([], "linux/amd64", None),
    ],
)
def test_the_best_that_runs_is_chosen(there, wanted, chosen):
    found = choose_platform([descriptor(parse_platform(item, "")) for item in there], parse_platform(wanted, ""))
    assert (str(found.platform) if found else None) == chosen


def test_one_that_states_nothing_is_chosen_only_when_alone():
    wanted = Platform("linux", "amd64")
    assert choose_platform([descriptor(None)], wanted) == descriptor(None)
    assert choose_platform([descriptor(None), descriptor(None)], wanted) is None
