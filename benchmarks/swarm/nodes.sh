#!/bin/bash
# Engines of Docker that make a Swarm on one machine: each has a network, a mount and a UTS namespace of its own, and they
# meet at a bridge in a namespace called orcs-lan, where a registry is, too (10.98.0.254:5000). Nothing of the machine's own
# network changes. Needs root, iptables, docker-registry, and dockerd with its companions in PATH.
#
#   nodes.sh up N            start N engines, all managers of one Swarm; node1 leads
#   nodes.sh kill I          kill engine I, its containers, and all that belongs to it, as when its machine loses power
#   nodes.sh start I         start it again
#   nodes.sh down            stop and remove everything
#   nodes.sh run COMMAND...  run a command where the registry and the nodes can be reached, 10.98.0.1 and so on
#   nodes.sh socket I        print the path of its socket
set -u
HOME_=${SWARM_HOME:-/tmp/orchestra-swarm}
REGISTRY=10.98.0.254:5000

docker_() { local i=$1; shift; timeout 60 docker -H "unix://$HOME_/n$i/docker.sock" "$@"; }
in_lan() { nsenter --net=/run/netns/orcs-lan "$@"; }
groups() { find /sys/fs/cgroup -maxdepth 2 -type d -name "orcs-$1" 2>/dev/null; }

start() {
  local n=$HOME_/n$1
  mkdir -p "$n"/{data,exec,run}
  echo '{}' >"$n/daemon.json"
  rm -f "$n/run/docker.pid"
  # nsenter rather than ip netns exec, which would hide the cgroups below a new /sys.
  nsenter --net="/run/netns/orcs-n$1" unshare -m -u --propagation private bash -c "
    hostname node$1; mkdir -p /run/docker; mount -t tmpfs t /run/docker
    exec dockerd --config-file $n/daemon.json --data-root $n/data --exec-root $n/exec --pidfile $n/run/docker.pid \
      -H unix://$n/docker.sock --cgroup-parent /orcs-$1 --storage-driver overlay2 --userland-proxy=false \
      --insecure-registry $REGISTRY" >>"$n/dockerd.log" 2>&1 &
  for _ in $(seq 100); do docker_ "$1" version >/dev/null 2>&1 && return; sleep 0.2; done
  tail -5 "$n/dockerd.log"; return 1
}

kill_() {
  local n=$HOME_/n$1
  [ -f "$n/run/docker.pid" ] && kill -9 "$(cat "$n/run/docker.pid")" 2>/dev/null
  # containerd and shims name the directory; containers are in the cgroup.
  for p in /proc/[0-9]*; do
    { tr '\0' ' ' <"$p/cmdline"; } 2>/dev/null | grep -qE "^(\S*/)?(dockerd|containerd\S*) .*$n/" && kill -9 "${p#/proc/}" 2>/dev/null
  done
  for group in $(groups "$1"); do find "$group" -name cgroup.procs -exec cat {} + | xargs -r kill -9 2>/dev/null; done
  return 0
}

up() {
  mkdir -p "$HOME_/registry"
  ip netns add orcs-lan
  in_lan sh -c 'ip link add br0 type bridge; ip addr add 10.98.0.254/24 dev br0; ip link set br0 up; ip link set lo up'
  printf 'version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\nstorage: {filesystem: {rootdirectory: %s}}\nhttp: {addr: "%s"}\n' \
    "$HOME_/registry/data" "$REGISTRY" >"$HOME_/registry/config.yml"
  printf '[[registry]]\nlocation = "%s"\ninsecure = true\n' "$REGISTRY" >"$HOME_/registries.conf"
  nsenter --net=/run/netns/orcs-lan docker-registry serve "$HOME_/registry/config.yml" >"$HOME_/registry/log" 2>&1 &
  echo $! >"$HOME_/registry/pid"
  for i in $(seq "$1"); do
    ip netns add "orcs-n$i"
    ip link add "orcs$i" netns orcs-lan type veth peer name eth0 netns "orcs-n$i"
    in_lan ip link set "orcs$i" master br0 up
    nsenter --net="/run/netns/orcs-n$i" sh -c "ip addr add 10.98.0.$i/24 dev eth0; ip link set eth0 up; ip link set lo up
      ip route add default via 10.98.0.254; sysctl -qw net.ipv4.ip_forward=1"
    start "$i" || return 1
  done
  docker_ 1 swarm init --advertise-addr 10.98.0.1 >/dev/null || return 1
  token=$(docker_ 1 swarm join-token -q manager)
  for i in $(seq 2 "$1"); do docker_ "$i" swarm join --token "$token" --advertise-addr "10.98.0.$i" 10.98.0.1:2377 || return 1; done
}

down() {
  for n in "$HOME_"/n[0-9]*; do
    [ -d "$n" ] || continue
    i=${n##*/n}
    docker_ "$i" swarm leave --force >/dev/null 2>&1
    [ -f "$n/run/docker.pid" ] && kill "$(cat "$n/run/docker.pid")" 2>/dev/null
  done
  sleep 3
  for n in "$HOME_"/n[0-9]*; do [ -d "$n" ] && kill_ "${n##*/n}"; done
  [ -f "$HOME_/registry/pid" ] && kill "$(cat "$HOME_/registry/pid")" 2>/dev/null
  sleep 1
  for name in $(ip netns list | awk '/^orcs-/{print $1}'); do ip netns del "$name"; done
  awk -v home="$HOME_/" 'index($5, home) == 1 {print $5}' /proc/self/mountinfo | sort -r | xargs -r umount -l
  for group in $(groups '*'); do find "$group" -depth -type d -exec rmdir {} \; 2>/dev/null; done
  rm -rf "$HOME_"
}

case ${1:-} in
  up) up "${2:-3}" ;;
  kill) kill_ "$2" ;;
  start) start "$2" ;;
  down) down ;;
  run) shift; in_lan "$@" ;;
  socket) echo "$HOME_/n$2/docker.sock" ;;
  *) sed -n '2,13s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
