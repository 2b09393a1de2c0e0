#!/usr/bin/env bash
# A standalone Flink cluster on this machine: a JobManager and TaskManagers, each with a /tmp of its own, as if on separate
# machines. docs/beam.md explains its use.
#
#   scripts/flink.sh fetch    download Flink and Beam's job server into build/flink, verified by SHA-256; `start` does it too
#   scripts/flink.sh start    start the processes that are not running, also after a TaskManager has died
#   scripts/flink.sh stop     stop all processes
#   scripts/flink.sh status   list the running processes
#
# Environment variables and their defaults:
# FLINK_DIR           build/flink; logs are in $FLINK_DIR/log
# FLINK_PORT          8081, for the JobManager's web page and REST API; the next port is for its RPC
# FLINK_TASKMANAGERS  2
# FLINK_SLOTS         2 per TaskManager
# FLINK_MEMORY        1792m for each TaskManager's Java; its Python workers need memory besides
# FLINK_SHARED        none; folders below /tmp that all TaskManagers see, separated by colons
# PYTHON              .venv/bin/python, whose pip downloads Flink
set -euo pipefail
repository=$(cd "$(dirname "$0")/.." && pwd -P)
here=$repository/scripts/flink
version=1.19.3
dir=$(realpath -m "${FLINK_DIR:-$repository/build/flink}")
port=${FLINK_PORT:-8081}
taskmanagers=${FLINK_TASKMANAGERS:-2}
slots=${FLINK_SLOTS:-2}
memory=${FLINK_MEMORY:-1792m}
shared=${FLINK_SHARED:-}
python=${PYTHON:-$repository/.venv/bin/python}
lib=$dir/flink-$version

refuse() {
    echo "flink: $1" >&2
    exit 1
}

needs_java() {
    command -v java >/dev/null || refuse "java is missing; install OpenJDK 11 or 17"
    local major
    major=$(java -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p' | head -n 1)
    case $major in
        11 | 17) ;;
        *) refuse "java is version ${major:-unknown}; Flink $version runs on 11 and 17" ;;
    esac
}

fetch() {
    [ -e "$dir/.fetched" ] && cmp -s "$dir/.fetched" "$here/jars.sha256" && return
    needs_java
    command -v mvn >/dev/null || refuse "mvn is missing, which downloads Beam's jars; install Maven"
    "$python" -m pip --version >/dev/null 2>&1 || refuse "$python has no pip, which downloads Flink; set PYTHON, or run make setup"
    mkdir -p "$dir/downloads"
    echo "flink: downloading Flink $version (230 MB) and Beam's jars for it (100 MB)" >&2
    # pip refuses files with another SHA-256.
    "$python" -m pip download --quiet --no-deps --no-binary=:all: --no-build-isolation --require-hashes \
        --dest "$dir/downloads" --requirement "$here/requirements.txt" || refuse "Flink could not be downloaded; see pip's message above"
    rm -rf "$lib.partial" "$lib"
    mkdir "$lib.partial"
    tar xzf "$dir"/downloads/apache?flink?libraries-$version.tar.gz -C "$lib.partial" --strip-components=2 \
        --wildcards '*/deps/lib/flink-dist-*' '*/deps/lib/log4j-*' '*/deps/bin'
    mv "$lib.partial" "$lib"
    rm -rf "$dir/jars"
    # One jar assembled from many, and the many as they are in Maven's repository, to verify them.
    maven package dependency:copy-dependencies -DoutputDirectory="$dir/jars"
    (cd "$dir/jars" && sha256sum --check --quiet --strict "$here/jars.sha256") \
        || refuse "jars in $dir/jars are not those of scripts/flink/jars.sha256; do not use them"
    # Beam's classes go into Flink's lib folder: Beam then keeps a job's Python workers from stage to stage, but starts them anew
    # where each job brings the classes. A job brings only the classes that look for the pipeline beside themselves.
    "$python" - "$dir/target/beam-flink-job-server.jar" "$dir/beam-flink-job.jar" <<'END'
import re, sys, zipfile

launchers = re.compile(
    r"META-INF/MANIFEST.MF|org/apache/beam/runners/"
    r"(flink/(FlinkPipelineRunner|FlinkPortableRunnerResult)|jobsubmission/PortablePipelineJarUtils)(\$\w+)?\.class"
)
with zipfile.ZipFile(sys.argv[1]) as whole, zipfile.ZipFile(sys.argv[2], "w") as job:
    for name in filter(launchers.fullmatch, whole.namelist()):
        job.writestr(name, whole.read(name))
END
    mv "$dir/target/beam-flink-job-server.jar" "$lib/lib/"
    rm -rf "$dir/target" "$dir/jars" "$dir/downloads"
    cp "$here/jars.sha256" "$dir/.fetched"
}

