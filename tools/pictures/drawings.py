"""What there is to see: the floors, the processes, the way of a packet, the life of a container."""

from __future__ import annotations

from pathlib import Path

from tools.pictures.svg import Drawing

FOLDER = Path(__file__).parents[2] / "docs" / "pictures"

_FLOORS = (
    (("cli",), ("api",)),
    (("stacks",),),
    (("control",),),
    (("driver.local",), ("driver.fake",), ("oci_cli",)),
    (("engine",),),
    (("build",), ("compose",), ("plan",)),
    (("model",), ("graph",), ("shim", "above names, container")),
    (("errors, units",), ("home",), ("linux",), ("command_line",), ("record",)),
)
"""From the top floor down; each place is a name and smaller lines below it."""


def _floors() -> Drawing:
    drawing = Drawing(720, 415, "Packages on eight floors: each imports only from floors below it")
    for row, packages in enumerate(_FLOORS):
        top, width = 10 + row * 50, (640 - 10 * (len(packages) - 1)) // len(packages)
        drawing.text(24, top + 25, str(7 - row), kind="name")
        for column, (name, *lines) in enumerate(packages):
            drawing.box(60 + column * (width + 10), top, width, 40, name, *lines)
    return drawing


def _processes() -> Drawing:
    drawing = Drawing(720, 380, "The fork server starts the supervisor, and the shims start the containers' programs")
    drawing.box(10, 20, 150, 60, "orchestra up", "ends when all runs")
    drawing.frame(210, 10, 500, 360, "one stack")
    drawing.box(225, 40, 190, 60, "supervisor", "decides and acts", kind="strong")
    drawing.box(490, 40, 200, 60, "resolver", "answers names")
    drawing.box(225, 160, 190, 60, "fork server", "starts processes", kind="strong")
    drawing.box(225, 280, 190, 60, "zygote", "forks first processes")
    drawing.box(490, 160, 200, 60, "shims", "streams, logs, exit codes", kind="strong")
    drawing.box(490, 270, 200, 36, "program of shop-web-1")
    drawing.box(490, 318, 200, 36, "program of shop-db-1")
    drawing.arrow((160, 50), (223, 50), label="asks", at=(184, 42))
    drawing.arrow((290, 160), (290, 102), label="restarts", at=(258, 135))
    drawing.arrow((340, 102), (340, 158), label="asks", at=(362, 135))
    drawing.arrow((415, 70), (488, 70), label="sockets", at=(450, 62))
    drawing.arrow((415, 170), (455, 170), (455, 90), (488, 90))
    drawing.arrow((415, 190), (488, 190), label="starts", at=(450, 205))
    drawing.arrow((520, 220), (520, 250), (315, 250), (315, 278), label="asks", at=(420, 244))
    drawing.arrow((415, 300), (488, 288), label="forks", at=(449, 286))
    drawing.arrow((415, 320), (488, 336))
    drawing.arrow((640, 220), (640, 268), label="parent of", at=(672, 248))
    return drawing


def _packets() -> Drawing:
    drawing = Drawing(720, 300, "A packet to a published port goes by nftables rules and a bridge into the container")
    drawing.box(10, 60, 130, 60, "client", "machine:8080")
    drawing.frame(165, 10, 545, 280, "this machine")
    drawing.box(185, 60, 140, 60, "nftables", "8080 → 10.128.0.2:80", kind="strong")
    drawing.box(350, 60, 130, 60, "bridge", "10.128.0.1/24")
    drawing.frame(535, 40, 165, 240, "network namespace")
    drawing.box(550, 65, 135, 50, "eth0", "10.128.0.2")
    drawing.box(550, 140, 135, 50, "web", "listens on port 80", kind="strong")
    drawing.box(550, 215, 135, 50, "127.0.0.11", "name server")
    drawing.box(185, 218, 140, 50, "resolver", "answers names")
    drawing.box(185, 150, 140, 50, "program here", "127.0.0.1:8080")
    drawing.arrow((140, 90), (183, 90))
    drawing.arrow((255, 150), (255, 122))
    drawing.arrow((325, 90), (348, 90))
    drawing.arrow((480, 90), (548, 90), label="veth", at=(507, 82))
    drawing.arrow((617, 115), (617, 138))
    drawing.arrow((617, 190), (617, 213), label="asks", at=(640, 206))
    drawing.arrow((325, 243), (548, 243), label="answers", at=(430, 236))
    return drawing


def _life() -> Drawing:
    title = (
        "A container is created, started, running, healthy or unhealthy, and exited; then it runs again or is removed"
    )
    drawing = Drawing(600, 330, title)
    drawing.box(10, 130, 120, 50, "created", "no process")
    drawing.box(240, 130, 120, 50, "running", kind="strong")
    drawing.box(470, 30, 120, 50, "healthy", kind="strong")
    drawing.box(470, 130, 120, 50, "unhealthy")
    drawing.box(240, 260, 120, 50, "exited", "keeps its files")
    drawing.box(10, 260, 120, 50, "removed", "volumes stay")
    drawing.arrow((130, 155), (238, 155), label="up", at=(184, 147))
    drawing.arrow((300, 130), (300, 55), (468, 55), label="a probe succeeds", at=(384, 47))
    drawing.arrow((360, 155), (468, 155), label="probes fail", at=(414, 147))
    drawing.arrow((510, 82), (510, 128))
    drawing.arrow((550, 128), (550, 82))
    drawing.arrow((275, 180), (275, 258), label="ends", at=(256, 224))
    drawing.arrow((325, 260), (325, 182), label="restart policy, up", at=(382, 224))
    drawing.arrow((240, 285), (132, 285), label="down, replaced", at=(186, 277))
    drawing.arrow((70, 260), (70, 182), label="replaced", at=(100, 224))
    return drawing


DRAWINGS = {"floors": _floors(), "processes": _processes(), "packets": _packets(), "life": _life()}
