# Plinth: `make` builds build/init (the agent, PID 1), build/initrd.img (agent and CA bundle) and build/plinth (the host tool,
# with build/plinth-verify, which it starts to judge evidence).
#
#   make                  all three; packages that are missing are installed (root or sudo -n), else the command is printed;
#                         INFLATE=zlib links zlib for gzip layers instead of ISA-L
#   make test             unit tests with sanitizers, then end-to-end tests; the last line is "N passed, N failed"
#   make unit | e2e       one half of it            make sanitize       same as unit
#   make fuzz SECONDS=60  every fuzz target         make repro          builds twice in two folders and compares
#   make bench            against podman, containerd, skopeo with umoci, and the bare parts (ROUNDS=5 SCALE=1 SAVE=1; root)
#   make size             lines linked into PID 1, by folder; bytes of the agent and the initramfs
#   make demo             boots it all under QEMU, keys and secrets from plinth serve (IMAGE=ref, KEEP=1, TEE=tdx or snp: simulated)
#   make publish          the publisher's work before it: keys, SBOM, encryption, push, signatures, attestations (NOBOOT=1)
#   make reference        what a relying party should expect of this build: build/reference.json (see qemu/reference)
#   make install          PREFIX=/usr/local DESTDIR=            make clean
#
# One object, alone, as it is built for the agent: make build/obj/agent/lib/base/view.o
# One unit test:                                   make build/host/tests/unit/test_view && build/host/tests/unit/test_view
# A new source file needs no edit here: each layer's folder is listed whole, in sorted order. A new folder does.

MAKEFLAGS += --no-builtin-rules
.DELETE_ON_ERROR:
.SUFFIXES:
.PHONY: all test unit e2e sanitize fuzz repro size bench demo publish reference install clean FORCE
all:

VERSION := 0.1.0
PREFIX  := /usr/local
SECONDS := 60

# The build's date, in seconds: what the caller says, the commit's, or (a source tree without git) this constant.
RELEASE_DATE := 1764547200
BUILD_DATE := $(or $(SOURCE_DATE_EPOCH),$(if $(wildcard .git),$(shell git -c safe.directory='*' log -1 --format=%ct 2>/dev/null)),$(RELEASE_DATE))

# What inflates gzip: isal (ISA-L, twice as fast, for x86-64) or zlib.
INFLATE := $(if $(filter x86_64,$(shell uname -m)),isal,zlib)

# ---- Sources, by layer (style: each may include the layers before it) ---------------------------------------------------

BASE   := $(sort $(wildcard agent/lib/base/*.c))
FORMAT := $(sort $(wildcard agent/lib/format/*.c))
CRYPTO := $(sort $(wildcard crypto/*.c))
OCI    := $(sort $(wildcard agent/lib/oci/*.c))
TRUST  := $(sort $(wildcard agent/lib/trust/*.c))
TEE    := $(sort $(wildcard agent/lib/tee/*.c))
SECRET := $(sort $(wildcard agent/lib/secret/*.c))
SYS    := $(sort $(wildcard agent/sys/*.c))
WORKER := $(filter-out agent/worker/gunzip_%.c,$(sort $(wildcard agent/worker/*.c))) agent/worker/gunzip_$(INFLATE).c
STEP   := $(sort $(wildcard agent/step/*.c))
# The host tool; what judges evidence, and libcrypto with it, is a program of its own that the tool starts (tools/verifier.c).
APPRAISE := $(sort $(wildcard tools/appraise/*.c tools/serve/*.c tools/cmd_serve.c tools/cmd_verify*.c tools/given.c tools/reference_fetch.c))
TOOLS    := $(filter-out $(APPRAISE) tools/verifier.c,$(sort $(wildcard tools/*.c tools/*/*.c)))

# What PID 1 and its workers are made of: this list, and no other, is what `make size` counts as trusted.
PLINTH := $(BASE) $(FORMAT) $(CRYPTO) $(OCI) $(TRUST) $(TEE) $(SECRET) $(SYS) $(WORKER) $(STEP)
AGENT  := agent/main.c $(PLINTH)

