"""The commands for images, as rows of the command table. Names and letters are Docker's and Docker Compose's."""

from __future__ import annotations

from orchestra.cli.syntax import Argument, Command
from orchestra.command_line.option import FLAG, LIST, TEXT, Option

SERVICES = Argument("services", "[SERVICE]...", "Services; all when none is named", many=True)
REFERENCES = Argument("references", "REFERENCE...", "Names or ids of images", many=True, some=True)
QUIET = Option("quiet", ("-q", "--quiet"), FLAG, "Without progress")
IDS = Option("quiet", ("-q", "--quiet"), FLAG, "Only IDs")
NO_TRUNC = Option("no_trunc", ("--no-trunc",), FLAG, "Do not shorten")
TEMPLATE = Option("format", ("--format",), TEXT, "table, json, or a template such as {{.ID}}", "table", "FORMAT")
PLATFORM = Option("platform", ("--platform",), TEXT, "For this platform", metavar="OS/ARCH[/VARIANT]")
INCLUDE_DEPS = Option("include_deps", ("--include-deps",), FLAG, "With the services that the named ones depend on")

IMAGE_COMMANDS = (
    Command(
        "pull",
        "pull",
        "Fetch the images of services",
        (
            Option("ignore_failures", ("--ignore-pull-failures",), FLAG, "Go on when an image cannot be fetched"),
            Option("ignore_buildable", ("--ignore-buildable",), FLAG, "Without images that can be built"),
            INCLUDE_DEPS,
            Option("policy", ("--policy",), TEXT, "When to ask the registry", choices=("missing", "always")),
            QUIET,
        ),
        (SERVICES,),
    ),
    Command(
        "push",
        "push",
        "Send the images of services to their registries",
        (
            Option("ignore_failures", ("--ignore-push-failures",), FLAG, "Go on when an image cannot be sent"),
            INCLUDE_DEPS,
            QUIET,
        ),
        (SERVICES,),
    ),
    Command(
        "images",
        "images",
        "List the images of the stack's containers",
        (TEMPLATE, IDS),
        (SERVICES,),
    ),
    Command(
        "image ls",
        "image.ls",
        "List images",
        (
            Option("all", ("-a", "--all"), FLAG, "Those without a name too"),
            IDS,
            Option("digests", ("--digests",), FLAG, "With the digests of manifests"),
            NO_TRUNC,
            TEMPLATE,
        ),
        (Argument("reference", "[REFERENCE]", "Only those with this name; * stands for anything", optional=True),),
    ),
    Command(
        "image inspect",
        "image.inspect",
        "Show all about images, as JSON",
        (Option("format", ("-f", "--format"), TEXT, "A template such as {{.Config.Env}}", "json", "FORMAT"),),
        (REFERENCES,),
    ),
    Command(
        "image history",
        "image.history",
        "Show the steps that an image was made by",
        (IDS, NO_TRUNC, TEMPLATE),
        (Argument("reference", "REFERENCE", "Name or id of the image"),),
    ),
    Command("image pull", "image.pull", "Fetch images", (PLATFORM, QUIET), (REFERENCES,)),
    Command("image push", "image.push", "Send images to their registries", (QUIET,), (REFERENCES,)),
    Command(
        "image rm",
        "image.rm",
        "Remove images",
        (Option("force", ("-f", "--force"), FLAG, "All names of an id; names of images that containers use too"),),
        (REFERENCES,),
    ),
    Command(
        "image prune",
        "image.prune",
        "Remove images that nothing needs",
        (
            Option("all", ("-a", "--all"), FLAG, "Every image that no container uses, not only those without a name"),
            Option("force", ("-f", "--force"), FLAG, "Do not ask"),
        ),
    ),
    Command(
        "image save",
        "image.save",
        "Write images to an archive",
        (Option("output", ("-o", "--output"), TEXT, "Write to a file, not to standard output", metavar="FILE"),),
        (REFERENCES,),
    ),
    Command(
        "image load",
        "image.load",
        "Read images from an archive",
        (
            Option("input", ("-i", "--input"), TEXT, "Read from a file, not from standard input", metavar="FILE"),
            PLATFORM,
            Option("quiet", ("-q", "--quiet"), FLAG, "Say nothing"),
        ),
    ),
    Command(
        "image tag",
        "image.tag",
        "Give an image another name",
        (),
        (
            Argument("source", "SOURCE", "Name or id of the image"),
            Argument("target", "TARGET", "Its new name"),
        ),
    ),
    Command(
        "image import",
        "image.import_",
        "Make an image of a root file system in a tar archive",
        (
            Option("changes", ("-c", "--change"), LIST, "A Dockerfile instruction, such as CMD", metavar="INSTRUCTION"),
            Option("message", ("-m", "--message"), TEXT, "What its history says", metavar="TEXT"),
            PLATFORM,
        ),
        (
            Argument("file", "FILE", "The archive; - for standard input"),
            Argument("name", "[NAME]", "Name of the image", optional=True),
        ),
    ),
    Command(
        "image fsck",
        "image.fsck",
        "Check that all images are whole; exit code 1 when one is not",
        (Option("repair", ("--repair",), FLAG, "Drop what is damaged, so that it is fetched again"),),
    ),
    Command(
        "system df",
        "disk",
        "Show what takes space on disk",
        (Option("verbose", ("-v", "--verbose"), FLAG, "Each image, container, volume and log"), TEMPLATE),
    ),
)
