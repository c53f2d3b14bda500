"""What looks like a secret, and what does not."""

from __future__ import annotations

import pytest

from orchestra.stacks.sensitive import is_secret_by_name, secrets_in


@pytest.mark.parametrize(
    ("name", "value"),
    [("DB_PASSWORD", "hunter22"), ("apiKey", "abc"), ("AUTH_TOKEN", "$$literal"), ("DB_PASS", "abc"), ("PGPWD", "x")],
)
def test_a_name_tells_of_a_secret(name, value):
    assert is_secret_by_name(name, value) is (name != "PGPWD")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("DB_PASSWORD", value) for value in ("", "x", "$DB", "${DB}", "${DB:-x}", "a${DB}")),
        *((name, "literal") for name in ("POSTGRES_PASSWORD_FILE", "TOKEN_TTL", "BYPASS", "COMPASS_COLOUR", "USER")),
    ],
)
def test_variables_and_settings_are_no_secrets(name, value):
    assert not is_secret_by_name(name, value)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("-----BEGIN RSA PRIVATE KEY-----", "a private key"),
        ("key=AKIAIOSFODNN7EXAMPLE", "an AWS access key"),
        (f"ghp_{'a' * 36}", "a GitHub token"),
        (f"glpat-{'a' * 20}", "a GitLab token"),
        ("xoxb-1234567890-abc", "a Slack token"),
        ("eyJhbGciOiJIUzI1.eyJzdWIiOiIxMjM0.abc", "a JSON Web Token"),
        ("postgres://me:pw@db/x", "an address with a password"),
    ],
)
def test_a_value_tells_of_a_secret(text, kind):
    assert list(secrets_in(text)) == [kind]


@pytest.mark.parametrize(
    "text", ["http://db:5432/x", "postgres://me:${PW}@db/x", "-----BEGIN CERTIFICATE-----", "a@b:c"]
)
def test_what_only_looks_alike_is_none(text):
    assert list(secrets_in(text)) == []
