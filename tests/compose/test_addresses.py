"""Static addresses, ranges and gateways: what fits is applied, what does not is refused at its place."""

from __future__ import annotations

import pytest

NETWORK = "networks: {lan: {ipam: {config: [{subnet: 10.9.0.0/24%s}]}}}\n"


def services(**addresses):
    rows = [f"  {name}: {{image: x, networks: {{lan: {{ipv4_address: {at}}}}}}}" for name, at in addresses.items()]
    return "\n".join(["services:", *rows, "  dyn: {image: x, networks: [lan]}", ""])


def test_static_addresses_are_reserved_on_every_endpoint_of_the_network(folder):
    loaded = folder.load(services(b="10.9.0.3", a="10.9.0.2") + NETWORK % "")
    assert {spec.endpoints[0].reserved for spec in loaded.desired.containers} == {("10.9.0.2", "10.9.0.3")}


def test_an_address_of_a_service_that_is_not_on_is_reserved_too(folder):
    text = services(a="10.9.0.2").replace(
        "{image: x, networks: {lan: {ipv4", "{image: x, profiles: [p], networks: {lan: {ipv4"
    )
    (dyn,) = folder.load(text + NETWORK % "").desired.containers
    assert dyn.endpoints[0].reserved == ("10.9.0.2",)


def test_a_static_address_does_not_change_the_definition_of_other_containers(folder):
    before = folder.load("services: {dyn: {image: x, networks: [lan]}}\n" + NETWORK % "").desired
    after = folder.load(services(a="10.9.0.2") + NETWORK % "").desired
    assert before.containers[0].config_hash == after.replicas("dyn")[0].config_hash
    assert before.networks[0].config_hash == after.networks[0].config_hash


def test_ip_range_gateway_and_auxiliary_addresses_are_applied(folder):
    more = ", ip_range: 10.9.0.128/25, gateway: 10.9.0.254, aux_addresses: {printer: 10.9.0.200, nas: 10.9.0.130}"
    loaded = folder.load(services() + NETWORK % more)
    (network,) = loaded.desired.networks
    assert (network.ip_range, network.gateway) == ("10.9.0.128/25", "10.9.0.254")
    assert network.reserved == ("10.9.0.130", "10.9.0.200")
    assert (loaded.warnings, loaded.not_applied) == ((), ())


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        (
            services(a="10.9.0.2", b="10.9.0.2") + NETWORK % "",
            "3:48",
            "10.9.0.2 of service b is already used by service a",
        ),
        (services(a="10.9.0.1") + NETWORK % "", "2:48", "is already used by the gateway"),
        (services(a="10.9.1.1") + NETWORK % "", "2:48", "is not a host address of 10.9.0.0/24"),
        (services(a="10.9.0.255") + NETWORK % "", "2:48", "is not a host address"),
        (services(a="10.9.0.256") + NETWORK % "", "2:48", "10.9.0.256 is not an IPv4 address"),
        (services(a="10.9.0.7") + NETWORK % ", aux_addresses: {nas: 10.9.0.7}", "2:48", "auxiliary address nas"),
        (services() + NETWORK % ", ip_range: 10.8.0.0/24", "3:", "is not within the subnet 10.9.0.0/24"),
        (services() + NETWORK % ", ip_range: bogus", "3:", "bogus is not an IPv4 range"),
        (services() + NETWORK % ", gateway: 10.8.0.1", "3:", "10.8.0.1 is not a host address"),
        (
            services() + NETWORK % ", aux_addresses: {nas: 10.9.0.1}",
            "3:",
            "of auxiliary address nas is already used by the gateway",
        ),
        (services() + "networks: {lan: {ipam: {config: [{subnet: 10.9.0.1/24}]}}}\n", "3:", "is not an IPv4 subnet"),
    ],
)
def test_what_does_not_fit_is_refused_at_its_place(folder, text, place, said):
    shown = folder.refused(text)
    assert said in shown
    assert f"compose.yaml:{place}" in shown


def test_an_address_without_a_subnet_is_reported(folder):
    (note,) = folder.load(services(a="10.9.0.7") + "networks: {lan: }\n").warnings
    assert "network lan has no subnet that contains 10.9.0.7" in note.message


def test_replicas_cannot_share_an_address(folder):
    text = services(a="10.9.0.2") + NETWORK % ""
    assert "2 containers of a cannot all have the address 10.9.0.2" in folder.refused(text, scale={"a": 2})


def test_no_search_domains_are_kept_apart_from_the_hosts(folder):
    (spec,) = folder.load('services: {a: {image: x, dns_search: ""}}\n').desired.containers
    assert spec.dns_search == ("",)


