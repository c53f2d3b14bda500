"""The quick parser and Typer understand every command line alike."""

from __future__ import annotations

import shlex

import pytest

from orchestra.cli import table
from orchestra.cli.parse import parse
from orchestra.cli.typed import application, run_typed
from orchestra.cli.usage import USAGE

LINES = [
    "up",
    "down -v web db",
    "create --scale web=2 --force-recreate --no-recreate --pull never --quiet-pull --remove-orphans web",
    "up --no-start",
    "plan --no-start web",
    "start --wait --wait-timeout 5 web",
    "stop -t 5 web db",
    "restart --timeout=5 --no-deps web",
    "kill -s HUP --remove-orphans web",
    "pause web",
    "unpause web",
    "rm -fsv -a web",
    "plan --out plan.json --format dot web",
    "apply --wait --wait-timeout 5 plan.json",
    "rollback -t3 --wait 7",
    "history --format json 7",
    "why --format json web",
    "web --listen 127.0.0.1:8080 --read-only --allow-remote --url=https://stack.example.com",
    "api --socket /run/docker.sock --idle 60 --read-only --stack shop --stack=other",
    "metrics --listen 127.0.0.1:9323 --stack shop --stack=other --format openmetrics",
    "status --format json",
    "ps -a --at 10m web",
    "--host ssh://me@server:2222 ps",
    "-H ssh://server up -d",
    "timeline --since 1h --format svg",
    "up -d --follow web",
    "enable --now --user",
    "disable --user",
    "unshare -- ls -l data",
    "ls --all-users",
    "-p shop recover --stay",
    "test -k kill --format json --junit report.xml shop.scenario.yaml",
    "test --simulate 100 --replay 7",
    "scale --no-deps web=2 db=0",
    "wait --down-project web db",
    "up -V --renew-anon-volumes --pull always --quiet-pull",
    "up -d",
    "up -d --ports auto",
    "up --watch --menu web",
    "up -w",
    "watch",
    "watch --no-up --prune --quiet web db",
    "up --detach --wait --wait-timeout 5 -t3 web db",
    "up web -d db",
    "up --scale web=3 --scale=db=2 --force-recreate --no-deps --remove-orphans",
    "up --always-recreate-deps --no-recreate web",
    "up --abort-on-container-exit --attach-dependencies",
    "up --abort-on-container-failure",
    "--parallel 2 --all-resources --compatibility --dry-run --no-ansi --workdir /x up -y",
    "down --rmi local --rmi=all",
    "up --exit-code-from web --attach web --no-attach db --no-color --no-log-prefix --timestamps",
    "-f a.yaml -f b.yaml -p name --project-directory /x --profile one --profile two --env-file e up -d",
    "--ansi never --progress plain --driver fake --runtime crun --debug down -v --timeout 1 --remove-orphans",
    "--file=a.yaml --project-name=n ps -aq",
    "ps -a --format json web",
    "ps --services --no-trunc --orphans",
    "ps --filter status=exited --status running --status=created --format '{{.Name}}'",
    "logs -f -n 5 -t web",
    "logs -fn5 --no-log-prefix --since 5m --until 1m --index 2",
    "logs --tail=all -- -odd-",
    "exec web ls -l --color",
    "exec -T -u root -e A=1 -e B=2 -w /tmp --index 2 web sh -c 'echo -e x'",
    "exec -it web sh",
    "exec -Tuapp web -- sh",
    "exec -d --privileged -- web ls",
    "run web",
    "run --rm -iT -e A=1 --env-from-file e -u app -w /tmp -v ./a:/b -p 80:80 --name one web ls -l --rm",
    "run -d -P --use-aliases -l a=b --cap-add ALL --cap-drop KILL --entrypoint 'sh -c' --no-deps web -- ls",
    "run -qt --interactive --pull always --quiet-pull --build --quiet-build --remove-orphans web",
    "attach --index 2 --detach-keys ctrl-a,d --no-stdin --sig-proxy web",
    "cp --all -aL --index 2 web:/etc ./here",
    "cp - web:/tmp",
    "export -o FILE --index 2 web",
    "build --build-arg A=1 --check --no-cache --print --pull --push -q --ssh default --with-dependencies web db",
    "build --builder default -m 1g --provenance false --sbom=false --compress --force-rm --no-rm --quiet",
    "image build -t a --tag b -f Dockerfile --build-arg A --target x --no-cache --no-cache-filter y --pull .",
    "image build --cache-from a --cache-to b .",
    "image build --label a=b --secret id=s,src=f --ssh default --build-context a=b --network none -q -",
    "image build --attest type=sbom --provenance mode=min --sbom true --builder docker .",
    "image build --add-host a:1.2.3.4 --allow network.host --platform linux/amd64 --iidfile f --quiet .",
    "up --build --no-build --quiet-build web",
    "create --build --no-build web",
    "commit -p -a Ann -c 'CMD sh' -c 'ENV A=1' -m text --index 2 web example.org/made:1",
    "config --format json web",
    "config -q",
    "config --services",
    "config --volumes",
    "config --networks",
    "config --images -o out.yaml",
    "config --models --profiles --schema --environment --variables",
    "config --hash '*' --explain web.image",
    "config --to kubernetes -o out",
    "config --to quadlet",
    "deploy -n shop --context test --wait-timeout 60 --no-wait --no-rollback --force-conflicts",
    "deploy --driver swarm --manager tcp://127.0.0.1:2375 --with-registry-auth",
    "import -o compose.yaml k8s/ more.yaml -",
    "plan --driver kubernetes --format json",
    "scale --driver kubernetes --namespace shop web=2",
    "rollback --driver swarm --wait-timeout 5",
    "events --driver swarm --json --since 5m",
    "exec --driver kubernetes --context test --namespace shop --index 2 web sh",
    "logs --driver swarm -f web",
    "ps --driver kubernetes --namespace shop --context test",
    "down --driver swarm --manager unix:///run/docker.sock",
    "config --no-interpolate --no-path-resolution --no-env-resolution --no-normalize --no-consistency",
    "config --resolve-image-digests --lock-image-digests",
    "plan --offline --format json --scale a=1 --no-deps web",
    "plan --force-recreate --always-recreate-deps -V --pull always --remove-orphans",
    "plan --no-recreate --renew-anon-volumes",
    "events --json --since 5m --until 2026-01-31 web",
    "ls -aq --format json --filter name=a --filter name=b",
    "convert -q --format json web",
    "top web db",
    "stats -a --format json --no-stream --no-trunc web",
    "stats",
    "ui",
    "ui shop other",
    "port --index 2 --protocol udp web 53",
    "port web",
    "volume create --label a=b -d local -o type=tmpfs data",
    "volumes --format json -q web db",
    "network ls --no-trunc -q -f name=a --filter label=b",
    "network inspect -f '{{.Name}}' a b",
    "network create --subnet 10.1.2.0/24 --gateway 10.1.2.1 --ip-range 10.1.2.128/25 --aux-address a=10.1.2.9 net",
    "network create -d ipvlan -o parent=eth0 --label a=b --internal --attachable --ipv4 --ipv6 net",
    "network connect --alias a --alias b --ip 10.1.2.3 --link-local-ip 169.254.1.2 --gw-priority 3 net web",
    "network connect --ip6 fd00::3 --driver-opt a=b --driver-opt c=d net web",
    "network disconnect net web",
    "network rm -f a",
    "network prune -f --filter label!=a",
    "version --short -f json",
    "doctor --format json",
    "system prune -f",
    "system df -v --format '{{.Type}}'",
    "pull --ignore-pull-failures --ignore-buildable --include-deps --policy missing --parallel --no-parallel -q web",
    "publish --with-env --resolve-image-digests --oci-version 1.0 --dry-run -y --insecure-registry localhost:5000/a",
    "publish --app localhost:5000/a",
    "push --ignore-push-failures --include-deps --quiet web",
    "images --format json -q web",
    "image ls",
    "image ls -aq --digests --no-trunc --format json app:*",
    "image inspect --attestations -f {{.Id}} one two",
    "image history -q --no-trunc --format json one",
    "image pull --platform linux/arm64 -q one two",
    "image push -q one",
    "image rm -f one two",
    "image prune -af --build-cache --keep-storage 5g",
    "image save -o out.tar one two",
    "image load -i in.tar --platform linux/arm64 -q",
    "image tag one two",
    "image import -c 'CMD sh' --change 'ENV A=1' -m words --platform linux/arm64 - one",
    "image import rootfs.tar",
    "image fsck --repair",
]

