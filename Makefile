# From nothing to a labelled radiograph on a Debian machine with make, git and Python >= 3.11.
#
#   make demo              all of it, shown on phantoms of every class; Ctrl-C ends it
#   make demo ARGS=--exit  the same, and ends by itself: status 0 if every instance came through
#   make up                the stack alone
#   make doctor            what is missing on this machine
#   make test              linters, types, import contracts, tests (ARGS='-k webhook -x' goes to pytest)
#   make lint              the same without the tests
#   make wheel             dist/msk_labeller-VERSION-py3-none-any.whl: all of it, for machines without a checkout
#   make install           what the others do first: Debian packages, virtual environment, wheels
#
# VIEWER= leaves OHIF out, the viewer. PIP_ARGS goes to pip: an --extra-index-url with torch for processors alone makes a far smaller download.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.ONESHELL:
.DELETE_ON_ERROR:
.NOTPARALLEL:
.SUFFIXES:
.PHONY: help demo up doctor test lint wheel install debian viewer clean

VENV ?= .venv
EXTRAS ?= local,phantoms,samples,dev
ARGS ?=
VIEWER ?= yes
PIP_ARGS ?=
INSTALLED := $(VENV)/.installed
NEW_ENOUGH := -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))'

# The PACS; Mesa and the X libraries that gvxr loads to render phantoms, with no display; the tests' DICOM validator,
# encoders other than ours (OpenJPH's is the one for HTJ2K), their PostgreSQL, whose own server is left alone, and the
# browser in which they open pages.
DEBIAN_PACKAGES := orthanc orthanc-dicomweb orthanc-python \
    libegl1 libgl1 libgl1-mesa-dri libopengl0 \
    libxcb-res0 libxcb-ewmh2 libxcb-composite0 libxcb-xinerama0 libxcb-keysyms1 libxcb-icccm4 \
    libxrandr2 libxcursor1 libxi6 libxinerama1 \
    dicom3tools dcmtk libopenjp2-tools openjph-tools postgresql chromium

help:
	@sed -n 's/^#   /    /p' Makefile

demo: install
	@exec $(VENV)/bin/msk demo $(ARGS)

up: install
	@exec $(VENV)/bin/msk up $(ARGS)

doctor: install
	@exec $(VENV)/bin/msk doctor $(ARGS)

# Much of a test is waiting for servers: two at a time, those of a file one after the other (ARGS='-n 0 --pdb' has one).
# In the order of the folders, acceptance first: the longest files have few tests, and would otherwise come last, alone.
test: lint
	@exec $(VENV)/bin/pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

lint: install
	@$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

# From what is installed already, so that nothing is fetched. What an earlier build left would get into this one.
wheel: $(INSTALLED)
	@rm -rf build dist/msk_labeller-*.whl
	$(VENV)/bin/python -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir dist .
	rm -rf build
	ls dist/msk_labeller-*.whl

install: debian $(INSTALLED) viewer

# dpkg is asked each time, which takes milliseconds; apt only for what is missing. The server that Debian's orthanc
# package starts by itself where there is systemd (on 8042) is left alone: ours has its own ports and its own data.
debian:
	@if ! command -v dpkg-query >/dev/null; then
	    echo "not a Debian: install Orthanc with its Python plugin, Mesa's EGL and dicom3tools as your system does"
	    exit 0
	fi
	wanted=($(DEBIAN_PACKAGES))
	for python in python3.11 python3; do
	    "$$python" $(NEW_ENOUGH) 2>/dev/null && break
	    [[ $$python == python3 ]] && wanted+=(python3 python3-venv)
	done
	present=$$(dpkg-query -W -f '$${db:Status-Status} $${Package}\n' "$${wanted[@]}" 2>/dev/null | sed -n 's/^installed //p' || true)
	missing=($$(comm -23 <(printf '%s\n' "$${wanted[@]}" | sort) <(sort <<<"$$present")))
	[[ $${#missing[@]} -gt 0 ]] || exit 0
	root=()
	if [[ $$(id -u) != 0 ]]; then
	    command -v sudo >/dev/null || { echo "as root, run: apt-get install $${missing[*]}" >&2; exit 1; }
	    root=(sudo)
	fi
	echo "installing Debian packages: $${missing[*]}"
	apt() { "$${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=600 -o APT::Lock::Timeout=600 "$$@" </dev/null; }
	fetch() { apt install --yes --no-install-recommends "$${missing[@]}" >/dev/null; }
	apt install --simulate "$${missing[@]}" >/dev/null 2>&1 || apt update
	fetch || { apt update && fetch; }

# Inside the virtual environment, so that removing the one removes the other.
$(INSTALLED): pyproject.toml
	@for python in python3.11 python3; do
	    "$$python" $(NEW_ENOUGH) 2>/dev/null && break
	done
	"$$python" $(NEW_ENOUGH) || { echo "Python 3.11 or newer with its venv module is needed, and $$python is not" >&2; exit 1; }
	[[ -x $(VENV)/bin/python ]] || "$$python" -m venv $(VENV)
	echo "installing wheels into $(VENV): some minutes the first time"
	$(VENV)/bin/python -m pip install --disable-pip-version-check $(PIP_ARGS) --editable '.[$(EXTRAS)]'
	touch $@

# Once, into the virtual environment. All else works without it, so a registry that is away holds nothing up.
viewer: $(INSTALLED)
	@[[ "$(VIEWER)" == yes ]] || exit 0
	$(VENV)/bin/msk viewer fetch || echo "the viewer is left out: all else works without it" >&2

clean:
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache build dist *.egg-info
