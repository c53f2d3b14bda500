"""Examples of each command, for help and manual pages. Imported only when one of them is shown.

A line fits a terminal of 60 columns, and names the services, files and images that ``tests/cli/test_examples.py`` runs
it with.
"""

from __future__ import annotations

import textwrap

from orchestra.record import Record


class Example(Record):
    """line: the words after ``orchestra``. meaning: what the command does, as an imperative."""

    line: str
    meaning: str

    @property
    def command_line(self) -> str:
        return f"orchestra {self.line}"


EXAMPLES: dict[str, tuple[Example, ...]] = {
    "": (
        Example("up -d", "Start the stack of compose.yaml in this directory"),
        Example("-f base.yaml -f prod.yaml config", "Show two files merged into one"),
    ),
    "up": (
        Example("up -d --follow", "Start every service, and apply each change of the file from now on"),
        Example("up --wait --wait-timeout 60 web", "Start web and what it depends on, and wait until it is healthy"),
    ),
    "down": (
        Example("down", "Stop and remove containers and networks, and keep volumes"),
        Example("down -v web", "Remove the containers of web, with its anonymous volumes"),
    ),
    "deploy": (
        Example("--dry-run deploy -n shop", "Show what would change in the cluster"),
        Example("deploy --context test -n shop", "Deploy to a namespace, and wait until all is ready"),
    ),
    "import": (
        Example("import -o shop.yaml k8s/", "Convert the Kubernetes manifests of a directory"),
        Example("import containers.json", "Convert what docker inspect has printed of containers"),
    ),
    "create": (Example("create --scale web=2", "Create every container, two of them for web, and start none"),),
    "start": (Example("start --wait db", "Start db again after a stop, and wait until it is healthy"),),
    "stop": (Example("stop -t 30 db", "Stop db, and kill it if it still runs after 30 seconds"),),
    "restart": (Example("restart web", "Restart web, for example after a change of its configuration files"),),
    "kill": (Example("kill -s SIGHUP web", "Have web read its configuration again"),),
    "pause": (Example("pause web", "Suspend web, which keeps its memory and its connections"),),
    "unpause": (Example("unpause web", "Have web continue where it was"),),
    "rm": (Example("rm -fsv web", "Stop and remove the containers of web with their anonymous volumes, unasked"),),
    "scale": (Example("scale web=3 db=0", "Run three containers of web, and none of db"),),
    "wait": (Example("wait --down-project tests", "Bring the stack down when tests ends, and exit with its code"),),
    "ps": (
        Example("ps -a", "List every container, including those that have stopped"),
        Example("ps --format json web", "Print one JSON object for each container of web"),
    ),
    "status": (
        Example("status", "See at a glance whether everything runs and is healthy"),
        Example("status --format json", "Print the same for scripts"),
    ),
    "timeline": (
        Example("timeline", "Show what the last up spent its time with"),
        Example("timeline --since 1h --format json", "Print what the last hour was spent with"),
    ),
    "logs": (
        Example("logs -f web db", "Follow the logs of two services"),
        Example("logs --since 10m --tail 100", "Show up to 100 lines of each container from the last 10 minutes"),
    ),
    "exec": (
        Example("exec web sh", "Open a shell in the container of web"),
        Example("exec -T -u 1000 -e DEBUG=1 web env", "Run a command as another user, without a terminal"),
    ),
    "run": (
        Example("run --rm web sh", "Open a shell in a new container of web, and remove it afterwards"),
        Example("run --rm --no-deps -T web env", "Print what web would have in its environment, for a pipe or a file"),
    ),
    "attach": (Example("attach --no-stdin web", "Show what web writes from now on, and pass signals on to it"),),
    "watch": (
        Example("watch", "Bring the stack up, and files into its containers as they are saved"),
        Example("watch --no-up web", "Only watch, and only for web"),
    ),
    "cp": (
        Example("cp web:/etc/hostname .", "Copy a file out of the container of web"),
        Example("cp compose.yaml web:/tmp", "Copy a file into every container of web"),
    ),
    "export": (Example("export -o web.tar web", "Write the file system of web to an archive"),),
    "build": (
        Example("build", "Build the images of all services that have a build section"),
        Example("build --check", "Report likely mistakes in the Dockerfiles, and build nothing"),
    ),
    "image build": (
        Example("image build -t shop:1 .", "Build an image from the Dockerfile of this directory"),
        Example("image build --target test --build-arg A=1 .", "Build one stage, with another value of an ARG"),
    ),
    "commit": (Example("commit -m 'with data' web demo:2", "Make an image of what web has changed"),),
    "top": (Example("top web", "Show the processes of web"),),
    "stats": (
        Example("stats", "Watch what each container uses, until Ctrl-C"),
        Example("stats --no-stream --format json", "Measure once, and print JSON"),
    ),
    "ui": (
        Example("ui", "Watch and manage every stack in the terminal, until q"),
        Example("ui shop", "Show only the stack shop"),
    ),
    "port": (
        Example("port web 80", "Print where port 80 of web is published"),
        Example("port web", "Print where every port of web is published"),
    ),
    "inspect": (
        Example("inspect web", "Describe every container of web"),
        Example("inspect -f '{{.State.Status}}' web db", "Print the states of two services' containers"),
    ),
    "volumes": (Example("volumes -q", "Print only the names of the stack's volumes"),),
    "volume": (Example("volume ls", "List volumes of all stacks"),),
    "volume ls": (
        Example("volume ls", "List volumes of all stacks"),
        Example("volume ls -q --filter dangling=true", "Print the names of volumes that no container uses"),
    ),
    "volume inspect": (
        Example("volume inspect -f '{{.Mountpoint}}' backup", "Print the directory that holds a volume's data"),
    ),
    "volume create": (Example("volume create --label kept=yes backup", "Create a volume with a label"),),
    "volume rm": (Example("volume rm backup", "Remove one volume with its data"),),
    "volume prune": (
        Example("volume prune --force", "Remove anonymous volumes that no container uses, without asking"),
        Example("volume prune -a --filter label=temporary -f", "Remove every unused volume with a label"),
    ),
    "network": (Example("network ls", "List networks of all stacks"),),
    "network ls": (
        Example("network ls", "List networks of all stacks"),
        Example("network ls -q --filter dangling=true", "Print the IDs of networks that nothing uses"),
    ),
    "network inspect": (
        Example("network inspect -f '{{.Bridge}}' stack_default", "Print the interface of one network"),
    ),
    "network create": (
        Example("network create shared", "Create a network for stacks that declare it as external"),
        Example("network create --subnet 10.80.0.0/24 inner", "Create one with a subnet of your choice"),
    ),
    "network connect": (Example("network connect stack_default stack-web-1", "Connect a container to a network"),),
    "network disconnect": (Example("network disconnect stack_default stack-web-1", "Take a container off a network"),),
    "network rm": (Example("network rm -f stack_default", "Remove one network, if it exists"),),
    "network prune": (Example("network prune --force", "Remove all unused networks, without asking"),),
    "config": (
        Example("config -q", "Only check the file"),
        Example("config --explain web.image", "Show where a value comes from"),
    ),
    "publish": (
        Example("publish registry.example.com/team/shop:1", "Publish the Compose files; run up -f oci://... elsewhere"),
        Example("publish --dry-run localhost:5000/shop", "Show what would be published, and what is left out"),
    ),
    "plan": (
        Example("plan", "Show what up would change"),
        Example("plan --out plan.json", "Keep the plan, for orchestra apply"),
    ),
    "apply": (Example("apply plan.json", "Do what the plan says; refuse if something else would be done by now"),),
    "history": (
        Example("history", "List the last changes of the stack, the newest first"),
        Example("history 1", "Show which attributes revision 1 changed"),
    ),
    "why": (
        Example("why", "Explain everything that is wrong"),
        Example("why web", "Explain the state of one service"),
    ),
    "test": (
        Example("test", "Run every scenario of this directory"),
        Example("test --simulate 100", "Simulate each in a hundred lives full of troubles"),
    ),
    "rollback": (
        Example("rollback", "Undo the last change"),
        Example("rollback --wait 1", "Go back to revision 1, and wait until everything is healthy"),
    ),
    "graph": (
        Example("graph", "Draw which services depend on which"),
        Example("graph --volumes --format svg", "Print an image, with the volumes that services use"),
    ),
    "events": (Example("events --json", "Print events as JSON, one object per line"),),
    "enable": (
        Example("enable", "Have the stack come back whenever the machine starts"),
        Example("enable --now", "Bring it up as well, and have systemd watch it from now on"),
    ),
    "disable": (Example("disable", "Leave the stack running, but do not bring it back at the next boot"),),
    "recover": (Example("-p stack recover", "Bring a stack back after a boot without systemd"),),
    "ls": (Example("ls -a", "List every stack, including those without running containers"),),
    "version": (Example("version --short", "Print only the version number"),),
    "api": (
        Example("api", "Let Docker's clients see the stacks, and run containers here"),
        Example("api --read-only --stack shop --idle 60", "Let them only see the stack shop, while they ask"),
    ),
    "metrics": (
        Example("metrics", "Print what the containers of all stacks use, and how they are"),
        Example("metrics --listen 127.0.0.1:9323", "Let Prometheus ask for it"),
    ),
    "web": (
        Example("web", "Show the stack in the browser, at the address that is printed"),
        Example("web --read-only --listen 127.0.0.1:8080", "Let it only be looked at, at another port"),
    ),
    "unshare": (
        Example("unshare ls -ln ~/.local/share/orchestra/volumes", "See owners of files as containers see them"),
        Example("unshare chown -R 0:0 data", "Get back files that a container's user has written"),
    ),
    "doctor": (Example("doctor", "Check whether this machine can run containers"),),
    "help": (
        Example("help up", "Describe a command and its options"),
        Example("help image", "List the commands of a group"),
    ),
    "completion": (
        Example("completion bash", "Print the script; see orchestra-completion(1) for where to put it"),
        Example("completion fish", "Print the script for fish"),
    ),
    "pull": (
        Example("pull", "Fetch the images of all services"),
        Example("pull --policy missing --include-deps web", "Fetch what web and its dependencies lack"),
    ),
    "push": (Example("push web", "Send the image of web to its registry"),),
    "images": (Example("images --format json", "Print the images of the stack's containers as JSON"),),
    "image": (Example("image ls", "List images"),),
    "image ls": (
        Example("image ls", "List images"),
        Example("image ls --format '{{.ID}} {{.Size}}' '*demo*'", "Print two columns of the images with such a name"),
    ),
    "image inspect": (Example("image inspect -f '{{.Config.Cmd}}' demo:1", "Print the default command of an image"),),
    "image history": (Example("image history --no-trunc demo:1", "Show the steps of an image in full"),),
    "image pull": (Example("image pull --platform linux/arm64 alpine:3.20", "Fetch an image for another platform"),),
    "image push": (
        Example("image push localhost:5000/demo:1", "Send an image to the registry that its name begins with"),
    ),
    "image rm": (Example("image rm demo:1", "Remove one name, and the image with its last name"),),
    "image prune": (Example("image prune --all --force", "Remove every image that no container uses, without asking"),),
    "image save": (Example("image save -o demo.tar demo:1", "Write an image to an archive"),),
    "image load": (Example("image load -i demo.tar", "Read images from an archive"),),
    "image tag": (Example("image tag demo:1 localhost:5000/demo:1", "Give an image the name that a push needs"),),
    "image import": (Example("image import -c 'CMD sh' root.tar demo:1", "Make an image with a default command"),),
    "image fsck": (Example("image fsck --repair", "Check all images, and remove damaged parts"),),
    "system": (Example("system df", "Show how much space images, containers and volumes take"),),
    "system df": (Example("system df -v", "List each image, container, volume and log with its size"),),
    "system prune": (Example("system prune --force", "Remove what dead stacks left behind, without asking"),),
}
"""Examples by the command's name; groups have some too, and the empty name stands for the whole program."""


def render_examples(name: str, width: int) -> str:
    """The last part of a command's help, '' for a command without examples."""
    text = ""
    for example in EXAMPLES.get(name, ()):
        meaning = textwrap.fill(example.meaning, width, initial_indent="    ", subsequent_indent="    ")
        text += f"  {example.command_line}\n{meaning}\n"
    return text and f"\nExamples:\n{text}"
