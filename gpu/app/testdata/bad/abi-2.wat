(module
  
  (memory (export "memory") 1)
  (func (export "fm_abi") (result i32) (i32.const 2))
  (func (export "fm_init") (param i64) )
  (func (export "fm_info") (result i32) (i32.const 1024))
  (func (export "fm_input") (result i32) (i32.const 2048))
  (func (export "fm_tick") )
  (func (export "fm_frame") (result i32) (i32.const 8192))
  (func (export "fm_audio") (result i32) (i32.const 4096))
  (data (i32.const 1024) "\10\00\00\00\10\00\00\00\3c\00\00\00\80\bb\00\00\01\00\00\00\01\00\00\00\00\00\00\00\00\00\00\00")
  )
