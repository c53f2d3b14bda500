"""The commands for images, as rows of the command table. Names and letters are Docker's and Docker Compose's."""

from __future__ import annotations

from orchestra.cli.syntax import Argument, Command
from orchestra.command_line.option import FLAG, LIST, TEXT, Option

SERVICES = Argument("services", "[SERVICE]...", "Services (default: all)", many=True)
REFERENCES = Argument("references", "REFERENCE...", "Image names or IDs", many=True, some=True)
QUIET = Option("quiet", ("-q", "--quiet"), FLAG, "Do not show progress")
IDS = Option("quiet", ("-q", "--quiet"), FLAG, "Show only IDs")
NO_TRUNC = Option("no_trunc", ("--no-trunc",), FLAG, "Do not truncate output")
TEMPLATE = Option(
    "format", ("--format",), TEXT, "Output as table, json, or a template such as {{.ID}}", "table", "FORMAT"
)
PLATFORM = Option("platform", ("--platform",), TEXT, "Platform of the image", metavar="OS/ARCH[/VARIANT]")
INCLUDE_DEPS = Option("include_deps", ("--include-deps",), FLAG, "Include the services' dependencies")

IMAGE_COMMANDS = (
    Command(
        "pull",
        "pull",
        "Pull service images",
        (
            Option("ignore_failures", ("--ignore-pull-failures",), FLAG, "Continue if an image cannot be pulled"),
            Option("ignore_buildable", ("--ignore-buildable",), FLAG, "Ignore images that can be built"),
            INCLUDE_DEPS,
            Option("policy", ("--policy",), TEXT, "When to pull images", choices=("missing", "always")),
            QUIET,
            *(
                Option(name.replace("-", "_"), (f"--{name}",), FLAG, "No effect; kept for scripts", hidden=True)
                for name in ("parallel", "no-parallel")
            ),
        ),
        (SERVICES,),
    ),
    Command(
        "push",
        "push",
        "Push service images",
        (
            Option("ignore_failures", ("--ignore-push-failures",), FLAG, "Continue if an image cannot be pushed"),
            INCLUDE_DEPS,
            QUIET,
        ),
        (SERVICES,),
    ),
    Command(
        "images",
        "images",
        "List images used by the stack's containers",
        (TEMPLATE, IDS),
        (SERVICES,),
    ),
    Command(
        "image ls",
        "image.ls",
        "List images",
        (
            Option("all", ("-a", "--all"), FLAG, "Include images without a name"),
            IDS,
            Option("digests", ("--digests",), FLAG, "Show digests"),
            NO_TRUNC,
            TEMPLATE,
        ),
        (Argument("reference", "[REFERENCE]", "Show only images with this name; * matches anything", optional=True),),
    ),
    Command(
        "image inspect",
        "image.inspect",
        "Print detailed information about images",
        (
            Option("attestations", ("--attestations",), FLAG, "Print the attestations that are attached to them"),
            Option(
                "format",
                ("-f", "--format"),
                TEXT,
                "Output as json, or a template such as {{.Config.Env}}",
                "json",
                "FORMAT",
            ),
        ),
        (REFERENCES,),
    ),
    Command(
        "image history",
        "image.history",
        "Show the history of an image",
        (IDS, NO_TRUNC, TEMPLATE),
        (Argument("reference", "REFERENCE", "Image name or ID"),),
    ),
    Command("image pull", "image.pull", "Pull images", (PLATFORM, QUIET), (REFERENCES,)),
    Command("image push", "image.push", "Push images", (QUIET,), (REFERENCES,)),
    Command(
        "image rm",
        "image.rm",
        "Remove images",
        (Option("force", ("-f", "--force"), FLAG, "Remove all names of an ID, even if the image is in use"),),
        (REFERENCES,),
    ),
    Command(
        "image prune",
        "image.prune",
        "Remove unused images",
        (
            Option("all", ("-a", "--all"), FLAG, "Remove all unused images, not only unnamed ones"),
            Option("build_cache", ("--build-cache",), FLAG, "Also remove results and caches of builds"),
            Option("keep", ("--keep-storage",), TEXT, "With --build-cache: keep what was used last", metavar="BYTES"),
            Option("force", ("-f", "--force"), FLAG, "Do not ask for confirmation"),
        ),
    ),
    Command(
        "image save",
        "image.save",
        "Save images to a tar archive",
        (Option("output", ("-o", "--output"), TEXT, "Write to a file instead of standard output", metavar="FILE"),),
        (REFERENCES,),
    ),
    Command(
        "image load",
        "image.load",
        "Load images from a tar archive",
        (
            Option("input", ("-i", "--input"), TEXT, "Read from a file instead of standard input", metavar="FILE"),
            PLATFORM,
            Option("quiet", ("-q", "--quiet"), FLAG, "Print nothing"),
        ),
    ),
    Command(
        "image tag",
        "image.tag",
        "Give an image another name",
        (),
        (
            Argument("source", "SOURCE", "Image name or ID"),
            Argument("target", "TARGET", "New name"),
        ),
    ),
    Command(
        "image import",
        "image.import_",
        "Create an image from a root file system in a tar archive",
        (
            Option(
                "changes",
                ("-c", "--change"),
                LIST,
                "Apply a Dockerfile instruction, such as CMD",
                metavar="INSTRUCTION",
            ),
            Option("message", ("-m", "--message"), TEXT, "Comment in the history of the image", metavar="TEXT"),
            PLATFORM,
        ),
        (
            Argument("file", "FILE", "Tar archive; - for standard input"),
            Argument("name", "[NAME]", "Name for the image", optional=True),
        ),
    ),
    Command(
        "image fsck",
        "image.fsck",
        "Check images for damage (exit code 1: damaged)",
        (Option("repair", ("--repair",), FLAG, "Remove damaged data so that it is pulled again"),),
    ),
    Command(
        "system df",
        "disk",
        "Show disk usage",
        (Option("verbose", ("-v", "--verbose"), FLAG, "Show each image, container, volume and log"), TEMPLATE),
    ),
)