@pytest.mark.parametrize(
    ("attribute", "place"),
    [
        (r'hostname: "a\nb"', "1:"),
        (r'domainname: "a\tb"', "1:"),
        (r'dns_search: "a\nnameserver 6.6.6.6"', "1:"),
        (r'dns_search: [ok, "a\rb"]', "1:"),
        (r'dns: ["1.1.1.1\n"]', "1:"),
        (r'dns_opt: ["ndots:1\n"]', "1:"),
        (r'extra_hosts: ["a=1.1.1.1\n6.6.6.6 bank"]', "1:"),
        (r'labels: {a: "b\nc"}', "1:"),
        (r'labels: ["a=b\ec"]', "1:"),
        (r'networks: {default: {aliases: ["a\Nb"]}}', "1:"),
    ],
)
def test_control_characters_are_refused_at_their_place(folder, attribute, place):
    shown = folder.refused(f"services: {{s: {{image: x, {attribute}}}}}\n")
    assert "is not allowed here" in shown
    assert f"compose.yaml:{place}" in shown


def test_control_characters_in_labels_of_networks_and_volumes_are_refused(folder):
    shown = folder.refused(
        "services: {s: {image: x}}\n"
        r'networks: {n: {labels: {"a\nb": c}}}'
        "\n"
        r'volumes: {v: {labels: {a: "b\nc"}}}'
        "\n"
    )
    assert shown.count("a line break is not allowed here") == 2


def test_values_of_labels_may_have_tabs(folder):
    loaded = folder.load('services: {s: {image: x, labels: {a: "b\\tc"}}}\n')
    (spec,) = loaded.desired.containers
    assert spec.labels["a"] == "b\tc"
    assert "the control character" in folder.refused('services: {s: {image: x, labels: {"a\\tb": c}}}\n')


def test_ports_without_an_address_are_published_where_the_network_says(folder):
    loaded = folder.load("""
services:
  web: {image: x, ports: ["80:80", "10.1.1.2:81:81"], networks: [inner, lan]}
  near: {image: x, ports: ["82:82"]}
networks:
  inner: {internal: true, driver_opts: {com.docker.network.bridge.host_binding_ipv4: 10.1.1.3}}
  lan: {driver_opts: {com.docker.network.bridge.host_binding_ipv4: 127.0.0.1}}
""")
    published = {spec.service: [port.host_ip for port in spec.ports] for spec in loaded.desired.containers}
    assert published == {"web": ["127.0.0.1", "10.1.1.2"], "near": [""]}


def test_a_network_knows_how_many_containers_join_it_and_that_does_not_change_its_definition(folder):
    text = "services: {web: {image: x, scale: %s}, db: {image: x}}\n"
    few, many = (folder.load(text % scale).desired.networks[0] for scale in (1, 400))
    assert (few.containers, many.containers) == (2, 401)
    assert few.config_hash == many.config_hash


def test_a_second_pool_is_reported_at_its_place(folder):
    loaded = folder.load(
        "services: {a: {image: x}}\n"
        'networks: {default: {ipam: {config: [{subnet: "fd00::/64"}, {subnet: 10.9.0.0/24}, {subnet: 10.8.0.0/24}]}}}\n'
    )
    assert [(problem.span.column, problem.message) for problem in loaded.not_applied] == [
        (47, "network default has no IPv6"),
        (93, "a network has one IPv4 subnet"),
    ]
    assert loaded.desired.networks[0].subnet == "10.9.0.0/24"


def test_an_endpoint_has_what_the_file_says_of_it(folder):
    (spec,) = folder.load("""
services:
  web:
    image: x
    external_links: [shop-db-1:db, cache]
    networks:
      lan:
        gw_priority: 3
        interface_name: wan0
        link_local_ips: [169.254.7.7, "fe80::7"]
        driver_opts:
          com.docker.network.endpoint.sysctls: net.ipv4.conf.IFNAME.log_martians=1,net.ipv4.neigh.IFNAME.gc_stale_time=9
          com.example: x
networks: {lan: }
""").desired.containers
    (endpoint,) = spec.endpoints
    assert (endpoint.gateway_priority, endpoint.interface_name) == (3, "wan0")
    assert endpoint.link_local_addresses == ("169.254.7.7",)
    assert endpoint.settings == (
        ("net/ipv4/conf/IFNAME/log_martians", "1"),
        ("net/ipv4/neigh/IFNAME/gc_stale_time", "9"),
    )
    assert spec.external_links == (("db", "shop-db-1"), ("cache", "cache"))


