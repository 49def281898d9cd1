# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154  # the topic files share variables; kit.sh loads them all
# What the host lacks and how to get it: Compose plugins on Debian, a base image where nothing can be pulled.

debian_suite=trixie
compose_install_page="https://docs.docker.com/compose/install/"
engine_install_page="https://docs.docker.com/engine/install/"

os_release() { sed -n "s/^$1=//p" /etc/os-release 2>/dev/null | tr -d '"' | sed -n 1p || true; }

is_debian() { [ "$(os_release ID)" = debian ] && has apt-get && has dpkg-deb; }

# --- the host's own package sources, rewritten for another suite -----------------------------------------------------

# One line per source, "URI SUITE COMPONENTS KEY", from the deb822 form (stanzas end at an empty line).
deb822_sources() {
  awk '
    function flush(   u, s, uris, suites, m, n) {
      if (types ~ /(^| )deb( |$)/ && tolower(enabled) != "no") {
        m = split(uri, uris, /[ \t]+/); n = split(suite, suites, /[ \t]+/)
        for (u = 1; u <= m; u++) for (s = 1; s <= n; s++)
          if (uris[u] != "" && suites[s] != "") print uris[u] "|" suites[s] "|" components "|" key
      }
      types = uri = suite = components = enabled = key = ""
    }
    FNR == 1 { flush() }
    /^#/ { next }
    /^[ \t]*$/ { flush(); next }
    { name = tolower($0); sub(/:.*/, "", name); value = $0; sub(/^[^:]*:[ \t]*/, "", value) }
    /^[ \t]/ { next }
    name == "types" { types = value }
    name == "uris" { uri = value }
    name == "suites" { suite = value }
    name == "components" { components = value }
    name == "enabled" { enabled = value }
    name == "signed-by" && value ~ /^\// { key = value }
    END { flush() }
  ' "$@"
}

