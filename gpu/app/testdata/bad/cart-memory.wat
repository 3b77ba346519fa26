(module (import "env" "memory" (memory 2)) (func (export "update")))
