"""What is read of a page, and which outputs are the same."""

from __future__ import annotations

import pytest

from .page import Command, File, Untested, is_shown, read_page

PAGE = """
# A title, and `code` within a line

```yaml title="compose.yaml"
services:
  web: {image: busybox}
```

1. Indented in a list:

    ```console
    $ orchestra up -d
     Container s-web-1 Started
    $ cat <<END
    > text
    > END
    text
    ```

```{.console .untested}
$ reboot
```
"""


def test_files_commands_and_what_is_not_run_are_read_in_their_order():
    assert read_page(PAGE) == [
        File("compose.yaml", "services:\n  web: {image: busybox}\n"),
        Command("orchestra up -d", " Container s-web-1 Started\n"),
        Command("cat <<END\ntext\nEND", "text\n"),
        Untested("$ reboot"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "```yaml\nservices: {}\n```\n",
        "```\n$ orchestra up\n```\n",
        "```console\n$ orchestra up\n",
        "```console\nno command\n```\n",
        "```console untested\n$ orchestra up\n```\n",
        '```yaml title="../compose.yaml"\n```\n',
        '```yaml title="/srv/compose.yaml"\n```\n',
    ],
)
def test_a_block_that_would_not_be_tested_is_refused(text):
    with pytest.raises(ValueError, match=r"block|session|outside"):
        read_page(text)


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        ("", ""),
        ("one\n", "one\n"),
        ("one\n...\nfour\n", "one\ntwo\nthree\nfour\n"),
        ("one\n...\nfour\n", "one\nfour\n"),
        ("...\n", ""),
        ("...\nlast\n", "first\nlast\n"),
        ("up 1... of 2\n", "up 17 times of 2\n"),
        ("a [b] (c) $d\n", "a [b] (c) $d\n"),
        ("NAME   STATUS\nweb-1  Up\n", "NAME    STATUS\nweb-1   Up\n"),
        ("Up 2 minutes (healthy)\n", "Up Less than a second (healthy)\n"),
        ("2026-01-31T10:20:30.5Z started\n", "2027-02-01T00:00:00Z started\n"),
        ("at 10:20:30 after 1.5s\n", "at 11:22:33 after 12.04s\n"),
        ("0123456789ab\n", "ffffffffffff\n"),
        (
            " Container s-a-1 Started\n Container s-b-1 Started\n",
            " Container s-b-1 Started\n Container s-a-1 Started\n",
        ),
    ],
)
def test_what_may_differ(expected, actual):
    assert is_shown(expected, actual)


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        ("", "something\n"),
        ("something\n", ""),
        ("one\n", "one\ntwo\n"),
        ("one\ntwo\n", "two\none\n"),
        ("one\n...\nfour\n", "one\ntwo\nthree\n"),
        ("...\nlast\n", "not the last\n"),
        ("Up 5 seconds\n", "Exited (1) 5 seconds ago\n"),
        ("Up 5 seconds (healthy)\n", "Up 5 seconds (unhealthy)\n"),
        ("Exited (1) 5 seconds ago\n", "Exited (2) 5 seconds ago\n"),
        ("web-1\n", "web-2\n"),
        ("0.0.0.0:8080->80/tcp\n", "0.0.0.0:8081->80/tcp\n"),
        (" Container s-a-1 Started\n", " Container s-a-1 Started\n Container s-b-1 Started\n"),
        (" Container s-a-1 Started\nerror: no\n", "error: no\n Container s-a-1 Started\n"),
    ],
)
def test_what_may_not_differ(expected, actual):
    assert not is_shown(expected, actual)