@pytest.mark.parametrize(
    ("attribute", "column", "said"),
    [
        ("interface_name: a/b", 61, "'a/b' is not a name for an interface"),
        ("interface_name: lo", 61, "'lo' is not a name for an interface"),
        ("interface_name: sixteen-letters-", 61, "is not a name for an interface"),
        ("link_local_ips: [10.0.0.1]", 62, "10.0.0.1 is not a link-local address"),
        ("driver_opts: {com.docker.network.endpoint.sysctls: kernel.x=1}", 96, "'kernel.x=1' is not a setting"),
        ("driver_opts: {com.docker.network.endpoint.sysctls: net.ipv4.conf.eth0.x=1}", 96, "is not a setting of an"),
    ],
)
def test_an_endpoint_that_cannot_be_made_is_refused_at_its_place(folder, attribute, column, said):
    shown = folder.refused(
        f"services: {{web: {{image: x, networks: {{lan: {{{attribute}}}}}}}}}\nnetworks: {{lan: }}\n"
    )
    assert said in shown
    assert f"compose.yaml:1:{column}" in shown


DUAL = 'networks: {lan: {enable_ipv6: true, ipam: {config: [{subnet: "fd00:0::/64", %s}, {subnet: 10.9.0.0/24}]}}}\n'


def test_a_network_may_have_both_families(folder):
    loaded = folder.load(
        "services: {a: {image: x, networks: {lan: {ipv6_address: 'fd00::0:7', link_local_ips: ['fe80::7']}}},"
        " b: {image: x, networks: [lan]}}\n" + DUAL % "gateway: 'fd00::9', aux_addresses: {printer: 'fd00::0:8'}"
    )
    (network,) = loaded.desired.networks
    assert (network.ipv4, network.ipv6, network.subnet, network.ipv6_subnet) == (
        True,
        True,
        "10.9.0.0/24",
        "fd00:0::/64",
    )
    assert (network.ipv6_gateway, network.reserved) == ("fd00::9", ("fd00::8",))
    first, second = (spec.endpoints[0] for spec in loaded.desired.containers)
    assert (first.ipv6_address, first.link_local_addresses) == ("fd00::7", ("fe80::7",))
    assert second.reserved == ("fd00::7",)
    assert loaded.not_applied == ()


def test_a_network_may_have_ipv6_only(folder):
    loaded = folder.load(
        "services: {a: {image: x, ports: ['[::]:80:80'], networks: {lan: {ipv4_address: 10.9.0.7}}}}\n"
        "networks: {lan: {enable_ipv4: false, enable_ipv6: true}}\n"
    )
    (network,), (container,) = loaded.desired.networks, loaded.desired.containers
    assert (network.ipv4, network.ipv6) == (False, True)
    assert container.endpoints[0].ipv4_address == ""
    assert [problem.message for problem in loaded.not_applied] == ["network lan has no IPv4"]


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("services: {a: {image: x}}\nnetworks: {default: {enable_ipv4: false}}\n", "2:35", "has neither IPv4 nor IPv6"),
        (services(a="10.9.0.5") + DUAL % "gateway: 10.9.0.1", "4:", "10.9.0.1 is not an IPv6 address"),
        (services() + DUAL % "gateway: 'fd01::1'", "3:", "fd01::1 is not a host address of fd00::/64"),
        (services() + DUAL % "ip_range: 'fd01::/80'", "3:", "the range fd01::/80 is not within the subnet fd00::/64"),
        (services() + DUAL % "ip_range: 10.9.0.0/28", "3:", "the range 10.9.0.0/28 is not within the subnet fd00::/64"),
        ("services: {a: {image: x, ports: [{target: 80, protocol: icmp}]}}\n", "1:57", "unknown protocol 'icmp'"),
        ("services: {a: {image: x, ports: ['[::1]:80:80']}}\n", "1:34", "ports cannot be published at ::1"),
        (
            "services: {a: {image: x, ports: ['[fd00::9]:80:80']}}\n",
            "1:34",
            "no network of the service has IPv6 for fd00",
        ),
        (
            "services: {a: {image: x, networks: {lan: {ipv6_address: 'fd00::1'}}}}\n" + DUAL % "",
            "1:57",
            "the address fd00::1 of service a is already used by the gateway",
        ),
    ],
)
def test_addresses_of_ipv6_that_do_not_fit_are_refused_at_their_place(folder, text, place, message):
    shown = folder.refused(text)
    assert message in shown
    assert f"compose.yaml:{place}" in shown


def test_an_address_of_ipv6_without_it_is_not_applied(folder):
    loaded = folder.load(
        "services: {a: {image: x, networks: {lan: {ipv6_address: 'fd00::7', link_local_ips: ['fe80::7']}}}}\n"
        "networks: {lan: {}}\n"
    )
    assert [(problem.span.column, problem.message, problem.hint) for problem in loaded.not_applied] == [
        (57, "network lan has no IPv6", "set enable_ipv6: true on it"),
        (85, "network lan has no IPv6", "set enable_ipv6: true on it"),
    ]
    (endpoint,) = loaded.desired.containers[0].endpoints
    assert (endpoint.ipv6_address, endpoint.link_local_addresses) == ("", ())
