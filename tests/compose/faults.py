"""Single faults of a Compose file, each with the code it is told by. Pure data.

A fault is a fragment of a file: of a service (``SERVICE``, without an image of its own unless it brings one), or of the
top level (``TOP``). ``@`` stands for a name that no other fault has.
"""

from __future__ import annotations

IMAGE = "    image: 'rootfs:/'\n"

# What is wrong in a service: the fragment under its name, and the code.
SERVICE: dict[str, tuple[str, str]] = {
    # Reading
    "a key twice": ("    user: a\n    user: b\n", "duplicate-key"),
    "a tag that is not known": ("    user: !mine a\n", "yaml"),
    "a key that is a number": ("    environment: {1: a}\n", "wrong-type"),
    "a merge key of a text": ("    labels: {<<: text}\n", "wrong-type"),
    "a text with NUL": ('    user: "a\\0"\n', "invalid-value"),
    # Variables
    "an open brace": ("    user: '${'\n", "interpolation"),
    "a required variable": ("    user: '${@_USER:?}'\n", "missing-variable"),
    "a required variable for a policy": ("    restart: '${@_POLICY:?}'\n", "missing-variable"),
    "a required variable in a list": ("    ports: ['${@_PORT:?}', '80']\n", "missing-variable"),
    "a required variable for a size": ("    mem_limit: '${@_SIZE:?}'\n", "missing-variable"),
    "a required variable for a command": ("    command: '${@_COMMAND:?}'\n", "missing-variable"),
    "a required variable for an address": ("    extra_hosts: {db: '${@_HOST:?}'}\n", "missing-variable"),
    "a required variable for a mapping": ("    build: '${@_BUILD:?}'\n", "missing-variable"),
    # Short forms
    "a port that is a word": ("    ports: ['80:http']\n", "invalid-port"),
    "a port too high": ("    ports: ['99999']\n", "invalid-port"),
    "ranges of ports that differ": ("    ports: ['80-82:80-81']\n", "invalid-port"),
    "a volume with too many parts": ("    volumes: ['aa:/b:ro:z']\n", "invalid-volume"),
    "a device with too many parts": ("    devices: ['/dev/a:/dev/b:rwm:x']\n", "invalid-device"),
    "a host without an address": ("    extra_hosts: [db]\n", "invalid-host"),
    "a quote that is never closed": ("    command: echo 'a\n", "invalid-command"),
    "a variable that is a mapping": ("    environment: [{A: 1}]\n", "wrong-type"),
    # The schema
    "an unknown key": ("    imagge: x\n", "unknown-key"),
    "an unknown key below": ("    healthcheck: {tests: [NONE]}\n", "unknown-key"),
    "a list for a text": ("    user: [a]\n", "wrong-type"),
    "a number for a text": ("    user: 1000\n", "wrong-type"),
    "a number for a list": ("    cap_add: 80\n", "wrong-type"),
    "a text for a mapping": ("    deploy: text\n", "wrong-type"),
    "a word for a size": ("    mem_limit: much\n", "invalid-value"),
    "a word for a duration": ("    stop_grace_period: long\n", "invalid-value"),
    "a word for a duration below": ("    healthcheck: {test: [CMD, a], interval: 1x}\n", "invalid-value"),
    "a word for a number": ("    scale: many\n", "wrong-type"),
    "a word for a boolean": ("    init: perhaps\n", "wrong-type"),
    "a word for a mode": ("    secrets: [{source: good, mode: rwx}]\n", "wrong-type"),
    "a condition that is none": ("    depends_on: {good: {condition: ready}}\n", "invalid-value"),
    "an entry of a list that is a mapping": ("    cap_add: [CHOWN, {a: b}]\n", "wrong-type"),
    "a limit without its half": ("    ulimits: {nofile: {soft: 1}}\n", "missing-key"),
    # What must agree
    "a policy that is none": ("    restart: sometimes\n", "invalid-value"),
    "a pull policy that is none": ("    pull_policy: often\n", "invalid-value"),
    "a test that begins with nothing known": ("    healthcheck: {test: [curl, a]}\n", "invalid-value"),
    "a volume without a target": ("    volumes: [{type: bind, source: /a}]\n", "missing-key"),
    "a bind without a source": ("    volumes: [{type: bind, target: /a}]\n", "missing-key"),
    "two mounts at one place": ("    volumes: ['/a:/x', {type: bind, source: /b, target: /x/.}]\n", "conflict"),
    "a port of zero": ("    ports: [{target: 0}]\n", "invalid-port"),
    "a published word": ("    ports: [{target: 80, published: http}]\n", "invalid-port"),
    "an undefined network": ("    networks: [nowhere@]\n", "undefined"),
    "an undefined volume": ("    volumes: ['nowhere@:/a']\n", "undefined"),
    "an undefined secret": ("    secrets: [nowhere@]\n", "undefined"),
    "an undefined config": ("    configs: [nowhere@]\n", "undefined"),
    "an undefined dependency": ("    depends_on: [nowhere@]\n", "undefined"),
    "an undefined link": ("    links: [nowhere@]\n", "undefined"),
    "an undefined source of volumes": ("    volumes_from: [nowhere@]\n", "undefined"),
    "an undefined service to share with": ("    network_mode: 'service:nowhere@'\n", "undefined"),
    "an unknown namespace": ("    ipc: sideways\n", "invalid-value"),
    "health that never comes": ("    depends_on: {good: {condition: service_healthy}}\n", "no-healthcheck"),
    "a network and none": ("    network_mode: host\n    networks: [known]\n", "conflict"),
    "limits that differ": (
        "    mem_limit: 1m\n    deploy: {resources: {limits: {memory: 2m}}}\n",
        "conflict",
    ),
    "two containers of one name": ("    container_name: one@\n    scale: 2\n", "conflict"),
    "less than no containers": ("    scale: -1\n", "invalid-value"),
    "a name of a container that is a path": ("    container_name: ../@\n", "invalid-name"),
    "a capability that is none": ("    cap_add: [SYS_ADMINN]\n", "invalid-value"),
    "a port to expose that is none": ("    expose: [http]\n", "invalid-value"),
    "a score out of range": ("    oom_score_adj: 5000\n", "invalid-value"),
    "a negative interval": ("    healthcheck: {test: [CMD, a], interval: -1s}\n", "invalid-value"),
    "less than no retries": ("    healthcheck: {test: [CMD, a], retries: -1}\n", "invalid-value"),
    "a set of processors that is none": ("    cpuset: many\n", "invalid-value"),
    "a weight too high": ("    blkio_config: {weight: 5000}\n", "invalid-value"),
    "a rule for devices that is none": ("    device_cgroup_rules: [all]\n", "invalid-value"),
    "a service that depends on itself": ("    depends_on: [@]\n", "cycle"),
    # What other files say
    "an env file that is not there": ("    env_file: nowhere@.env\n", "file-not-found"),
    "an env file that is a directory": ("    env_file: ./directory\n", "file-not-found"),
    "a label file that is not there": ("    label_file: nowhere@.labels\n", "file-not-found"),
    "a service to extend that is not there": ("    extends: nowhere@\n", "undefined"),
    "a file to extend that is not there": ("    extends: {file: nowhere@.yaml, service: a}\n", "file-not-found"),
    "a list of services to extend": ("    extends: [good]\n", "wrong-type"),
    "nothing to extend": ("    extends:\n", "wrong-type"),
    "a service that extends itself": ("    extends: @\n", "cycle"),
    # The last pass
    "a size of logs that is none": ("    logging: {options: {max-size: much}}\n", "invalid-value"),
    "a number of logs that is none": ("    logging: {options: {max-file: many}}\n", "invalid-value"),
    "an option of a tmpfs that is none": ("    tmpfs: ['/run:colour=red']\n", "invalid-value"),
}

