# Works with BSD make and GNU make. The work is cargo's; this says what can be asked for.

PREFIX = /usr/local
DESTDIR =
CARGO = cargo
# One static file where the C library can be linked so (glibc can); elsewhere rustc ignores it.
STATIC = -C target-feature=+crt-static

BIN = target/release/acmegw
BINDIR = $(DESTDIR)$(PREFIX)/bin
MANDIR = $(DESTDIR)$(PREFIX)/share/man
# Beside bin, where the program looks for the scripts that it runs.
LIBEXEC = $(DESTDIR)$(PREFIX)/libexec/acmegw
EXAMPLES = $(DESTDIR)$(PREFIX)/share/examples/acmegw

.PHONY: all demo test unit fuzz torture bench lint e2e install clean

all:
	$(CARGO) rustc --release --locked --bin acmegw -- $(STATIC)

# The main job on the embedded DNS server, on loopback; needs nothing but cargo.
demo: all
	$(CARGO) build --release --locked --example txt
	sh scripts/demo.sh $(BIN) target/release/examples/txt

# Everything that can run on this machine; with E2E=require a missing peer is a failure.
test: lint unit e2e

lint:
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings
	sh tests/lint.sh

unit:
	$(CARGO) test --locked

# The gateway under attack, on loopback, for about three minutes; prints what held.
torture:
	$(CARGO) test --locked --release --test torture

# What a request costs, as a ratio to a baseline that is measured in the same run; for about a minute.
bench:
	$(CARGO) test --locked --release --test bench

# The property tests of make unit on ever new inputs, FUZZ_SECONDS each. What is found says with
# which FUZZ_SEED it comes back.
fuzz:
	FUZZ_SECONDS=$${FUZZ_SECONDS:-600} $(CARGO) test --locked --profile fuzz --lib properties:: -- --test-threads=1 --nocapture

e2e: all
	$(CARGO) build --release --locked --examples
	ACMEGW=$$(pwd)/$(BIN) sh tests/e2e/run

# Installs what `make` has built, so that root needs no cargo.
install:
	@test -x $(BIN) || { echo "$(BIN) is not there: run make first" >&2; exit 1; }
	mkdir -p $(BINDIR) $(MANDIR)/man5 $(MANDIR)/man7 $(MANDIR)/man8 $(EXAMPLES) $(LIBEXEC)
	install -m 0755 $(BIN) $(BINDIR)/acmegw
	ln -sf acmegw $(BINDIR)/acmegw-hook
	install -m 0644 man/*.5 $(MANDIR)/man5
	install -m 0644 man/*.7 $(MANDIR)/man7
	install -m 0644 man/*.8 $(MANDIR)/man8
	install -m 0644 scripts/dotenv.* scripts/access scripts/*.conf scripts/acmegw.service $(EXAMPLES)
	install -m 0755 scripts/exec-example $(EXAMPLES)
	install -m 0755 scripts/acmesh-provider scripts/python-provider $(LIBEXEC)
	if [ "$$(uname -s)" = FreeBSD ]; then \
	    mkdir -p $(DESTDIR)$(PREFIX)/etc/rc.d && \
	    sed 's,@PREFIX@,$(PREFIX),g' scripts/rc.d/acmegw.in >$(DESTDIR)$(PREFIX)/etc/rc.d/acmegw && \
	    chmod 0755 $(DESTDIR)$(PREFIX)/etc/rc.d/acmegw; \
	fi

clean:
	$(CARGO) clean
