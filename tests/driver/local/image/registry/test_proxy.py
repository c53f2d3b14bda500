"""Which proxy leads to a registry, by what the environment says."""

from __future__ import annotations

import pytest

from orchestra.driver.local.image.registry.proxy import find_proxy

PROXY = "http://proxy.example:3128"


@pytest.mark.parametrize(
    ("scheme", "environment", "proxy"),
    [
        ("https", {}, None),
        ("https", {"HTTPS_PROXY": PROXY}, PROXY),
        ("https", {"HTTP_PROXY": PROXY}, None),
        ("http", {"HTTP_PROXY": PROXY}, PROXY),
        ("https", {"ALL_PROXY": PROXY}, PROXY),
        ("https", {"HTTPS_PROXY": "http://other.example:1", "https_proxy": PROXY}, PROXY),
        ("https", {"https_proxy": "", "ALL_PROXY": PROXY}, PROXY),
        ("https", {"HTTPS_PROXY": "proxy.example:3128"}, PROXY),
        ("https", {"HTTPS_PROXY": PROXY, "NO_PROXY": "other.example"}, PROXY),
        ("https", {"HTTPS_PROXY": PROXY, "NO_PROXY": " "}, PROXY),
    ],
)
def test_the_variable_of_the_scheme_counts_then_that_for_all(scheme, environment, proxy):
    assert find_proxy(scheme, "registry.example:5000", environment) == proxy


@pytest.mark.parametrize(
    ("host", "exempt", "is_direct"),
    [
        ("registry.example", "registry.example", True),
        ("registry.example:5000", "registry.example", True),
        ("registry.example:5000", "registry.example:5000", True),
        ("registry.example:5000", "registry.example:5001", False),
        ("registry.example", "a.example, .EXAMPLE", True),
        ("myregistry.example", "registry.example", False),
        ("registry.example", "*", True),
        ("127.0.0.1:5000", "127.0.0.1", True),
        ("10.1.2.3:5000", "10.0.0.0/8", True),
        ("11.1.2.3:5000", "10.0.0.0/8", False),
        ("[fd00::1]:5000", "fd00::1", True),
        ("[fd00::1]:5000", "[fd00::1]", True),
        ("[fd00::1]", "fd00::/8", True),
    ],
)
def test_what_needs_no_proxy_is_gone_to_directly(host, exempt, is_direct):
    environment = {"HTTPS_PROXY": PROXY, "NO_PROXY": exempt}
    assert (find_proxy("https", host, environment) is None) is is_direct
