# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154  # the topic files share variables; kit.sh loads them all
# The data volumes of a checkout: what they are, asking before they go, and a one-shot container that packs or fills them.

volume_user=10001:10001

# Sizes come from the engine's own disk report, which needs no rights on its folders; where it is slow, they are left out.
list_volumes() {
  local name names sizes size
  names=$(stack_volumes)
  if [ -z "$names" ]; then return; fi
  sizes=$(bounded 2 docker system df -v --format '{{range .Volumes}}{{.Name}} {{.Size}}{{"\n"}}{{end}}' 2>/dev/null || true)
  for name in $names; do
    size=$(printf '%s\n' "$sizes" | sed -n "s/^$name //p" | sed -n 1p)
    row "volume" "$name${size:+ ($size)}"
  done
}

# confirm_project CODE COMMAND VERB: asks for the project's name, unless $yes. VERB is what then has not happened.
confirm_project() {
  local answer=""
  if [ -n "$yes" ]; then return; fi
  if [ ! -t 0 ]; then die "$1" "there is no terminal to ask on; nothing was $3" "$2 --yes"; fi
  printf '\n  Type the project name to go on: '
  read -r answer || true
  if [ "$answer" != "$project" ]; then
    say "not the project's name: nothing was $3"
    exit 1
  fi
}

image_of() { built_images | sed -n "s/^$1 //p"; }

# in_volumes none|ro|rw PROGRAM ARGUMENT...: runs scripts/lib/PROGRAM in the kit's image with no network, no capability and
# no way to write but into the volumes. What it prints is kept out of Docker's own logs: it holds secrets.
in_volumes() {
  local access=$1 program=$2 volume mounts=()
  shift 2
  if [ "$access" != none ]; then
    for volume in $(stack_volumes); do mounts+=(-v "$volume:/volumes/${volume#"${project}_"}:$access"); done
  fi
  docker run --rm -i --init --network none --read-only --cap-drop ALL --security-opt no-new-privileges --user "$volume_user" \
    --memory 256m --pids-limit 64 --log-driver none ${mounts[@]+"${mounts[@]}"} "$(image_of secrets)" \
    python -I -c "$(cat "$root/scripts/lib/$program")" "$@"
}

size_of() { awk -v bytes="$1" 'BEGIN { if (bytes < 1000000) printf "%.1f kB", bytes / 1000; else printf "%.1f MB", bytes / 1000000 }'; }
bytes_of() { wc -c <"$1" | tr -d ' '; }
kit_version() { sed -n 's/^version = "\(.*\)"/\1/p' "$root/pyproject.toml" | sed -n 1p; }