BAD_LINES = [
    "",
    "--help",
    "up --help",
    "nonsense",
    "up --bogus",
    "up --wait-timeout soon",
    "up --detach=yes",
    "plan --format yaml",
    "ps -x",
    "exec",
    "scale",
    "wait",
    "stats web db",
    "exec web",
    "logs -n",
    "system",
    "system nonsense",
    "image",
    "image rm",
    "image tag one",
    "image ls one two",
    "image import",
    "pull --policy never",
    "up --pull build",
    "--driver docker ps",
    "-f",
]


SEEN = []


def keep(invocation):
    """Always the same function: an application is made for each, which takes longer than the line."""
    SEEN.append(invocation)
    return 0


def typed(line):
    """What Typer makes of it, and the exit code."""
    SEEN.clear()
    with pytest.raises(SystemExit) as ended:
        application(keep)(shlex.split(line), prog_name="orchestra")
    return (SEEN[0] if SEEN else None), ended.value.code


@pytest.mark.parametrize("line", LINES)
def test_both_parsers_read_the_same(line):
    quick = parse(shlex.split(line))
    slow, code = typed(line)
    assert quick is not None
    assert quick == slow
    assert code == 0


@pytest.mark.parametrize("line", BAD_LINES)
def test_what_only_typer_can_answer_is_left_to_it(line, capsys):
    assert parse(shlex.split(line)) is None
    assert typed(line)[0] is None
    shown = capsys.readouterr()
    assert any(word in shown.out + shown.err for word in ("Usage: orchestra", "Error: "))


