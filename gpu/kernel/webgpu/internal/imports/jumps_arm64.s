//go:build linux && cgo

#include "textflag.h"

// Called by C's rules with arguments in registers; R16 is nobody's.

TEXT goffi_dlopen(SB), NOSPLIT|NOFRAME, $0-0
	MOVD ·dlopen(SB), R16
	JMP  (R16)

TEXT goffi_dlsym(SB), NOSPLIT|NOFRAME, $0-0
	MOVD ·dlsym(SB), R16
	JMP  (R16)

TEXT goffi_dlerror(SB), NOSPLIT|NOFRAME, $0-0
	MOVD ·dlerror(SB), R16
	JMP  (R16)

TEXT goffi_errno_location(SB), NOSPLIT|NOFRAME, $0-0
	MOVD ·errnoLocation(SB), R16
	JMP  (R16)
