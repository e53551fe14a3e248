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

DOCS := $(wildcard $(SRC)/README.md $(SRC)/ARCHITECTURE.md $(SRC)/CHANGELOG.md $(SRC)/COPYING)
BASH_COMPLETION = $(datarootdir)/bash-completion/completions/s3memctl
ZSH_COMPLETION = $(datarootdir)/zsh/site-functions/_s3memctl
UNITS := s3memd.service s3memd.socket
MAN_INSTALLED = $(foreach p,$(MAN_PAGES),$(mandir)/man$(lastword $(subst ., ,$p))/$(notdir $p))

$(BUILD)/s3memd.service: $(SRC)/systemd/s3memd.service.in $(BUILD)/config.mk
	sed -e 's|@sbindir@|$(sbindir)|g' -e 's|@sysconfdir@|$(sysconfdir)|g' $< >$@

.PHONY: install uninstall
install: all $(BUILD)/s3memd.service
	$(INSTALL) -d $(DESTDIR)$(sbindir) $(DESTDIR)$(bindir) $(DESTDIR)$(docdir) \
	    $(DESTDIR)$(dir $(BASH_COMPLETION)) $(DESTDIR)$(dir $(ZSH_COMPLETION)) $(DESTDIR)$(systemdsystemunitdir) \
	    $(sort $(dir $(MAN_INSTALLED:%=$(DESTDIR)%)))
	$(INSTALL) -m 755 $(BUILD)/s3memd $(DESTDIR)$(sbindir)/s3memd
	$(INSTALL) -m 755 $(BUILD)/s3memctl $(DESTDIR)$(bindir)/s3memctl
	$(INSTALL) -m 644 $(SRC)/completions/s3memctl.bash $(DESTDIR)$(BASH_COMPLETION)
	$(INSTALL) -m 644 $(SRC)/completions/_s3memctl $(DESTDIR)$(ZSH_COMPLETION)
	$(foreach p,$(MAN_PAGES),$(INSTALL) -m 644 $(SRC)/$p \
	    $(DESTDIR)$(mandir)/man$(lastword $(subst ., ,$p))/ &&) :
	$(INSTALL) -m 644 $(BUILD)/s3memd.service $(SRC)/systemd/s3memd.socket \
	    $(DESTDIR)$(systemdsystemunitdir)
	$(if $(DOCS),$(INSTALL) -m 644 $(DOCS) $(DESTDIR)$(docdir))

uninstall:
	rm -f $(DESTDIR)$(sbindir)/s3memd $(DESTDIR)$(bindir)/s3memctl \
	    $(DESTDIR)$(BASH_COMPLETION) $(DESTDIR)$(ZSH_COMPLETION) $(MAN_INSTALLED:%=$(DESTDIR)%) \
	    $(UNITS:%=$(DESTDIR)$(systemdsystemunitdir)/%) \
	    $(addprefix $(DESTDIR)$(docdir)/,$(notdir $(DOCS)))
	-rmdir $(DESTDIR)$(docdir)

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
	rm -rf $(addprefix $(BUILD)/,gen src tests s3memd s3memd.service libs3mem-internal.a \
	    man.page man.part s3memd-*.tar.gz)

# Also what autoconf and configure made.
distclean: clean
	rm -rf $(addprefix $(BUILD)/,config.mk config.log config.status Makefile)
	rm -rf $(addprefix $(SRC)/,configure configure~ autom4te.cache aclocal.m4 config.log \
	    build-aux/install-sh)
	$(if $(filter $(CURDIR),$(abspath $(BUILD))),,rm -rf $(BUILD))
