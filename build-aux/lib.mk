# SPDX-License-Identifier: MIT
# lib.mk - libs3mem: the same objects as one archive and one shared object that show s3mem_* and
# nothing else; and its examples, run as tests against an installed tree.

LIBS3MEM_VERSION = $(PACKAGE_VERSION)
LIBS3MEM_SONAME = libs3mem.so.$(firstword $(subst ., ,$(PACKAGE_VERSION)))
LIBS3MEM_OBJ = $(filter-out $(BUILD)/src/daemon/%,$(LIB_OBJ))
LIBS3MEM_SO = $(BUILD)/libs3mem.so.$(LIBS3MEM_VERSION)
LIBS3MEM_A = $(BUILD)/libs3mem.a

$(BUILD)/s3mem.pc: $(SRC)/s3mem.pc.in FORCE
	@sed -e 's|@prefix@|$(prefix)|' -e 's|@libdir@|$(libdir:$(prefix)/%=$${prefix}/%)|' \
	    -e 's|@includedir@|$(includedir:$(prefix)/%=$${prefix}/%)|' \
	    -e 's|@version@|$(PACKAGE_VERSION)|' -e 's|@libs@|$(patsubst -Wl%,,$(LIB_LIBS)) -lpthread|' $< >$@

.PHONY: lib
lib: $(BUILD)/s3mem.pc $(LIBS3MEM_SO) $(LIBS3MEM_A)
# A sanitizer's runtime is the program's: there is no library under one.
ifneq ($(filter address thread,$(SANITIZER)),)
else
all: lib
endif

$(LIBS3MEM_SO): $(LIBS3MEM_OBJ) $(SRC)/src/server/libs3mem.map
	$(call say,LD,$@)
	$(Q)$(CC) -shared -Wl,-soname,$(LIBS3MEM_SONAME) -Wl,--version-script=$(SRC)/src/server/libs3mem.map \
	    -Wl,-z,relro,-z,now -pthread $(LDFLAGS) $(LTO_LDFLAGS) $(LIBS3MEM_OBJ) $(LIB_LIBS) -o $@
	$(Q)ln -sf $(@F) $(BUILD)/$(LIBS3MEM_SONAME) && ln -sf $(@F) $(BUILD)/libs3mem.so

# One object, in which all other names are local: a program may have a buf_add of its own.
$(LIBS3MEM_A): $(LIBS3MEM_OBJ)
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(LD) -r $(LIBS3MEM_OBJ) -o $(BUILD)/libs3mem.o && \
	    $(OBJCOPY) --wildcard --keep-global-symbol='s3mem_*' --remove-section='.gnu.lto_*' \
	        --remove-section='.gnu.debuglto_*' $(BUILD)/libs3mem.o && \
	    $(AR) rcs $@ $(BUILD)/libs3mem.o

LD ?= ld
OBJCOPY ?= objcopy

.PHONY: install-lib
install: install-lib
install-lib: lib
	$(INSTALL) -d $(DESTDIR)$(libdir)/pkgconfig $(DESTDIR)$(includedir)
	$(INSTALL) -m 644 $(SRC)/include/s3mem.h $(DESTDIR)$(includedir)/
	$(INSTALL) -m 644 $(LIBS3MEM_A) $(LIBS3MEM_SO) $(DESTDIR)$(libdir)/
	$(STRIP) --strip-unneeded $(DESTDIR)$(libdir)/$(notdir $(LIBS3MEM_SO))
	ln -sf $(notdir $(LIBS3MEM_SO)) $(DESTDIR)$(libdir)/$(LIBS3MEM_SONAME)
	ln -sf $(notdir $(LIBS3MEM_SO)) $(DESTDIR)$(libdir)/libs3mem.so
	$(INSTALL) -m 644 $(BUILD)/s3mem.pc $(DESTDIR)$(libdir)/pkgconfig/
	@test -n '$(DESTDIR)' || case '$(libdir)' in \
	/lib* | /usr/lib* | /usr/local/lib*) echo 'Programs that link libs3mem find it after: ldconfig' ;; \
	*) echo 'Programs that link libs3mem find it with LD_LIBRARY_PATH=$(libdir)' ;; esac

.PHONY: uninstall-lib
uninstall: uninstall-lib
uninstall-lib:
	rm -f $(addprefix $(DESTDIR)$(libdir)/,libs3mem.a libs3mem.so $(LIBS3MEM_SONAME) \
	    $(notdir $(LIBS3MEM_SO)) pkgconfig/s3mem.pc) $(DESTDIR)$(includedir)/s3mem.h

# ---- examples, as somebody who installed it would build and run them -----------------------------

LIB_PREFIX = $(abspath $(BUILD))/lib-prefix

.PHONY: check-lib
check-lib: all venv
	$(Q)$(SRC)/build-aux/check-install.sh $(BUILD)
	@rm -rf $(LIB_PREFIX)
	$(Q)$(MAKE) --no-print-directory prefix=$(LIB_PREFIX) install-lib >/dev/null
	$(Q)$(SRC)/examples/check.sh $(LIB_PREFIX) $(abspath $(VENV))/bin/python $(abspath $(BUILD)) $(SDK_BUILD)
