"""What a kubeconfig says."""

from __future__ import annotations

import base64

import pytest

from orchestra.cluster.access import find_access
from orchestra.errors import EnvironmentLack, UserError

FILE = """
current-context: test
clusters:
- {name: c, cluster: {server: "https://c.example:6443/", certificate-authority: ca.pem, tls-server-name: other}}
contexts:
- {name: test, context: {cluster: c, user: u, namespace: shop}}
- {name: bare, context: {cluster: c}}
- {name: broken, context: {cluster: missing}}
- {name: old, context: {cluster: c, user: old}}
users:
- name: u
  user: {client-certificate-data: %s, client-key: ./key.pem, tokenFile: token}
- name: old
  user: {username: admin, password: secret}
"""


@pytest.fixture
def environment(tmp_path):
    (tmp_path / "ca.pem").write_text("authority")
    (tmp_path / "key.pem").write_text("key")
    (tmp_path / "config").write_text(FILE % base64.b64encode(b"certificate").decode())
    return {"KUBECONFIG": str(tmp_path / "config")}


def test_certificates_are_inline_or_in_files_beside_it(environment, tmp_path):
    access = find_access(environment)
    assert (access.server, access.namespace, access.server_name) == ("https://c.example:6443", "shop", "other")
    assert (access.authority, access.certificate, access.key) == (b"authority", b"certificate", b"key")
    assert access.token_file == str(tmp_path / "token")


def test_a_context_is_chosen_by_its_name(environment):
    access = find_access(environment, "bare")
    assert (access.namespace, access.certificate, access.token) == ("default", b"", "")


@pytest.mark.parametrize(
    ("context", "text"),
    [
        ("missing", "no context 'missing'"),
        ("broken", "no cluster 'missing'"),
        ("old", "signs in in a way"),
    ],
)
def test_mistakes(environment, context, text):
    with pytest.raises(UserError, match=text):
        find_access(environment, context)


def test_of_several_files_the_first_counts(environment, tmp_path):
    (tmp_path / "more").write_text(
        "current-context: other\ncontexts:\n- {name: test, context: {cluster: x}}\n"
        "- {name: other, context: {cluster: x}}\nclusters:\n- {name: x, cluster: {server: 'http://x'}}\n"
    )
    both = {"KUBECONFIG": f"{environment['KUBECONFIG']}:{tmp_path / 'more'}"}
    assert find_access(both).server == "https://c.example:6443"
    assert find_access(both, "other").server == "http://x"


def test_a_program_is_found_beside_the_file_and_told_of_the_cluster(environment, tmp_path):
    text = (tmp_path / "config").read_text().replace("tokenFile: token", "exec: {command: ./sign-in, args: [a], %s}")
    (tmp_path / "config").write_text(text % "env: [{name: A, value: b}], provideClusterInfo: true")
    plugin = find_access(environment).plugin
    assert plugin is not None
    assert (plugin.command, plugin.arguments) == (f"{tmp_path}/./sign-in", ("a",))
    assert plugin.environment == {"A": "b"}
    assert plugin.cluster["server"] == "https://c.example:6443/"


def test_in_a_pod_its_own_account_is_used(tmp_path):
    for name in ("token", "namespace", "ca.crt"):
        (tmp_path / name).write_text(name)
    access = find_access({"KUBERNETES_SERVICE_HOST": "10.0.0.1", "HOME": "/nowhere"}, account=str(tmp_path))
    assert (access.server, access.namespace) == ("https://10.0.0.1:443", "namespace")
    with pytest.raises(EnvironmentLack, match="no cluster is configured"):
        find_access({"HOME": "/nowhere"}, account=str(tmp_path))
