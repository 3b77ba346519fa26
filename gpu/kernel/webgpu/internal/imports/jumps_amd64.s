//go:build linux && cgo

#include "textflag.h"

// Called by C's rules with arguments in registers; R11 is nobody's.

TEXT goffi_dlopen(SB), NOSPLIT|NOFRAME, $0-0
	MOVQ ·dlopen(SB), R11
	JMP  R11

TEXT goffi_dlsym(SB), NOSPLIT|NOFRAME, $0-0
	MOVQ ·dlsym(SB), R11
	JMP  R11

TEXT goffi_dlerror(SB), NOSPLIT|NOFRAME, $0-0
	MOVQ ·dlerror(SB), R11
	JMP  R11

TEXT goffi_errno_location(SB), NOSPLIT|NOFRAME, $0-0
	MOVQ ·errnoLocation(SB), R11
	JMP  R11
