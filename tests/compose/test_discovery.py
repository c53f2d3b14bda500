from __future__ import annotations

import pytest

from orchestra.errors import ComposeError, UserError

WEB = "services: {web: {image: 'x:${TAG:-none}'}}"


def image(loaded) -> str:
    return str(loaded.desired.containers[0].image)


def test_the_file_is_found_in_a_parent_directory(folder):
    (folder / "a/b").mkdir(parents=True)
    loaded = folder.load(WEB, working_directory=str(folder / "a/b"))
    assert loaded.desired.project_directory == str(folder.path)
    assert loaded.desired.stack == "shop"


def test_of_several_default_files_the_first_is_used_with_a_warning(folder):
    folder.write("docker-compose.yml", "services: {old: {image: x}}")
    loaded = folder.load(WEB)
    assert loaded.desired.services == ("web",)
    assert [warning.code for warning in loaded.warnings] == ["several-files"]


def test_the_process_environment_wins_over_dotenv(folder):
    folder.write(".env", "TAG=file")
    assert image(folder.load(WEB)) == "x:file"
    assert image(folder.load(WEB, environment={"TAG": "process"})) == "x:process"
    assert image(folder.load(WEB, environment={"COMPOSE_DISABLE_ENV_FILE": "1"})) == "x:none"


def test_named_env_files_replace_dotenv_and_the_later_wins(folder):
    folder.write(".env", "TAG=dot")
    folder.write("one.env", "TAG=one\nOTHER=1")
    folder.write("two.env", "TAG=two-${OTHER}")
    assert image(folder.load(WEB, env_files=("one.env", "two.env"))) == "x:two-1"
    assert image(folder.load(WEB, environment={"COMPOSE_ENV_FILES": "two.env,one.env"})) == "x:one"


def test_a_named_env_file_must_exist(folder):
    with pytest.raises(UserError, match=r"no\.env does not exist"):
        folder.load(WEB, env_files=("no.env",))


def test_compose_file_lists_files(folder):
    folder.write("a.yaml", "services: {web: {image: a}}")
    folder.write("b.yaml", "services: {web: {image: b}}")
    assert image(folder.load(environment={"COMPOSE_FILE": "a.yaml:b.yaml"})) == "b"
    separated = {"COMPOSE_FILE": "b.yaml;a.yaml", "COMPOSE_PATH_SEPARATOR": ";"}
    assert image(folder.load(environment=separated)) == "a"


@pytest.mark.parametrize(
    ("changes", "text", "name"),
    [
        ({}, WEB, "shop"),
        ({}, f"name: My.Shop\n{WEB}", "myshop"),
        ({}, f"name: 'n-${{X:-y}}'\n{WEB}", "n-y"),
        ({"environment": {"COMPOSE_PROJECT_NAME": "env"}}, f"name: file\n{WEB}", "env"),
        ({"environment": {"COMPOSE_PROJECT_NAME": "env"}, "project_name": "flag"}, WEB, "flag"),
        ({"project_directory": "/srv/Other_1"}, WEB, "other_1"),
    ],
)
def test_the_project_name(folder, changes, text, name):
    folder.write("compose.yaml", text)
    loaded = folder.load(files=("compose.yaml",), **changes)
    assert loaded.desired.stack == name


def test_the_project_name_is_a_variable_too(folder):
    loaded = folder.load("services: {a: {image: 'x:$COMPOSE_PROJECT_NAME'}}", project_name="flag")
    assert image(loaded) == "x:flag"


def test_a_name_that_is_asked_for_must_be_a_name(folder):
    with pytest.raises(UserError, match="'My Shop' is not a valid project name"):
        folder.load(WEB, project_name="My Shop")


def test_what_is_not_text_is_refused(folder):
    (folder / "compose.yaml").write_bytes(b"services:\n  a: \xff\n")
    with pytest.raises(ComposeError, match="is not UTF-8 text"):
        folder.load()
