#!/usr/bin/env bash
# Starts a command with mpirun on two hosts that are joined by TCP and share nothing but files: network namespaces of this machine.
#   scripts/two-hosts.sh [options of mpirun] COMMAND ...        as root; each host has eight slots
# Rank 0 is on host-a (10.77.0.1). Exits with mpirun's status, or with 77 where this system allows no namespaces.
set -euo pipefail

work=$(mktemp -d)
pids=()
end() {
  # Whatever is left on these hosts, such as a daemon that lost its connection, ends with them.
  for pid in "${pids[@]}"; do
    host=$(readlink "/proc/$pid/ns/net" || true)
    for process in /proc/[0-9]*; do
      [ -n "$host" ] && [ "$(readlink "$process/ns/net" 2>/dev/null)" = "$host" ] && kill -KILL "${process#/proc/}"
    done
  done
  rm -r "$work"
} 2>/dev/null
trap end EXIT

# A host lives as long as a process that sleeps in its namespaces, and that one as long as this script.
for name in host-a host-b; do
  setpriv --pdeathsig KILL unshare --net --uts -- sh -c "hostname $name && exec sleep infinity" 2>"$work/$name" &
  pids+=($!)
  disown
done
a=${pids[0]} b=${pids[1]}
for _ in $(seq 100); do
  [ "$(nsenter --target "$b" --uts hostname 2>/dev/null)" = host-b ] && [ "$(nsenter --target "$a" --uts hostname 2>/dev/null)" = host-a ] && break
  kill -0 "$a" 2>/dev/null && kill -0 "$b" 2>/dev/null || break
  sleep 0.05
done
if ! ip link add link-a netns "$a" type veth peer name link-b netns "$b" 2>"$work/link"; then
  echo "scripts/two-hosts.sh: This system allows no network namespaces: $(cat "$work"/host-a "$work"/link)" >&2
  exit 77
fi
for host in "a $a 1" "b $b 2"; do
  read -r name pid number <<<"$host"
  nsenter --target "$pid" --net ip address add "10.77.0.$number/24" dev "link-$name"
  nsenter --target "$pid" --net ip link set "link-$name" up
  nsenter --target "$pid" --net ip link set lo up
done

printf '%s slots=8\n' 10.77.0.1 10.77.0.2 >"$work/hosts"
# mpirun of Open MPI 4 and 5 starts its daemon of the other host by this program, as it does by ssh elsewhere.
cat >"$work/agent" <<END
#!/bin/sh
shift
exec nsenter --target $b --net --uts sh -c "\$*"
END
chmod +x "$work/agent"
export OMPI_MCA_plm_rsh_agent="$work/agent" PRTE_MCA_plm_ssh_agent="$work/agent"
set +e
nsenter --target "$a" --net --uts mpirun --allow-run-as-root --hostfile "$work/hosts" \
  --mca btl_tcp_if_include 10.77.0.0/24 "$@" &
mpirun=$!
for signal in INT TERM; do trap 'kill -TERM $mpirun' $signal; done
while kill -0 "$mpirun" 2>/dev/null; do wait "$mpirun"; status=$?; done
exit "$status"