UNIT := $(sort $(wildcard tests/unit/test_*.c))
FUZZ := $(sort $(wildcard tests/fuzz/fuzz_*.c))

# A unit test that runs over a fake instead of a `sys` module names it here (the fake's functions then win over the archive's):
#   build/host/tests/unit/test_attest: build/host/tests/fake/tsm.o

# ---- Packages and dependencies -------------------------------------------------------------------------------------------

# build/deps*.mk hold where initrd/build-deps put the libraries. They are made before anything else, and again when the lock or
# a script changed or the cache is gone; otherwise they cost nothing.
NEEDS_NOTHING := clean size
GOALS := $(or $(MAKECMDGOALS),all)

ifneq ($(filter-out $(NEEDS_NOTHING),$(GOALS)),)
include build/deps.mk
ifeq ($(wildcard $(DEPS)/lib/libyyjson.a),)
build/deps.mk: FORCE
endif
endif

ifneq ($(filter test unit sanitize build/host/%,$(GOALS)),)
include build/deps-host.mk
ifeq ($(wildcard $(DEPS_HOST)/lib/libyyjson.a),)
build/deps-host.mk: FORCE
endif
endif

ifneq ($(filter fuzz build/fuzz/%,$(GOALS)),)
include build/deps-fuzz.mk
ifeq ($(wildcard $(DEPS_FUZZ)/lib/libyyjson.a),)
build/deps-fuzz.mk: FORCE
endif
endif

DEPS_INPUTS := initrd/sources.lock initrd/build-deps initrd/fetch initrd/suite initrd/packages

build/deps.mk: $(DEPS_INPUTS)
	@initrd/packages build
	@mkdir -p $(@D)
	@d=$$(initrd/build-deps musl) && printf 'DEPS := %s\n' "$$d" > $@

build/deps-host.mk: $(DEPS_INPUTS) | build/deps.mk
	@d=$$(initrd/build-deps asan-host) && printf 'DEPS_HOST := %s\n' "$$d" > $@

build/deps-fuzz.mk: $(DEPS_INPUTS) | build/deps.mk
	@initrd/packages fuzz
	@d=$$(initrd/build-deps host) && printf 'DEPS_FUZZ := %s\n' "$$d" > $@

LIBS := -larchive -lzstd -lisal -lz -lbearssl -lsodium -lyyjson
# The relying party's (tools/appraise, tools/serve): never in the agent.
TOOL_LIBS := -lssl -lcrypto

# ---- How things are compiled ---------------------------------------------------------------------------------------------

WARN     := -Wall -Wextra -Werror -Wvla -Wstrict-prototypes -Wpointer-arith
CPPFLAGS := -D_GNU_SOURCE -Iagent/lib -Iagent -I.

# The shipped programs. No _FORTIFY_SOURCE: musl has none. No unwind tables: nothing unwinds.
CC     := musl-gcc
CFLAGS := -std=c17 $(WARN) -O2 -fPIE -fstack-protector-strong -ffunction-sections -fdata-sections \
	-fno-unwind-tables -fno-asynchronous-unwind-tables -ffile-prefix-map=$(CURDIR)=.
INCLUDE = -isystem $(DEPS)/include -isystem $(DEPS)/uapi

# musl-gcc knows no static-pie, so gcc links and the start files are named: rcrt1.o relocates the program before main.
MUSLDIR := $(shell echo /usr/lib/$$(gcc -print-multiarch 2>/dev/null | sed s/gnu/musl/))
GCCFILE  = $(shell gcc -print-file-name=$(1))
LDFLAGS := -static-pie -nostdlib -nostartfiles -Wl,-z,relro,-z,now,-z,noexecstack,-z,text -Wl,--gc-sections -Wl,--build-id=none

define LINK
gcc $(LDFLAGS) -o $@ $(MUSLDIR)/rcrt1.o $(MUSLDIR)/crti.o $(call GCCFILE,crtbeginS.o) $(filter %.o,$^) \
	-L$(DEPS)/lib -L$(MUSLDIR) $(1) $(LIBS) -Wl,--start-group -lc -lgcc -Wl,--end-group $(call GCCFILE,crtendS.o) $(MUSLDIR)/crtn.o
