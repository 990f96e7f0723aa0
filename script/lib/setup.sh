# Shared by the scripts: makes .venv/ and keeps it in step with a requirements file.  Source it from the project's root.

say() { printf 'gatehouse: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# Prints the first Python that is new enough.
find_python() {
  local name
  for name in python3 python3.14 python3.13 python3.12 python3.11; do
    if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      printf '%s\n' "$name"
      return
    fi
  done
  return 1
}

# Installs Debian packages as root; otherwise says which are missing, and ends.
install_packages() {
  local command="apt-get install -y -q --no-install-recommends $*"
  command -v apt-get >/dev/null || die "missing: $* (install them with your system's package manager)"
  [ "$(id -u)" = 0 ] || die "missing Debian packages; install them with: sudo apt-get install --no-install-recommends $*"
  say "installing Debian packages: $*"
  export DEBIAN_FRONTEND=noninteractive
  # The lists of packages may be missing or old: then the first attempt fails.
  $command </dev/null >/dev/null 2>&1 && return
  apt-get update -q </dev/null >&2 || die "apt-get update failed (see above)"
  $command </dev/null >&2 || die "could not install $* (see above)"
}

require_venv_module() {
  local python=$1 package=python3-venv
  "$python" -c 'import ensurepip, venv' 2>/dev/null && return
  [ "$python" = python3 ] || package=$python-venv
  install_packages "$package"
  "$python" -c 'import ensurepip, venv' 2>/dev/null || die "$python has no venv module, even with the package $package installed"
}

# What an environment was made for: a new Python, or a moved project, needs a new one.
describe_environment() {
  printf '%s in %s\n' "$("$1" -c 'import sys; print(sys.version)' 2>/dev/null | tr '\n' ' ')" "$PWD"
}

make_environment() {
  local python=$1
  say "making .venv/ with $("$python" -V)"
  require_venv_module "$python"
  rm -rf .venv
  "$python" -m venv .venv || die "could not make .venv/ (see above)"
}

# Brings .venv/ in step with a requirements file, which may include requirements.txt; does nothing when it is.
# .venv/installed/ holds, for each file, the checksum that was installed.  It is away while pip works, so that
# an environment that was left half made is made again.
set_up() {
  local file=$1 python wanted
  wanted=$(cat requirements.txt "$file" | sha256sum)
  exec 9<. && flock 9 # One set-up at a time.
  if [ "$(cat .venv/installed/environment 2>/dev/null)" != "$(describe_environment .venv/bin/python)" ]; then
    python=$(find_python) || die "Python 3.11 or newer is needed, and there is none on the PATH"
    make_environment "$python"
  fi
  if [ "$(cat ".venv/installed/$file" 2>/dev/null)" != "$wanted" ]; then
    say "installing $file (this takes a minute the first time)"
    rm -rf .venv/installed
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-input -r "$file" </dev/null >&2 ||
      die "pip could not install $file (see above); is there a network?"
    mkdir .venv/installing
    describe_environment .venv/bin/python >.venv/installing/environment
    cat requirements.txt requirements.txt | sha256sum >.venv/installing/requirements.txt
    printf '%s\n' "$wanted" >".venv/installing/$file"
    mv .venv/installing .venv/installed
  fi
  exec 9<&-
}

# Brings tests/npm/node_modules/ in step with its lock file; does nothing when it is.  No package runs a script.
set_up_npm() {
  local folder=tests/npm wanted
  wanted=$(cat $folder/package.json $folder/package-lock.json | sha256sum)
  [ "$(cat $folder/node_modules/installed 2>/dev/null)" = "$wanted" ] && return
  say "installing the npm packages of the tests"
  (cd $folder && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error </dev/null >&2) ||
    die "npm could not install the packages of $folder (see above); is there a network?"
  printf '%s\n' "$wanted" >$folder/node_modules/installed
}
