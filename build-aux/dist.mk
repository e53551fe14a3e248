# SPDX-License-Identifier: MIT
# dist.mk - manual pages, installing, releasing, cleaning.

# ---- manual pages: their lists of settings are made from settings.def ----------------------------

MAN_PAGES := man/s3memd.8 man/s3memd.conf.5 man/s3memd-admin.7 man/s3memctl.1
# The page $(1) with what `s3memd $(2)` prints between its two marks.
man_page = $(BUILD)/s3memd $(2) >$(BUILD)/man.part && \
    sed -e '/begin of settings/r $(BUILD)/man.part' \
        -e '/begin of settings/,/end of settings/{/of settings/!d}' $(SRC)/$(1)

.PHONY: man check-man check
check: check-man
man: $(BUILD)/s3memd
	$(call man_page,man/s3memd.8,--help-man) >$(BUILD)/man.page
	cat $(BUILD)/man.page >$(SRC)/man/s3memd.8
	$(call man_page,man/s3memd.conf.5,--help-man-conf) >$(BUILD)/man.page
	cat $(BUILD)/man.page >$(SRC)/man/s3memd.conf.5

check-man: $(BUILD)/s3memd
	@$(call man_page,man/s3memd.8,--help-man) | diff -u $(SRC)/man/s3memd.8 - && \
	$(call man_page,man/s3memd.conf.5,--help-man-conf) | diff -u $(SRC)/man/s3memd.conf.5 - || \
	{ echo "the manual is behind settings.def: run 'make man'" >&2; exit 1; }

# ---- install -----------------------------------------------------------------------------------
# Folders may be given here as they may at configure: `make install prefix=$HOME/.local`. Files that
# name them are made anew each time. STRIP=: keeps the symbols.

# Where Debian's own files are, its configuration is in /etc and zsh looks in another folder.
ifeq ($(prefix),/usr)
ifeq ($(sysconfdir),/usr/etc)
sysconfdir := /etc
endif
zsh_dir ?= $(datarootdir)/zsh/vendor-completions
endif
zsh_dir ?= $(datarootdir)/zsh/site-functions
STRIP ?= strip

DOCS := $(wildcard $(addprefix $(SRC)/,README.md ARCHITECTURE.md CHANGELOG.md COPYING SECURITY.md \
            THIRD-PARTY.md doc/bench.md doc/operations.md))
MAN_INSTALLED = $(foreach p,$(MAN_PAGES),$(mandir)/man$(lastword $(subst ., ,$p))/$(notdir $p))

# SOURCE:DIRECTORY/NAME of each text file.
INSTALLED_TEXTS = \
    $(SRC)/completions/s3memctl.bash:$(datarootdir)/bash-completion/completions/s3memctl \
    $(SRC)/completions/_s3memctl:$(zsh_dir)/_s3memctl \
    $(SRC)/completions/s3memctl.fish:$(datarootdir)/fish/vendor_completions.d/s3memctl.fish \
    $(SRC)/completions/s3memd.bash:$(datarootdir)/bash-completion/completions/s3memd \
    $(SRC)/completions/_s3memd:$(zsh_dir)/_s3memd \
    $(SRC)/completions/s3memd.fish:$(datarootdir)/fish/vendor_completions.d/s3memd.fish \
    $(BUILD)/s3memd.service:$(systemdsystemunitdir)/s3memd.service \
    $(SRC)/systemd/s3memd.socket:$(systemdsystemunitdir)/s3memd.socket \
    $(BUILD)/s3memd-user.service:$(datarootdir)/systemd/user/s3memd.service \
    $(foreach p,$(MAN_PAGES),$(SRC)/$p:$(mandir)/man$(lastword $(subst ., ,$p))/$(notdir $p)) \
    $(foreach d,$(DOCS),$d:$(docdir)/$(d:$(SRC)/%=%))
text_source = $(firstword $(subst :, ,$1))
text_target = $(lastword $(subst :, ,$1))

.PHONY: FORCE
$(BUILD)/%.service: $(SRC)/systemd/%.service.in FORCE
	@sed -e 's|@sbindir@|$(sbindir)|g' -e 's|@sysconfdir@|$(sysconfdir)|g' $< >$@

.PHONY: install uninstall
install: all $(BUILD)/s3memd.service $(BUILD)/s3memd-user.service
	$(INSTALL) -d $(DESTDIR)$(sbindir) $(DESTDIR)$(bindir)
	$(INSTALL) -m 755 -s --strip-program='$(STRIP)' $(BUILD)/s3memd $(DESTDIR)$(sbindir)/s3memd
	$(if $(filter %/s3memctl,$(PROGRAMS)),$(INSTALL) -m 755 -s --strip-program='$(STRIP)' \
	    $(BUILD)/s3memctl $(DESTDIR)$(bindir)/s3memctl)
	$(foreach t,$(INSTALLED_TEXTS),$(INSTALL) -D -m 644 $(call text_source,$t) \
	    $(DESTDIR)$(call text_target,$t) &&) :

uninstall:
	rm -f $(DESTDIR)$(sbindir)/s3memd $(DESTDIR)$(bindir)/s3memctl \
	    $(foreach t,$(INSTALLED_TEXTS),$(DESTDIR)$(call text_target,$t))
	-rmdir $(DESTDIR)$(docdir)/doc $(DESTDIR)$(docdir)

# ---- dist: what is committed, and configure, so that it builds without autoconf ------------------

DIST = s3memd-$(PACKAGE_VERSION)

.PHONY: dist
dist: $(SRC)/configure $(BUILD)/config.mk
	git -C $(SRC) archive --format=tar --prefix=$(DIST)/ HEAD >$(BUILD)/$(DIST).tar
	tar --append --file=$(BUILD)/$(DIST).tar --transform='s,^,$(DIST)/,' -C $(SRC) \
	    configure build-aux/install-sh
	gzip -9nf $(BUILD)/$(DIST).tar
	@echo $(BUILD)/$(DIST).tar.gz

# ---- clean -------------------------------------------------------------------------------------

.PHONY: clean distclean
clean:
	rm -rf $(addprefix $(BUILD)/,gen src tests s3memd s3memctl s3memd.service s3memd-user.service libs3mem-internal.a \
	    man.page man.part s3memd-*.tar.gz)

# Also what autoconf and configure made.
distclean: clean
	rm -rf $(addprefix $(BUILD)/,config.mk config.log config.status Makefile)
	rm -rf $(addprefix $(SRC)/,configure configure~ autom4te.cache aclocal.m4 config.log \
	    build-aux/install-sh)
	$(if $(filter $(CURDIR),$(abspath $(BUILD))),,rm -rf $(BUILD))
