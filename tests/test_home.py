from orchestra.home import OWNER, find_home


def test_orchestra_home_moves_both_roots():
    home = find_home({"ORCHESTRA_HOME": "/x"}, 0)
    assert (home.data, home.run) == ("/x/data", "/x/run")
    assert home.stack("s").control_socket == "/x/run/stacks/s/control.sock"


def test_root_has_the_places_of_the_system():
    assert find_home({}, 0).run == "/run/orchestra"


def test_a_user_has_places_of_their_own():
    home = find_home({"HOME": "/home/u", "XDG_RUNTIME_DIR": "/run/user/7"}, 7)
    assert (home.data, home.run) == ("/home/u/.local/share/orchestra", "/run/user/7/orchestra")
    assert find_home({"HOME": "/home/u"}, 7).run == "/tmp/orchestra-7"


def test_a_process_that_is_root_in_a_home_only_knows_that_home_by_its_owner():
    environment = {"HOME": "/home/u", OWNER: "1000"}
    assert find_home(environment, 0) == find_home({"HOME": "/home/u"}, 1000)
