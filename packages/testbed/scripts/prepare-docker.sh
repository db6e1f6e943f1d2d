#!/usr/bin/env bash
# Gets a Docker engine and images of the brokers where there are none, without a container registry: the engine and the
# servers come from Debian packages, Kafka from Maven Central.
#
#   prepare-docker.sh start FOLDER   prints NQ_TEST_*_IMAGE=… lines for the tests; fails where there is no engine to be
#                                    had, or no image of either broker
#   prepare-docker.sh stop FOLDER    ends the engine, if `start` with this folder started it
#
# What is there is left as it is: a second run takes a second. Nothing here waits without a bound.
set -euo pipefail

readonly here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readonly verb=${1:?start or stop} folder=${2:?a folder for the pid and the log of the engine}
readonly pidfile=$folder/dockerd.pid logfile=$folder/dockerd.log
# The same as in src/cache-folder.ts, so that native brokers find what was fetched for images.
readonly cache=${NQ_TESTBED_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/nq-testbed}

say() { printf '%s\n' "$*" >&2; }

as_root() {
  if ((EUID == 0)); then "$@"; else sudo -n "$@"; fi
}

updated=
install_packages() {
  command -v apt-get >/dev/null || { say "There is no apt-get to install $* with."; return 1; }
  export DEBIAN_FRONTEND=noninteractive
  if [[ -z $updated ]]; then
    as_root timeout 120 apt-get update -qq >&2 || return 1
    updated=yes
  fi
  say "Installing $*"
  # No daemon starts by itself, where there is something that would start it: the engine is started below.
  as_root timeout 600 env RUNLEVEL=1 apt-get install -y -qq "$@" >"$folder/apt.log" 2>&1 || { tail -n 5 "$folder/apt.log" >&2; return 1; }
}

answers() { timeout 10 docker version --format '{{.Server.Version}}' 2>/dev/null; }

start_engine() {
  if answers >/dev/null; then
    say "Docker $(answers) is running."
    return
  fi
  [[ -z ${DOCKER_HOST:-} ]] || { say "Nothing answers at $DOCKER_HOST, where DOCKER_HOST says that Docker is."; return 1; }
  command -v dockerd >/dev/null || install_packages docker.io || return 1
  command -v docker >/dev/null || install_packages docker-cli || return 1
  # A session of its own, so that only `stop` ends it.
  as_root setsid nohup dockerd --pidfile "$pidfile" >"$logfile" 2>&1 </dev/null &
  local started=$SECONDS
  until answers >/dev/null; do
    if ((SECONDS - started > 60)) || grep -q '^failed to start daemon' "$logfile"; then
      say "The Docker engine does not start; its last words:"
      tail -n 3 "$logfile" >&2
      stop_engine
      return 1
    fi
    sleep 0.2
  done
  say "Docker $(answers) was started."
}

stop_engine() {
  [[ -s $pidfile ]] || return 0
  local pid
  pid=$(<"$pidfile")
  [[ $(cat "/proc/$pid/comm" 2>/dev/null) == dockerd ]] || return 0
  as_root kill "$pid"
  local started=$SECONDS
  while [[ -d /proc/$pid ]]; do
    if ((SECONDS - started > 30)); then
      as_root kill -9 "$pid"
      break
    fi
    sleep 0.2
  done
  say 'Docker was stopped.'
}

has_image() { docker image inspect "$1" >/dev/null 2>&1; }

# A root file system of Debian packages as an image: NAME SUITE PACKAGES, then what `docker import --change` takes.
debian_image() {
  local image=$1 suite=$2 packages=$3
  shift 3
  has_image "$image" && return
  command -v mmdebstrap >/dev/null || install_packages mmdebstrap || return 1
  local tar changes=()
  tar=$(mktemp --suffix=.tar)
  for change in "$@"; do changes+=(--change "$change"); done
  say "Building $image from $packages of Debian $suite"
  as_root timeout 300 mmdebstrap --quiet --variant=minbase --include="$packages" "$suite" "$tar" >"$folder/mmdebstrap.log" 2>&1 &&
    timeout 120 docker import "${changes[@]}" "$tar" "$image" >/dev/null ||
    { tail -n 3 "$folder/mmdebstrap.log" >&2; rm -f "$tar"; return 1; }
  rm -f "$tar"
}

fetch_kafka() {
  local version=$1 jars=$cache/kafka-$1
  [[ -d $jars ]] && return
  command -v mvn >/dev/null || install_packages maven openjdk-17-jre-headless || return 1
  say "Fetching Kafka $version"
  mkdir -p "$cache"
  local part
  part=$(mktemp -d "$cache/part-XXXXXX")
  timeout 300 mvn -q -B -f "$here/kafka/pom.xml" dependency:copy-dependencies -Dkafka.version="$version" \
    -DincludeScope=runtime -DoutputDirectory="$part" >&2 || { rm -rf "$part"; return 1; }
  mv -T "$part" "$jars" 2>/dev/null || rm -rf "$part"
}

kafka_image() {
  local image=$1 version=$2 container stage
  has_image "$image" && return
  fetch_kafka "$version" || return 1
  debian_image nq-test/jre:17 bookworm openjdk-17-jre-headless,ca-certificates || return 1
  say "Building $image"
  stage=$(mktemp -d)
  mkdir -p "$stage/opt/kafka"
  cp -r "$cache/kafka-$version" "$stage/opt/kafka/libs"
  container=$(docker create nq-test/jre:17 true)
  tar -C "$stage" -c opt | timeout 120 docker cp - "$container:/" >/dev/null
  timeout 120 docker commit --change 'EXPOSE 9092' "$container" "$image" >/dev/null
  docker rm "$container" >/dev/null
  rm -rf "$stage"
}

# An image that was named beforehand is taken as it is; one that cannot be built is told, and its tests say so too.
offered=()
offer() {
  local variable=$1 image=$2
  shift 2
  if [[ -n ${!variable:-} ]]; then
    image=${!variable}
  elif ! "$@"; then
    say "$image could not be built."
    return
  fi
  offered+=("$variable=$image")
}

case $verb in
  start)
    start_engine
    redis=('EXPOSE 6379' 'WORKDIR /data')
    offer NQ_TEST_REDIS_7_IMAGE nq-test/redis:7 debian_image nq-test/redis:7 bookworm redis-server,ca-certificates "${redis[@]}"
    offer NQ_TEST_REDIS_8_IMAGE nq-test/redis:8 debian_image nq-test/redis:8 trixie redis-server,ca-certificates "${redis[@]}"
    offer NQ_TEST_VALKEY_8_IMAGE nq-test/valkey:8 debian_image nq-test/valkey:8 trixie valkey-server,ca-certificates "${redis[@]}"
    offer NQ_TEST_KAFKA_4_1_IMAGE nq-test/kafka:4.1 kafka_image nq-test/kafka:4.1 4.1.0
    offer NQ_TEST_KAFKA_3_9_IMAGE nq-test/kafka:3.9 kafka_image nq-test/kafka:3.9 3.9.1
    if [[ ${offered[*]} != *REDIS* || ${offered[*]} != *KAFKA* ]]; then
      say 'There is an engine, but no image for it.'
      stop_engine
      exit 1
    fi
    printf '%s\n' "${offered[@]}"
    ;;
  stop) stop_engine ;;
  *)
    say "prepare-docker.sh takes start or stop, got $verb"
    exit 2
    ;;
esac
