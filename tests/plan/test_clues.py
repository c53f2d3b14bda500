"""What typical last words of programs of all kinds say."""

from __future__ import annotations

import pytest

from orchestra.plan.clues import find_clue


@pytest.mark.parametrize(
    ("line", "what"),
    [
        (
            'psql: error: could not translate host name "db" to address: Name or service not known',
            "does not find the name db",
        ),
        ("Error: getaddrinfo ENOTFOUND cache", "does not find the name cache"),
        ("dial tcp: lookup db on 127.0.0.11:53: no such host", "does not find the name db"),
        ("wget: bad address 'api'", "does not find the name api"),
        ("curl: (6) Could not resolve host: api", "does not find the name api"),
        ('nginx: [emerg] host not found in upstream "app" in /etc/nginx/nginx.conf:3', "does not find the name app"),
        ("java.net.UnknownHostException: kafka", "does not find the name kafka"),
        ("ping: backend: Temporary failure in name resolution", "does not find the name backend"),
        ("socket.gaierror: [Errno -2] Name or service not known", "does not find a name"),
        ("bind() to 0.0.0.0:80 failed (98: Address already in use)", "wants a port that another program uses"),
        ("Error: listen EADDRINUSE: address already in use :::3000", "wants a port that another program uses"),
        ("dial tcp db:5432: connect: connection refused", "is refused by db"),
        ("Error: connect ECONNREFUSED 172.18.0.2:6379", "is refused by 172.18.0.2"),
        ('connection to server at "db" (10.0.0.2), port 5432 failed: Connection refused', "is refused by db"),
        ("redis.exceptions.ConnectionError: Error 111. Connection refused.", "is refused by the server that it calls"),
        ("OSError: [Errno 28] No space left on device", "has no space left on a disk"),
        ("touch: /data/x: Read-only file system", "writes to a file system that is read-only"),
        ("accept4: too many open files", "has as many files open as it may"),
        ("java.lang.OutOfMemoryError: Java heap space", "has not enough memory"),
        ("exec /app: exec format error", "is for another kind of processor"),
        ('FATAL: password authentication failed for user "app"', "has the wrong password"),
        ("(error) NOAUTH Authentication required.", "has the wrong password"),
        ("mkdir: cannot create directory '/data': Permission denied", "may not do what it tries"),
        ("x509: certificate signed by unknown authority", "does not trust a certificate"),
        ("sh: 1: gunicorn: not found", "does not find a command"),
        ("ModuleNotFoundError: No module named 'flask'", "does not find a module"),
        ("Error: Cannot find module 'express'", "does not find a module"),
        ("bash: fork: retry: Resource temporarily unavailable", "has as many processes as it may"),
        ("RuntimeError: can't start new thread", "has as many processes as it may"),
        ("sh: 1: DB_URL: is not set", "lacks a variable"),
        ('nginx: [emerg] unknown directive "lisen" in /etc/nginx.conf:3', "does not understand its configuration"),
        ("json.decoder.JSONDecodeError: Expecting value", "does not understand its configuration"),
        ("cat: /etc/app.conf: No such file or directory", "does not find a file"),
        ("KeyError: 'DATABASE_URL'", "lacks a variable"),
        ("error: environment variable PGPASSWORD is required", "lacks a variable"),
        ("redis-server: unknown option --foo", "is called with an option that it does not know"),
        ("yaml: line 3: syntax error", "does not understand its configuration"),
    ],
)
def test_a_line_in_words(line, what):
    clue = find_clue(["starting", line, "bye"])
    assert clue is not None
    assert (clue.what, clue.line) == (what, line)


def test_ordinary_lines_say_nothing():
    lines = ["listening on port 80", "GET /not-found 200", "connected to db", "created file", "0 errors", ""]
    assert find_clue(lines) is None


def test_of_several_the_most_telling_and_of_equal_ones_the_last():
    lines = [
        "a: No such file or directory",
        "dial tcp db:1: connection refused",
        "dial tcp api:1: connection refused",
        "x: not found",
    ]
    clue = find_clue(lines)
    assert clue is not None
    assert clue.name == "api"