# The same from the one-line form: deb [signed-by=/key arch=amd64] URI SUITE COMPONENT...
one_line_sources() {
  awk '
    { sub(/#.*/, "") }
    $1 != "deb" { next }
    {
      key = ""
      if (match($0, /\[[^]]*\]/)) {
        options = substr($0, RSTART + 1, RLENGTH - 2)
        $0 = substr($0, 1, RSTART - 1) substr($0, RSTART + RLENGTH)
        if (match(options, /signed-by=[^ ]+/)) key = substr(options, RSTART + 10, RLENGTH - 10)
      }
      components = ""
      for (i = 4; i <= NF; i++) components = components (i > 4 ? " " : "") $i
      print $2 "|" $3 "|" components "|" key
    }
  ' "$@"
}

# host_sources [ETC_APT]: every enabled source of the host, whichever form it has.
host_sources() {
  local etc=${1:-/etc/apt} file
  for file in "$etc"/sources.list "$etc"/sources.list.d/*.list; do
    if [ -f "$file" ]; then one_line_sources "$file"; fi
  done
  for file in "$etc"/sources.list.d/*.sources; do
    if [ -f "$file" ]; then deb822_sources "$file"; fi
  done
}

# derived_sources CODENAME [ETC_APT]: the host's Debian sources as deb822 for $debian_suite. Only suites that carry the
# host's own codename are Debian's; a third party's suite (stable, nodistro, …) doesn't translate.
derived_sources() {
  local codename=$1 etc=${2:-/etc/apt} uri suite components key
  host_sources "$etc" | sort -u | while IFS='|' read -r uri suite components key; do
    case $suite in
      "$codename" | "$codename"-updates | "$codename"-security) ;;
      *) continue ;;
    esac
    case " $components " in *" main "*) ;; *) continue ;; esac
    printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\n' "$uri" "$debian_suite${suite#"$codename"}"
    printf 'Signed-By: %s\n\n' "${key:-/usr/share/keyrings/debian-archive-keyring.gpg}"
  done
}

# --- Compose and buildx as user plugins ------------------------------------------------------------------------------

compose_version() { docker compose version --short 2>/dev/null | first_line || true; }
buildx_version() { docker buildx version 2>/dev/null | sed -n 's/^[^ ]* \(v\{0,1\}[0-9][^ ]*\).*/\1/p' | sed -n 1p || true; }
have_compose() { version_ge "$(compose_version)" "$compose_minimum"; }
have_buildx() { [ -n "$(buildx_version)" ]; }
can_install_plugins() { is_debian && [ -n "$(derived_sources "$(os_release VERSION_CODENAME)")" ]; }

plugin_dir() { printf '%s/cli-plugins' "${DOCKER_CONFIG:-$HOME/.docker}"; }

# apt with folders of its own, so that the host's lists, caches and hooks stay as they are.
private_apt() {
  local dir=$1
  shift
  apt-get -qq -c "$dir/apt.conf" -o Dir::Etc::sourcelist="$dir/derived.sources" -o Dir::Etc::sourceparts=- \
    -o Dir::State="$dir/state" -o Dir::State::status=/var/lib/dpkg/status -o Dir::Cache="$dir/cache" \
    -o APT::Sandbox::User=root "$@"
}

download_plugin_packages() {
  local dir=$1
  mkdir -p "$dir/state/lists/partial" "$dir/cache/archives/partial" "$dir/tree"
  derived_sources "$(os_release VERSION_CODENAME)" >"$dir/derived.sources"
  printf '#clear %s;\n' APT::Update::Post-Invoke APT::Update::Post-Invoke-Success DPkg::Post-Invoke >"$dir/apt.conf"
  private_apt "$dir" update
  (cd "$dir" && private_apt "$dir" download "docker-compose/$debian_suite" "docker-buildx/$debian_suite")
}

install_plugins() {
  local dir target deb name found draft
  target=$(plugin_dir)
  dir=$(mktemp -d "${TMPDIR:-/tmp}/kit-plugins.XXXXXX")
  say "Compose or buildx is missing or too old: taking Debian's $debian_suite packages into $target"
  if ! download_plugin_packages "$dir" >"$dir/log" 2>&1; then
    tail -n 15 "$dir/log" >&2
    rm -rf "$dir"
    die COMPOSE-VERSION "Debian's packages docker-compose and docker-buildx could not be downloaded" \
      "check this host's package sources (apt-get update), or install Compose $compose_minimum or newer: $compose_install_page"
  fi
  for deb in "$dir"/*.deb; do dpkg-deb -x "$deb" "$dir/tree"; done
  mkdir -p "$target"
  for name in docker-compose docker-buildx; do
    found=$(find "$dir/tree" -type f -path '*cli-plugins*' -name "$name" | sed -n 1p)
    if [ -n "$found" ]; then
      draft=$(mktemp "$target/.$name.new.XXXXXX")
      cp "$found" "$draft"
      chmod 755 "$draft"
      mv -f "$draft" "$target/$name"
    fi
  done
  rm -rf "$dir"
  if ! have_compose || ! have_buildx; then
    die COMPOSE-VERSION "the unpacked plugins do not run" "install Compose and buildx by hand: $compose_install_page"
  fi
  row "Compose" "$(compose_version), buildx $(buildx_version)"
}

# --- a base image from packages --------------------------------------------------------------------------------------

as_root() { [ "$(id -u)" = 0 ]; }

ensure_mmdebstrap() {
  if has mmdebstrap; then return; fi
  if has apt-get && as_root; then
    say "installing the Debian package mmdebstrap (it makes the base image)"
    if (apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends mmdebstrap) \
      >>"$build_log" 2>&1; then
      return
    fi
  fi
  die BASE-IMAGE "no registry answers, and mmdebstrap, which makes the base image from packages, is not installed" \
    "have an administrator run: apt-get install mmdebstrap (or give Docker a registry it can reach, then ./scripts/up)"
}

# The browser that the tests of the page drive. Not the snap that Ubuntu's package of the same name stands for.
ensure_chromium() {
  if has chromium; then return; fi
  if is_debian && as_root; then
    say "installing the Debian packages chromium and fonts-dejavu-core (the tests of the page drive a real browser)"
    if (apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends \
      chromium fonts-dejavu-core) >>"$browser_log" 2>&1; then
      return
    fi
  fi
  die CHROMIUM "no chromium in PATH: the tests of the page did not run" \
    "have an administrator run: apt-get install chromium; or, for your inner loop, ./scripts/test fast"
}

# A root file system on stdout. The host's own mirrors are used where they are known, Debian's default elsewhere.
make_root_file_system() {
  local sources
  sources=$(mktemp "${TMPDIR:-/tmp}/kit-sources.XXXXXX")
  if is_debian; then derived_sources "$(os_release VERSION_CODENAME)" >"$sources"; fi
  set -- --quiet --variant=minbase --include=ca-certificates "$debian_suite" -
  if [ -s "$sources" ]; then
    mmdebstrap "$@" - <"$sources"
  else
    mmdebstrap "$@"
  fi
  rm -f "$sources"
}

# --- Google's emulator from an installed Cloud SDK -------------------------------------------------------------------

# realpath without the GNU-only flag.
follow_links() {
  local path=$1 link
  while [ -L "$path" ]; do
    link=$(readlink "$path")
    case $link in
      /*) path=$link ;;
      *) path=$(dirname "$path")/$link ;;
    esac
  done
  printf '%s' "$path"
}

# The folder of the Cloud SDK that has the emulator in it; nothing when there is none.
cloud_sdk_root() {
  local candidate gcloud=""
  if has gcloud; then gcloud=$(dirname "$(dirname "$(follow_links "$(command -v gcloud)")")"); fi
  for candidate in "$gcloud" "$HOME/google-cloud-sdk" /usr/lib/google-cloud-sdk /usr/share/google-cloud-sdk \
    /opt/google-cloud-sdk /usr/local/google-cloud-sdk /snap/google-cloud-sdk/current /snap/google-cloud-cli/current; do
    if [ -n "$candidate" ] && [ -f "$candidate/platform/cloud-firestore-emulator/cloud-firestore-emulator.jar" ]; then
      printf '%s' "$candidate"
      return
    fi
  done
}