def test_the_lines_above_use_every_option_of_the_table():
    used = {flag for line in LINES for word in shlex.split(line) for flag in (word, word.partition("=")[0])}
    letters = {f"-{letter}" for word in used if word.startswith("-") and not word.startswith("--") for letter in word}
    unused = [
        (command.name, option.name)
        for command in (table.Command("", "", "", table.GLOBAL), *table.COMMANDS)
        for option in command.options
        if not (used | letters).intersection(option.flags)
    ]
    assert unused == []


def test_no_flag_means_two_things_in_one_command():
    for command in table.COMMANDS:
        flags = [flag for option in command.options for flag in option.flags]
        assert len(flags) == len(set(flags))


@pytest.mark.parametrize(
    "line", ["up --dry-run -d", "run --dry-run web true", "publish --dry-run one:1", "ps --dry-run"]
)
def test_a_preview_may_be_asked_for_after_the_command_too(line):
    assert parse(shlex.split(line)).values["dry_run"]
    assert not parse(["run", "web", "true", "--dry-run"]).values["dry_run"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("up --progress plain", "put --progress before the command: orchestra --progress … up"),
        ("ps -f other.yaml", "put -f before the command: orchestra -f … ps"),
        ("up --bogus", ""),
        ("nonsense --progress plain", ""),
    ],
)
def test_a_misplaced_global_option_is_told_its_place(line, said, capsys):
    assert run_typed(shlex.split(line)) == USAGE
    errors = capsys.readouterr().err
    assert said in errors
    assert bool(said) is ("before the command" in errors)
