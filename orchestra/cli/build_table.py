"""The commands that build images, as rows of the command table. Names and letters are Docker's and Docker Compose's."""

from __future__ import annotations

from orchestra.cli.image_table import SERVICES
from orchestra.cli.syntax import Argument, Command
from orchestra.command_line.option import FLAG, LIST, TEXT, Option

BUILD = Option("build", ("--build",), FLAG, "Build images before starting containers")
NO_BUILD = Option("no_build", ("--no-build",), FLAG, "Do not build images, even if they are missing")
QUIET_BUILD = Option("quiet_build", ("--quiet-build",), FLAG, "Build images without showing progress")

_ARGUMENTS = Option("arguments", ("--build-arg",), LIST, "Set a variable of the Dockerfile", metavar="NAME=VALUE")
_NO_CACHE = Option("no_cache", ("--no-cache",), FLAG, "Do not use results of earlier builds")
_PULL = Option("pull", ("--pull",), FLAG, "Always look for newer base images")
_BUILDER = Option(
    "builder",
    ("--builder",),
    TEXT,
    "Program that builds; default is Orchestra itself",
    choices=("default", "buildah", "docker"),
)
_PROVENANCE = Option("provenance", ("--provenance",), TEXT, "Add a provenance attestation", metavar="true|mode=min,…")
_SBOM = Option("sbom", ("--sbom",), TEXT, "Add a bill of materials as an attestation", metavar="true|false")
_QUIET = Option("quiet", ("-q", "--quiet"), FLAG, "Show no progress; print the IDs of the images")

BUILD_COMMANDS = (
    Command(
        "build",
        "build",
        "Build or rebuild the images of services",
        (
            _ARGUMENTS,
            _BUILDER,
            Option("check", ("--check",), FLAG, "Check the Dockerfiles; build nothing"),
            Option("memory", ("-m", "--memory"), TEXT, "No effect; kept for scripts", metavar="BYTES", hidden=True),
            _NO_CACHE,
            Option("print", ("--print",), FLAG, "Print what is to be built, as JSON for docker buildx bake"),
            _PROVENANCE,
            _PULL,
            Option("push", ("--push",), FLAG, "Push the images after they are built"),
            _QUIET,
            _SBOM,
            Option("ssh", ("--ssh",), TEXT, "SSH agent for the builds", metavar="default|ID[=SOCKET|KEY,…]"),
            Option("with_dependencies", ("--with-dependencies",), FLAG, "Also build the services' dependencies"),
            *(
                Option(name.replace("-", "_"), (f"--{name}",), FLAG, "No effect; kept for scripts", hidden=True)
                for name in ("compress", "force-rm", "no-rm", "parallel")
            ),
        ),
        (SERVICES,),
    ),
    Command(
        "image build",
        "image.build",
        "Build an image from a Dockerfile",
        (
            Option("tags", ("-t", "--tag"), LIST, "Name of the image; repeat for more", metavar="NAME"),
            Option("dockerfile", ("-f", "--file"), TEXT, "Dockerfile; - for standard input", metavar="FILE"),
            _ARGUMENTS,
            Option("target", ("--target",), TEXT, "Stage to build", metavar="STAGE"),
            _NO_CACHE,
            Option("no_cache_filter", ("--no-cache-filter",), LIST, "Stages to build anew", metavar="STAGE"),
            _BUILDER,
            _PULL,
            Option("labels", ("--label",), LIST, "Set a label of the image", metavar="NAME=VALUE"),
            Option("secrets", ("--secret",), LIST, "Secret for commands", metavar="id=ID[,src=FILE|,env=NAME]"),
            Option("ssh", ("--ssh",), LIST, "SSH agent for commands", metavar="default|ID[=SOCKET|KEY,…]"),
            Option("contexts", ("--build-context",), LIST, "Named context", metavar="NAME=DIR|IMAGE"),
            Option("cache_from", ("--cache-from",), LIST, "Take over results of builds elsewhere", metavar="CACHE"),
            Option("cache_to", ("--cache-to",), LIST, "Leave results for builds elsewhere", metavar="CACHE"),
            Option("network", ("--network",), TEXT, "Network of commands", choices=("default", "none", "host")),
            Option("hosts", ("--add-host",), LIST, "Add a line to /etc/hosts of commands", metavar="NAME:ADDRESS"),
            Option("entitlements", ("--allow",), LIST, "Allow network.host, security.insecure, device", metavar="NAME"),
            Option("platform", ("--platform",), TEXT, "Platforms of the image", metavar="OS/ARCH[/VARIANT],…"),
            Option("attestations", ("--attest",), LIST, "Add an attestation", metavar="type=provenance|sbom,…"),
            _PROVENANCE,
            _SBOM,
            Option("id_file", ("--iidfile",), TEXT, "Write the ID of the image to a file", metavar="FILE"),
            _QUIET,
        ),
        (Argument("path", "PATH", "Directory, tar archive or Git repository; - for standard input"),),
    ),
)