maven() {
    mvn --quiet --batch-mode --file "$here/pom.xml" -DbuildDirectory="$dir/target" "$@" >"$dir/maven.log" 2>&1 \
        || refuse "Maven could not download or assemble Beam's jars: $(grep -m 1 ERROR "$dir/maven.log" | cut -c 1-300)"
}

configure() {
    local open
    # As in the configuration of Flink's own distribution: Java 17 does not open these packages by default.
    open=$(printf -- '--add-exports=java.base/%s=ALL-UNNAMED ' sun.net.util
        printf -- '--add-exports=java.rmi/%s=ALL-UNNAMED ' sun.rmi.registry
        printf -- '--add-exports=java.security.jgss/%s=ALL-UNNAMED ' sun.security.krb5
        printf -- '--add-opens=java.base/%s=ALL-UNNAMED ' java.lang java.net java.io java.nio sun.nio.ch \
            java.lang.reflect java.text java.time java.util java.util.concurrent java.util.concurrent.atomic \
            java.util.concurrent.locks)
    mkdir -p "$dir/conf" "$dir/log" "$dir/run"
    cp "$here/log4j.properties" "$dir/conf/"
    cat >"$dir/conf/config.yaml" <<END
env: {java: {opts: {all: "$open"}}}
jobmanager.rpc.address: localhost
jobmanager.rpc.port: $((port + 1))
jobmanager.bind-host: localhost
jobmanager.memory.process.size: 1400m
jobmanager.memory.jvm-metaspace.size: 512m
rest.address: localhost
rest.bind-address: localhost
rest.port: $port
taskmanager.host: localhost
taskmanager.bind-host: localhost
taskmanager.numberOfTaskSlots: $slots
taskmanager.memory.process.size: $memory
taskmanager.memory.jvm-metaspace.size: 512m
# A Beam job has many small exchanges between tasks.
taskmanager.memory.network.min: 256m
taskmanager.memory.network.max: 256m
taskmanager.network.sort-shuffle.min-buffers: 64
# Spread a job's tasks over all TaskManagers instead of as few as possible.
cluster.evenly-spread-out-slots: true
parallelism.default: 1
# Notice a dead TaskManager within seconds. The job restarts on the remaining slots. Parts that fail at once count as one
# failure (with a fixed delay, each would count by itself), but lost results are missed one after the other. With too few slots
# left, the job waits 15 s each time, two or three minutes in all, and then fails.
heartbeat.interval: 1000
heartbeat.timeout: 20000
restart-strategy.type: exponential-delay
restart-strategy.exponential-delay.initial-backoff: 4 s
restart-strategy.exponential-delay.backoff-multiplier: 1.2
restart-strategy.exponential-delay.max-backoff: 8 s
restart-strategy.exponential-delay.reset-backoff-threshold: 10 min
restart-strategy.exponential-delay.attempts-before-reset-backoff: 6
slot.request.timeout: 15000
END
}

running() { # NAME
    local pid
    pid=$(cat "$dir/run/$1.pid" 2>/dev/null) && kill -0 "$pid" 2>/dev/null
}

# Ask Flink how it divides the memory, as its own start scripts do.
parameters() { # COMMAND
    java -cp "$lib/bin/bash-java-utils.jar:$lib/lib/*" org.apache.flink.runtime.util.bash.BashJavaUtils "$1" \
        --configDir "$dir/conf" 2>"$dir/log/parameters.log" | sed -n 's/^BASH_JAVA_UTILS_EXEC_RESULT://p'
}

launch() { # NAME WRAPPER... -- CLASS ARGUMENT...
    local name=$1
    shift
    local wrapper=()
    while [ "$1" != -- ]; do
        wrapper+=("$1")
        shift
    done
    shift
    local open
    open=$(sed -n 's/^env:.*"\(.*\)".*/\1/p' "$dir/conf/config.yaml")
    rm -f "$dir/log/$name.log"
    # A session of its own, so that the Python workers end with it. Word splitting is intended.
    # shellcheck disable=SC2086
    setsid "${wrapper[@]}" java $jvm $open -Dlog.file="$dir/log/$name.log" \
        -Dlog4j.configurationFile="file:$dir/conf/log4j.properties" -cp "$lib/lib/*" "$@" \
        >"$dir/log/$name.out" 2>&1 </dev/null &
    echo $! >"$dir/run/$name.pid"
}

