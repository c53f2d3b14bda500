"""Make the four images of the web shop from packages of Debian or Ubuntu, as one OCI image layout:

    python3 images.py DIRECTORY

All share the layer of a small base system, and each has one layer of its own above it. Needs root, Debian or Ubuntu,
and mmdebstrap. Takes less than a minute, most of it downloads. DIRECTORY appears when all four images are complete, so
the command can be run again after a failure.
"""

import gzip
import hashlib
import io
import json
import os
import platform
import shlex
import shutil
import stat
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

MEDIA_TYPE = "application/vnd.oci.image"
ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
OPTIONS = [
    "-oAPT::Install-Recommends=false",
    # Nobody reads them in a container; and PostgreSQL does without the compiler of its queries, half of its size.
    *(
        f"-oDPkg::Options::=--path-exclude={path}"
        for path in ("/usr/share/doc/*", "/usr/share/locale/*", "/usr/share/man/*", "*/libLLVM*", "*/llvmjit*")
    ),
]

RUN_POSTGRES = """#!/bin/sh
# Make the database with the first start, and then be it.
set -e
PATH=$(echo /usr/lib/postgresql/*/bin):$PATH
chown postgres: "$PGDATA"
chmod 700 "$PGDATA"
as="setpriv --reuid=postgres --regid=postgres --clear-groups"
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    echo "$POSTGRES_PASSWORD" > /tmp/password
    chown postgres: /tmp/password
    $as initdb --auth=scram-sha-256 --encoding=UTF8 --locale=C --username=postgres --pwfile=/tmp/password
    rm /tmp/password
    echo "host all all all scram-sha-256" >> "$PGDATA/pg_hba.conf"
fi
exec $as postgres -c listen_addresses='*' -c unix_socket_directories=/tmp
"""

# Packages; files besides them, with their modes; and the image's configuration.
IMAGES = {
    "nginx": (["nginx"], {}, {"Cmd": ["nginx", "-g", "daemon off; error_log stderr;"]}),
    "postgres": (
        ["postgresql"],
        {"usr/local/bin/run-postgres": (RUN_POSTGRES, 0o755)},
        {
            "Cmd": ["run-postgres"],
            "Env": ["PGDATA=/var/lib/postgresql/data"],
            # A fast shutdown; with SIGTERM it waits until every client has left.
            "StopSignal": "SIGINT",
            "Volumes": {"/var/lib/postgresql/data": {}},
        },
    ),
    "redis": (
        ["redis-server"],
        {},
        {"User": "redis", "Cmd": ["redis-server", "--bind", "0.0.0.0", "--protected-mode", "no", "--save", ""]},
    ),
    "shop": (["python3-psycopg2", "python3-redis"], {}, {"Cmd": ["python3"], "Env": ["PYTHONUNBUFFERED=1"]}),
}
# By distribution: the label of its archive and the components with these packages.
ARCHIVES = {"debian": ("Debian", "main"), "ubuntu": ("Ubuntu", "main universe")}
PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def missing() -> list[str]:
    """What this machine lacks to make the images, one sentence each."""
    lacks = []
    if os.geteuid() != 0:
        lacks.append("root is needed to make file systems with their owners: sudo python3 images.py DIRECTORY")
    programs = {"apt-get": "apt", "mmdebstrap": "mmdebstrap", "unshare": "util-linux"}
    for program, package in programs.items():
        if shutil.which(program) is None:
            lacks.append(f"the program {program} is not installed: sudo apt-get install {package}")
    distribution = platform.freedesktop_os_release()["ID"]
    if distribution not in ARCHIVES:
        lacks.append(f"the packages come from Debian or Ubuntu, and this is {distribution}")
    return lacks