endef

# Unit tests and fuzz targets: this system's C library, so that sanitizers work.
HOST_CFLAGS := -std=c17 $(WARN) -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
FUZZ_CFLAGS := -std=c17 -Wall -Wextra -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all

# ---- Programs ------------------------------------------------------------------------------------------------------------

comma    := ,
OBJ      = $(patsubst %.c,build/$(1)/%.o,$(2))
CA       := /etc/ssl/certs/ca-certificates.crt

all: build/init build/plinth build/plinth-verify build/initrd.img

build/init.full: $(call OBJ,obj,$(AGENT))
	@echo "  LINK    $@"
	@$(call LINK)

build/plinth.full: $(call OBJ,obj,$(PLINTH) $(TOOLS) tools/verifier.c)
	@echo "  LINK    $@"
	@$(call LINK)

build/plinth-verify.full: $(call OBJ,obj,$(PLINTH) $(TOOLS) $(APPRAISE))
	@echo "  LINK    $@"
	@$(call LINK,$(TOOL_LIBS))

# The symbols stay beside, in *.full.
build/init build/plinth build/plinth-verify: build/%: build/%.full
	@strip -s -R .comment -o $@ $<

# For `make bench`: what checking costs. See the source; never installed.
build/bench/plinth-noverify: LDFLAGS += $(patsubst %,-Wl$(comma)--wrap=%,main hash_update digest_eq sig_verify)
build/bench/plinth-noverify: $(call OBJ,obj,$(PLINTH) $(TOOLS) tools/verifier.c tests/bench/noverify.c)
	@mkdir -p $(@D)
	@echo "  LINK    $@"
	@$(call LINK)

# What decrypting costs: see tests/bench/decrypt.py.
build/bench/ctr_hmac: $(call OBJ,obj,$(BASE) $(CRYPTO) tests/bench/ctr_hmac.c)
	@mkdir -p $(@D)
	@$(call LINK)

build/initrd.img: build/plinth build/init $(CA)
	@echo "  INITRD  $@"
	@build/plinth initrd -o $@

# The choice of INFLATE: another one links anew.
build/inflate: FORCE
	@mkdir -p $(@D)
	@echo '$(INFLATE)' | cmp -s - $@ || echo '$(INFLATE)' > $@

build/init.full build/plinth.full build/plinth-verify.full build/host/libplinth.a build/fuzz/libplinth.a: build/inflate

# The only object that knows version and date: a new commit compiles this and nothing else.
build/version: FORCE
	@mkdir -p $(@D)
	@echo '$(VERSION) $(BUILD_DATE)' | cmp -s - $@ || echo '$(VERSION) $(BUILD_DATE)' > $@

%/agent/lib/base/version.o: CPPFLAGS += -DPLINTH_VERSION='"$(VERSION)"' -DPLINTH_BUILD_DATE=$(BUILD_DATE)
build/obj/agent/lib/base/version.o build/host/agent/lib/base/version.o build/fuzz/agent/lib/base/version.o: build/version

build/obj/%.o: %.c Makefile build/deps.mk
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) $(CFLAGS) $(CPPFLAGS) $(INCLUDE) -MMD -MP -c -o $@ $<

# ---- Tests ---------------------------------------------------------------------------------------------------------------

UNIT_PROGRAMS := $(patsubst %.c,build/host/%,$(UNIT))
FUZZ_PROGRAMS := $(patsubst %.c,build/fuzz/%,$(FUZZ))
LIB_SOURCES   := $(PLINTH) $(filter-out tools/plinth.c,$(TOOLS)) $(APPRAISE)

build/host/%.o: %.c Makefile build/deps-host.mk
	@mkdir -p $(@D)
	@echo "  CC      $< (host)"
	@gcc $(HOST_CFLAGS) $(CPPFLAGS) -isystem $(DEPS_HOST)/include -MMD -MP -c -o $@ $<

build/host/libplinth.a: $(call OBJ,host,$(LIB_SOURCES))
	@rm -f $@
	@ar rcs $@ $(filter %.o,$^)