# Services that are wrong as a whole: everything under the name.
WHOLE: dict[str, tuple[str, str]] = {
    "nothing to run": ("{command: x}", "missing-key"),
    "a list for a service": ("[a]", "wrong-type"),
    "a text for a service": ("text", "wrong-type"),
    "nothing for a service": ("", "wrong-type"),
    "an image that no variable names": ("{image: '${@_IMAGE:?}'}", "missing-variable"),
    "an image that is a list": ("{image: [a]}", "wrong-type"),
    "a build with an unknown key": ("{build: {contexxt: .}}", "unknown-key"),
    "a provider without a type": ("{provider: {}}", "missing-key"),
    "an image that is extended from nowhere": ("{extends: nowhere@}", "undefined"),
    "an image with NUL": ('{image: "a\\0"}', "invalid-value"),
}

# What is wrong beside the services.
TOP: dict[str, tuple[str, str]] = {
    "an unknown key at the top": ("servces@: {}\n", "unknown-key"),
    "a network with an unknown key": ("networks: {n@: {drivver: bridge}}\n", "unknown-key"),
    "a volume that is a list": ("volumes: {v@: [a]}\n", "wrong-type"),
    "a secret without a source": ("secrets: {s@: {}}\n", "conflict"),
    "a config with two sources": ("configs: {c@: {file: ./a, content: b}}\n", "conflict"),
    "a config whose source no variable names": ("configs: {c@: {content: '${@_CONTENT:?}'}}\n", "missing-variable"),
    "a config whose source is a list": ("configs: {c@: {file: [a]}}\n", "wrong-type"),
    "a network of another with a driver": ("networks: {n@: {external: true, driver: bridge}}\n", "conflict"),
    "a name of a volume that is a path": ("volumes: {v@: {name: ../x}}\n", "invalid-name"),
    "a key of a volume that is a path": ("volumes: {'../v@': {}}\n", "invalid-name"),
    "a model without a name": ("models: {m@: {}}\n", "missing-key"),
    "two names of a network": ("networks: {n@: {name: a, external: {name: b}}}\n", "conflict"),
    "a file to include that is not there": ("include: [nowhere@.yaml]\n", "file-not-found"),
}
