"""Every endpoint: the only list of them, which the server, the read-only mode and the documentation use."""

from __future__ import annotations

from orchestra.engine_api import networks, system, volumes
from orchestra.engine_api.containers import archive, attach, create, execute, life_cycle, logs, look, top, update
from orchestra.engine_api.images import build, change, prune
from orchestra.engine_api.images import look as images
from orchestra.engine_api.route import Route

SWARM = ("swarm", "nodes", "services", "tasks", "secrets", "configs")

ROUTES = (
    Route("GET", "/_ping", system.ping, "Whether the engine answers"),
    Route("HEAD", "/_ping", system.ping, "The same, headers only"),
    Route("GET", "/version", system.version, "Version of the engine and of the API"),
    Route("GET", "/info", system.info, "The machine, and how many containers and images there are"),
    Route("GET", "/events", system.events, "Events of all stacks, as they happen or since a time"),
    Route("GET", "/system/df", system.disk, "Disk usage"),
    Route("POST", "/auth", system.authenticate, "Accepted as it is: credentials come with each request"),
    Route("GET", "/plugins", system.no_plugins, "Always empty"),
    Route("POST", "/session", system.no_session, "Refused: there is no BuildKit session"),
    Route("POST", "/grpc", system.no_session, "Refused: there is no BuildKit session"),
    Route("GET", "/containers/json", look.list_containers, "List containers"),
    Route("POST", "/containers/create", create.create_container, "Create a container", writes=True),
    Route("POST", "/containers/prune", life_cycle.prune, "Remove stopped containers made here", writes=True),
    Route("GET", "/containers/{name}/json", look.inspect_container, "Everything about a container"),
    Route("GET", "/containers/{name}/top", top.top, "Processes of a container"),
    Route("GET", "/containers/{name}/logs", logs.logs, "Output of a container"),
    Route("GET", "/containers/{name}/changes", look.changes, "Files changed in a container"),
    Route("GET", "/containers/{name}/export", archive.export, "File system of a container as an archive"),
    Route("GET", "/containers/{name}/stats", look.stats, "Resource usage of a container"),
    Route("POST", "/containers/{name}/resize", attach.resize, "Size of a container's terminal", writes=True),
    Route("POST", "/containers/{name}/start", life_cycle.start, "Start a container", writes=True),
    Route("POST", "/containers/{name}/stop", life_cycle.stop, "Stop a container", writes=True),
    Route("POST", "/containers/{name}/restart", life_cycle.restart, "Restart a container", writes=True),
    Route("POST", "/containers/{name}/kill", life_cycle.kill, "Send a signal to a container", writes=True),
    Route("POST", "/containers/{name}/update", update.update, "Change limits and restart policy", writes=True),
    Route("POST", "/containers/{name}/rename", create.rename, "Rename a container made here", writes=True),
    Route("POST", "/containers/{name}/pause", life_cycle.pause, "Suspend the processes of a container", writes=True),
    Route("POST", "/containers/{name}/unpause", life_cycle.unpause, "Resume the processes of a container", writes=True),
    Route("POST", "/containers/{name}/attach", attach.attach_container, "Standard streams of a container", writes=True),
    Route("GET", "/containers/{name}/attach/ws", attach.attach_by_websocket, "The same by WebSocket", writes=True),
    Route("POST", "/containers/{name}/wait", life_cycle.wait, "Wait for a container to end"),
    Route("DELETE", "/containers/{name}", life_cycle.remove, "Remove a container", writes=True),
    Route("HEAD", "/containers/{name}/archive", archive.stat_path, "What is at a path in a container"),
    Route("GET", "/containers/{name}/archive", archive.get_archive, "Files of a container as an archive"),
    Route("PUT", "/containers/{name}/archive", archive.put_archive, "Copy files into a container", writes=True),
    Route("POST", "/containers/{name}/exec", execute.create_execution, "Prepare a command in a container", writes=True),
    Route("POST", "/exec/{id}/start", execute.start_execution, "Run that command", writes=True),
    Route("POST", "/exec/{id}/resize", execute.resize_execution, "Size of its terminal", writes=True),
    Route("GET", "/exec/{id}/json", execute.inspect_execution, "How it is going"),
    Route("POST", "/commit", archive.commit, "Create an image from a container", writes=True),
    Route("GET", "/images/json", images.list_images, "List images"),
    Route("POST", "/images/create", change.create_image, "Pull an image, or import one", writes=True),
    Route("GET", "/images/search", change.search, "Refused: registries are not searched"),
    Route("POST", "/images/prune", prune.prune, "Remove unused images", writes=True),
    Route("GET", "/images/get", change.save, "Images as an archive"),
    Route("POST", "/images/load", change.load, "Load images from an archive", writes=True),
    Route("GET", "/images/{name:path}/json", images.inspect_image, "Everything about an image"),
    Route("GET", "/images/{name:path}/history", images.history, "How an image was made"),
    Route("GET", "/images/{name:path}/get", change.save_one, "An image as an archive"),
    Route("POST", "/images/{name:path}/push", change.push_image, "Push an image to its registry", writes=True),
    Route("POST", "/images/{name:path}/tag", change.tag_image, "Give an image another name", writes=True),
    Route("DELETE", "/images/{name:path}", change.remove_image, "Remove an image", writes=True),
    Route("GET", "/distribution/{name:path}/json", change.distribution, "The digest of an image at its registry"),
    Route("POST", "/build", build.build_image, "Build an image with the classic builder", writes=True),
    Route("POST", "/build/prune", system.prune_builds, "Remove the build cache", writes=True),
    Route("GET", "/networks", networks.list_all, "List networks"),
    Route("POST", "/networks/create", networks.create, "Create a network", writes=True),
    Route("POST", "/networks/prune", networks.prune, "Remove unused networks made by hand", writes=True),
    Route("GET", "/networks/{id}", networks.inspect, "A network and its containers"),
    Route("DELETE", "/networks/{id}", networks.remove, "Remove a network", writes=True),
    Route("POST", "/networks/{id}/connect", networks.connect_container, "Connect a container", writes=True),
    Route("POST", "/networks/{id}/disconnect", networks.disconnect_container, "Disconnect a container", writes=True),
    Route("GET", "/volumes", volumes.list_all, "List volumes"),
    Route("POST", "/volumes/create", volumes.create, "Create a volume", writes=True),
    Route("POST", "/volumes/prune", volumes.prune, "Remove unused volumes", writes=True),
    Route("GET", "/volumes/{name}", volumes.inspect, "A volume"),
    Route("DELETE", "/volumes/{name}", volumes.remove, "Remove a volume", writes=True),
    *(Route("GET", f"/{kind}", system.no_swarm, "Refused: this is no swarm") for kind in SWARM),
    *(Route("GET", f"/{kind}/{{id:path}}", system.no_swarm, "Refused: this is no swarm") for kind in SWARM),
    *(
        Route(method, f"/{kind}/{{id:path}}", system.no_swarm, "Refused: this is no swarm", writes=True)
        for kind in SWARM
        for method in ("POST", "DELETE")
    ),
)
