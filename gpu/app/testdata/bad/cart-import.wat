(module (import "env" "memory" (memory 1)) (import "env" "blit" (func (param i32 i32 i32 i32 i32))) (func (export "update")))