def make_images(layout: Path, images: dict = IMAGES) -> None:
    """An image layout in which every image has its name as its tag; nothing is left of one that was not completed."""
    unfinished = layout.with_name(f"{layout.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        fill(unfinished, images)
        unfinished.rename(layout)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def fill(layout: Path, images: dict) -> None:
    (layout / "blobs/sha256").mkdir(parents=True)
    with tempfile.TemporaryDirectory(dir=layout) as scratch:
        work = Path(scratch)
        make_base(work, {name: packages for name, (packages, _, _) in images.items()})
        base = add_layer(layout, work / "base")
        listed = []
        for name, (_, files, config) in images.items():
            install(work, name, files, ["base"])
            layers = [base, add_layer(layout, work / name)]
            listed.append({**add_image(layout, layers, config), **tagged(name)})
    finish(layout, listed)


def finish(layout: Path, listed: list[dict]) -> None:
    (layout / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    (layout / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": listed}))


def tagged(name: str) -> dict:
    return {"annotations": {"org.opencontainers.image.ref.name": name}}


def make_base(work: Path, wanted: dict[str, list[str]]) -> None:
    """A root file system in ``base``, and for each name what it wants besides in ``packages/NAME``."""
    suite, source = archive()
    hooks = [
        'printf "exit 101" > "$1/usr/sbin/policy-rc.d"; chmod 755 "$1/usr/sbin/policy-rc.d"',  # nothing starts here
        'mkdir "$1/etc/postgresql-common"; echo "create_main_cluster = false" > '
        '"$1/etc/postgresql-common/createcluster.conf"',
    ]
    for name, packages in wanted.items():
        target = shlex.quote(f"{work}/packages/{name}")
        apt = f'APT_CONFIG="$MMDEBSTRAP_APT_CONFIG" apt-get {shlex.join(OPTIONS)} -qq -y --download-only install'
        hooks.append(
            f'mkdir -p {target}; rm -f "$1"/var/cache/apt/archives/*.deb; {apt} {shlex.join(packages)} && '
            f'mv "$1"/var/cache/apt/archives/*.deb {target}'
        )
    run(
        *("mmdebstrap", "--quiet", "--mode=root", "--variant=minbase"),
        *(f"--dpkgopt={option.partition('=--')[2]}" for option in OPTIONS if "path-exclude" in option),
        *(f"--customize-hook={hook}" for hook in hooks),
        *(suite, f"{work}/base", source),
    )


def archive() -> tuple[str, str]:
    """The distribution's suite and its own archive, as apt of this machine is set up for it."""
    release = platform.freedesktop_os_release()
    suite = release["VERSION_CODENAME"]
    label, components = ARCHIVES[release["ID"]]
    form = "$(LABEL) $(CODENAME) $(REPO_URI)"
    listed = run("apt-get", "indextargets", "--format", form, "Created-By: Packages").splitlines()
    uri = next(line.split()[2] for line in listed if line.split()[:2] == [label, suite])
    return suite, f"deb {uri} {suite} {components}"


def install(work: Path, name: str, files: dict[str, tuple[str, int]], below: list[str]) -> None:
    """The packages of ``name`` into a directory that holds only what they change of those ``below``, topmost first."""
    for part in (name, "overlay", "root"):
        (work / part).mkdir(exist_ok=True)
    options = [*OPTIONS, "-oDPkg::Options::=--force-confold", "-oDPkg::Options::=--force-unsafe-io"]
    script = (
        'mount -t overlay overlay -o "lowerdir=$3,upperdir=$1/$2,workdir=$1/overlay" "$1/root"\n'
        'mount --bind "$1/packages/$2" "$1/root/mnt"\n'
        'mount -t proc proc "$1/root/proc"\n'
        f"exec chroot \"$1/root\" sh -c '{shlex.join(['apt-get', *options, '-y', 'install'])} /mnt/*.deb'\n"
    )
    # The mounts are gone with their namespace.
    run("unshare", "--mount", "sh", "-ec", script, "sh", str(work), name, ":".join(f"{work}/{part}" for part in below))
    for path, (text, mode) in files.items():
        (work / name / path).parent.mkdir(parents=True, exist_ok=True)
        (work / name / path).write_text(text)
        (work / name / path).chmod(mode)


def add_layer(layout: Path, tree: Path) -> tuple[dict, str]:
    """A directory, perhaps an overlay's upper one, as a layer: its descriptor and diff id."""
    packed, plain = Digesting(layout / "blobs" / "new"), hashlib.sha256()
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=1, mtime=0) as compressed:
        stream = Teed(compressed, plain)
        with tarfile.open(fileobj=stream, mode="w|", format=tarfile.PAX_FORMAT) as tar:
            for parent, directories, names in os.walk(tree):
                directories.sort()
                for entry in sorted((*directories, *names)):
                    place = os.path.join(parent, entry)
                    add_entry(tar, place, os.path.relpath(place, tree))
    descriptor = packed.finish(layout, f"{MEDIA_TYPE}.layer.v1.tar+gzip")
    return descriptor, f"sha256:{plain.hexdigest()}"


def add_entry(tar: tarfile.TarFile, place: str, name: str) -> None:
    status = os.lstat(place)
    if stat.S_ISCHR(status.st_mode) and status.st_rdev == 0:  # how overlayfs says that it is gone
        tar.addfile(tarfile.TarInfo(f"{os.path.dirname(name)}/.wh.{os.path.basename(name)}".lstrip("/")))
        return
    info = tar.gettarinfo(place, name)
    if info is None:  # a socket
        return
    info.mtime = int(info.mtime)
    if info.isreg():
        with open(place, "rb") as file:
            tar.addfile(info, file)
    else:
        tar.addfile(info)
    if info.isdir() and "trusted.overlay.opaque" in os.listxattr(place):
        tar.addfile(tarfile.TarInfo(f"{name}/.wh..wh..opq"))


class Digesting(io.RawIOBase):
    """A blob while it is written."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.file = path.open("wb")
        self.hash = hashlib.sha256()

    def write(self, data: bytes) -> int:
        self.hash.update(data)
        return self.file.write(data)

    def finish(self, layout: Path, media_type: str) -> dict:
        self.file.close()
        digest = self.hash.hexdigest()
        size = self.path.stat().st_size
        self.path.rename(layout / "blobs/sha256" / digest)
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": size}


class Teed:
    """What is written goes to a file and into a hash."""

    def __init__(self, file: gzip.GzipFile, digest: "hashlib._Hash") -> None:
        self.file, self.digest = file, digest

    def write(self, data: bytes) -> int:
        self.digest.update(data)
        return self.file.write(data)


def add_image(layout: Path, layers: list[tuple[dict, str]], config: dict) -> dict:
    """The descriptor of a manifest over these layers, lowest first."""
    document = {
        "os": "linux",
        "architecture": ARCHITECTURE,
        "config": {**config, "Env": [PATH, *config.get("Env", [])]},
        "rootfs": {"type": "layers", "diff_ids": [diff_id for _, diff_id in layers]},
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{MEDIA_TYPE}.manifest.v1+json",
        "config": add_document(layout, document, f"{MEDIA_TYPE}.config.v1+json"),
        "layers": [descriptor for descriptor, _ in layers],
    }
    return add_document(layout, manifest, f"{MEDIA_TYPE}.manifest.v1+json")


def add_document(layout: Path, document: dict, media_type: str) -> dict:
    blob = Digesting(layout / "blobs" / "new")
    blob.write(json.dumps(document).encode())
    return blob.finish(layout, media_type)


def run(*command: str) -> str:
    """What it prints; exits with what it complains about."""
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True, check=False,
        env=os.environ | {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"},
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"{shlex.join(command[:4])}: exit code {done.returncode}\n{done.stdout[-3000:]}")
    return done.stdout


def main(arguments: list[str]) -> None:
    if len(arguments) != 1:
        raise SystemExit("usage: python3 images.py DIRECTORY")
    layout = Path(arguments[0]).absolute()
    if layout.exists():
        raise SystemExit(f"{layout} is there already; remove it to make the images again")
    if lacks := missing():
        raise SystemExit("\n".join(lacks))
    print(f"making {', '.join(IMAGES)} in {layout}: this takes about a minute", flush=True)
    make_images(layout)


if __name__ == "__main__":
    main(sys.argv[1:])