# Run a command with an empty /tmp of its own, except for the shared folders, as if on a machine of its own.
own_tmp() { # FOLDER COMMAND...
    local new=$1 folder
    shift
    mount -t tmpfs -o mode=1777 own_tmp "$new"
    for folder in "$repository" "$dir" ${shared//:/ }; do
        case $folder in
            /tmp/*)
                mkdir -p "$new/${folder#/tmp/}"
                mount --rbind "$folder" "$new/${folder#/tmp/}"
                ;;
        esac
    done
    mount --rbind "$new" /tmp
    unset TMPDIR
    cd / && exec "$@"
}

start() {
    needs_java
    fetch
    if running jobmanager; then
        [ "$(cat "$dir/run/port")" = "$port" ] || refuse "the cluster runs already, at port $(cat "$dir/run/port"); scripts/flink.sh stop stops it"
    else
        if (exec 3<>"/dev/tcp/localhost/$port") 2>/dev/null; then
            refuse "port $port is in use; set FLINK_PORT to another one"
        fi
        configure
        echo "$port" >"$dir/run/port"
        local answer
        answer=$(parameters GET_JM_RESOURCE_PARAMS)
        jvm=$(sed -n 1p <<<"$answer")
        # shellcheck disable=SC2046
        launch jobmanager -- org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint \
            --configDir "$dir/conf" $(sed -n 2p <<<"$answer")
    fi
    local answer number name new
    answer=$(parameters GET_TM_RESOURCE_PARAMS)
    jvm=$(sed -n 1p <<<"$answer")
    for number in $(seq "$taskmanagers"); do
        name=taskmanager-$number
        running "$name" && continue
        new=$dir/run/$name.tmp
        mkdir -p "$new"
        local wrapper=()
        if unshare --map-root-user --mount true 2>/dev/null; then
            wrapper=(unshare --map-root-user --mount --propagation private "$repository/scripts/flink.sh" own_tmp "$new")
            [ "$(id -u)" != 0 ] || wrapper=(unshare --mount --propagation private "$repository/scripts/flink.sh" own_tmp "$new")
        else
            echo "flink: no mount namespaces here: $name shares /tmp, but has a TMPDIR of its own" >&2
            wrapper=(env TMPDIR="$new" JAVA_TOOL_OPTIONS="-Djava.io.tmpdir=$new")
        fi
        # shellcheck disable=SC2046
        launch "$name" "${wrapper[@]}" -- org.apache.flink.runtime.taskexecutor.TaskManagerRunner \
            --configDir "$dir/conf" $(sed -n 2p <<<"$answer") -D taskmanager.resource-id="$name"
    done
    wait_until_ready
    echo "flink: $taskmanagers TaskManagers with $slots slots each at http://localhost:$port; logs in $dir/log" >&2
}

wait_until_ready() {
    local try name ready
    for try in $(seq 120); do
        ready=$(curl --silent --max-time 5 "http://localhost:$port/overview" | sed -n 's/.*"taskmanagers":\([0-9]*\).*/\1/p') || true
        [ "${ready:-0}" -ge "$taskmanagers" ] && return
        for name in jobmanager $(seq -f 'taskmanager-%g' "$taskmanagers"); do
            running "$name" || refuse "$name has ended: $(tail -n 1 "$dir/log/$name.out" | cut -c 1-200); see $dir/log/$name.log"
        done
        sleep 0.5
    done
    refuse "${ready:-0} of $taskmanagers TaskManagers are ready after a minute; see $dir/log"
}

stop() {
    local file pid
    for file in "$dir"/run/*.pid; do
        [ -e "$file" ] || continue
        pid=$(cat "$file")
        kill -TERM -- "-$pid" 2>/dev/null || true
        for _ in $(seq 50); do
            kill -0 -- "-$pid" 2>/dev/null || break
            sleep 0.1
        done
        kill -KILL -- "-$pid" 2>/dev/null || true
        rm -f "$file"
    done
    rm -rf "$dir/run"
}

status() {
    local file name any=3
    for file in "$dir"/run/*.pid; do
        [ -e "$file" ] || continue
        name=$(basename "$file" .pid)
        if running "$name"; then
            echo "$name: runs, pid $(cat "$file")"
            any=0
        else
            echo "$name: has ended; scripts/flink.sh start starts it again"
        fi
    done
    [ $any = 0 ] || echo "flink: nothing runs"
    return $any
}

case ${1:-} in
    fetch | start | stop | status) "$1" ;;
    own_tmp) "$@" ;;
    *) refuse "give fetch, start, stop or status (see the head of this script)" ;;
esac
