package worker

import "golang.org/x/sys/unix"

const auditArch = unix.AUDIT_ARCH_AARCH64

// deniedHere are denied calls that only some architectures have.
var deniedHere = []uint32{unix.SYS_RENAMEAT}