$(UNIT_PROGRAMS): %: %.o build/host/libplinth.a
	@gcc $(HOST_CFLAGS) -o $@ $(filter %.o,$^) build/host/libplinth.a -L$(DEPS_HOST)/lib $(LIBS) $(TOOL_LIBS)

build/fuzz/%.o: %.c Makefile build/deps-fuzz.mk
	@mkdir -p $(@D)
	@echo "  CC      $< (fuzz)"
	@clang $(FUZZ_CFLAGS) -fsanitize=fuzzer-no-link $(CPPFLAGS) -isystem $(DEPS_FUZZ)/include -MMD -MP -c -o $@ $<

build/fuzz/libplinth.a: $(call OBJ,fuzz,$(LIB_SOURCES))
	@rm -f $@
	@ar rcs $@ $(filter %.o,$^)

$(FUZZ_PROGRAMS): %: %.o build/fuzz/libplinth.a
	@clang $(FUZZ_CFLAGS) -fsanitize=fuzzer -o $@ $(filter %.o,$^) build/fuzz/libplinth.a -L$(DEPS_FUZZ)/lib $(LIBS) $(TOOL_LIBS)

test: all $(UNIT_PROGRAMS)
	@initrd/packages test demo kernel
	@tests/run-all unit e2e -- $(UNIT_PROGRAMS)

unit sanitize: $(UNIT_PROGRAMS)
	@tests/run-all unit -- $(UNIT_PROGRAMS)

e2e: all
	@initrd/packages test demo kernel
	@tests/run-all e2e --

fuzz: $(FUZZ_PROGRAMS)
	@tests/run-fuzz $(SECONDS) $(FUZZ_PROGRAMS)

repro:
	@tests/repro.sh

bench: all
	@initrd/packages test demo bench
	@/usr/bin/python3 -B tests/bench/run.py

demo: all
	@initrd/packages demo
	@IMAGE='$(IMAGE)' KEEP='$(KEEP)' KEY='$(KEY)' POLICY='$(POLICY)' TEE='$(TEE)' qemu/demo

publish: all
	@initrd/packages demo
	@NOBOOT='$(NOBOOT)' SBOM='$(SBOM)' qemu/publish $(DIR)

reference: all
	@initrd/packages demo kernel
	@qemu/reference

# ---- Size ----------------------------------------------------------------------------------------------------------------

# Code lines are counted after the compiler has taken the comments out; blank lines do not count.
TRUSTED := $(sort $(AGENT) $(wildcard agent/*.h agent/*/*.h agent/*/*/*.h crypto/*.h))

size:
	@printf '%-24s %8s %8s\n' 'linked into PID 1' code lines
	@for d in $(sort $(dir $(TRUSTED))); do \
		set -- $$(printf '%s\n' $(TRUSTED) | grep "^$$d[^/]*$$"); \
		code=$$(for f; do gcc -fpreprocessed -dD -E -P -x c "$$f" 2>/dev/null; done | grep -c '[^[:space:]]'); \
		printf '%-24s %8d %8d\n' "$$d" "$$code" $$(cat "$$@" | wc -l); \
	done | awk '{ print; code += $$2; lines += $$3 } END { printf "%-24s %8d %8d\n", "total", code, lines }'
	@for f in build/init build/initrd.img build/plinth build/plinth-verify; do \
		[ ! -e $$f ] || printf '%-24s %8d bytes\n' $$f $$(stat -c %s $$f); \
	done

# ---- Install, clean ------------------------------------------------------------------------------------------------------

install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/lib/plinth $(DESTDIR)$(PREFIX)/share/man/man1
	install -m 755 build/plinth $(DESTDIR)$(PREFIX)/bin/plinth
	install -m 755 build/plinth-verify $(DESTDIR)$(PREFIX)/lib/plinth/plinth-verify
	install -m 755 build/init $(DESTDIR)$(PREFIX)/lib/plinth/init
	install -m 644 build/initrd.img $(DESTDIR)$(PREFIX)/lib/plinth/initrd.img
	install -m 644 tools/plinth.1 $(DESTDIR)$(PREFIX)/share/man/man1/plinth.1

clean:
	rm -rf build

-include $(shell find build -name '*.d' 2>/dev/null)
