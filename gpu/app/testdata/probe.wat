;; A game of framemesh app ABI v1 that does, on a button, each thing a test
;; wants to see: 64x48 at 60 ticks per second, mono sound, one seat.
;;
;; memory: 1024 words of fm_info, 2048 input block, 4096 sound, 8192 picture,
;; 32768 scratch, 65536 ... a table of words that each tick changes one of
(module
  (import "framemesh" "log" (func $log (param i32 i32)))
  (import "framemesh" "load" (func $load (param i32 i32) (result i32)))
  (import "framemesh" "save" (func $save (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 4)
  (data (i32.const 1024) "\40\00\00\00\30\00\00\00\3c\00\00\00\80\bb\00\00\01\00\00\00\01\00\00\00\00\00\00\00\00\00\00\00")
  (data (i32.const 600) "last words\n")
  (data (i32.const 620) "hello")
  ;; two descriptors for fd_write
  (data (i32.const 640) "\58\02\00\00\0b\00\00\00")
  (table 2 funcref)
  (elem (i32.const 0) $up $down)
  (type $step (func (param i32) (result i32)))
  (global $x (mut i32) (i32.const 0))        ;; where the square is
  (global $seed (mut i64) (i64.const 0))
  (global $phase (mut f64) (f64.const 0))    ;; of the sound
  (global $dir (mut i32) (i32.const 0))      ;; which function of the table moves
  (func $up (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))
  (func $down (param i32) (result i32) (i32.sub (local.get 0) (i32.const 1)))
  (func (export "_initialize")
    (drop (call $random (i32.const 32768) (i32.const 16))))
  (func (export "fm_abi") (result i32) (i32.const 1))
  (func (export "fm_init") (param i64)
    (global.set $seed (local.get 0))
    (drop (call $load (i32.const 33000) (i32.const 64))))
  (func (export "fm_info") (result i32) (i32.const 1024))
  (func (export "fm_input") (result i32) (i32.const 2048))
  (func (export "fm_frame") (result i32) (i32.const 8192))
  (func (export "fm_audio") (result i32) (i32.const 4096))
  (func $deep (param i32) (result i32)
    (i32.add (i32.const 1) (call $deep (i32.add (local.get 0) (i32.const 1)))))
  (func (export "fm_tick") (local $b i32) (local $i i32) (local $v i32)
    (local.set $b (i32.load (i32.const 2084)))           ;; buttons of seat 0
    (if (i32.and (local.get $b) (i32.const 1))           ;; A: for ever
      (then (loop $l (br $l))))
    (if (i32.and (local.get $b) (i32.const 2))           ;; B: all memory, then die
      (then (loop $l (br_if $l (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) unreachable))
    (if (i32.and (local.get $b) (i32.const 4)) (then unreachable))  ;; X
    (if (i32.and (local.get $b) (i32.const 8))           ;; Y: last words and an exit
      (then (drop (call $write (i32.const 2) (i32.const 640) (i32.const 1) (i32.const 680)))
            (call $exit (i32.const 7))))
    (if (i32.and (local.get $b) (i32.const 16))          ;; L1: recursion
      (then (drop (call $deep (i32.const 0)))))
    (if (i32.and (local.get $b) (i32.const 32))          ;; R1: a pointer from nowhere
      (then (call $log (i32.const -16) (i32.const 64))))
    (if (i32.and (local.get $b) (i32.const 64))          ;; L2: a NaN, with its bits
      (then (i64.store (i32.const 33100) (i64.reinterpret_f64 (f64.div (f64.const 0) (f64.const 0))))))
    (if (i32.and (local.get $b) (i32.const 128))         ;; R2: one page more
      (then (drop (memory.grow (i32.const 1)))
            (i32.store8 (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 1)) (i32.const 7))))
    (if (i32.and (local.get $b) (i32.const 256))         ;; select: save the position
      (then (i32.store (i32.const 33200) (global.get $x))
            (drop (call $save (i32.const 33200) (i32.const 4)))))
    (if (i32.and (local.get $b) (i32.const 512))         ;; start: wait 10 s by polling the clock
      (then (i64.store (i32.const 34000) (i64.const 77)) ;; subscription: user data, clock, monotonic, 10 s
            (i64.store (i32.const 34008) (i64.const 0))
            (i64.store (i32.const 34016) (i64.const 1))
            (i64.store (i32.const 34024) (i64.const 10000000000))
            (i64.store (i32.const 34032) (i64.const 0))
            (i64.store (i32.const 34040) (i64.const 0))
            (drop (call $poll (i32.const 34000) (i32.const 34100) (i32.const 1) (i32.const 34200)))))
    (if (i32.and (local.get $b) (i32.const 4096))        ;; up, down: change the direction
      (then (global.set $dir (i32.const 0))))
    (if (i32.and (local.get $b) (i32.const 8192))
      (then (global.set $dir (i32.const 1))))
    (call $log (i32.const 620) (i32.const 5))
    (drop (call $clock (i32.const 1) (i64.const 1) (i32.const 33300)))
    (drop (call $random (i32.const 33400) (i32.const 8)))
    ;; move through the table
    (global.set $x (i32.and (call_indirect (type $step) (global.get $x) (global.get $dir)) (i32.const 63)))
    (global.set $seed (i64.add (i64.mul (global.get $seed) (i64.const 6364136223846793005)) (i64.const 1442695040888963407)))
    ;; one word of the table at 65536 takes in all that was read
    (i64.store (i32.add (i32.const 65536) (i32.and (i32.wrap_i64 (i64.shr_u (global.get $seed) (i64.const 40))) (i32.const 65528)))
      (i64.xor (i64.xor (global.get $seed) (i64.load (i32.const 33300))) (i64.load (i32.const 33400))))
    ;; picture: a gradient, and a white column at x
    (loop $px
      (local.set $v (i32.or (i32.const 0xff000000) (i32.mul (local.get $i) (i32.const 83))))
      (if (i32.eq (i32.and (local.get $i) (i32.const 63)) (global.get $x)) (then (local.set $v (i32.const -1))))
      (i32.store (i32.add (i32.const 8192) (i32.shl (local.get $i) (i32.const 2))) (local.get $v))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $px (i32.lt_u (local.get $i) (i32.const 3072))))
    ;; sound: 800 frames of a sawtooth
    (i32.store (i32.const 4096) (i32.const 800))
    (local.set $i (i32.const 0))
    (loop $snd
      (global.set $phase (f64.add (global.get $phase) (f64.const 0.01)))
      (if (f64.ge (global.get $phase) (f64.const 1)) (then (global.set $phase (f64.sub (global.get $phase) (f64.const 1)))))
      (i32.store16 (i32.add (i32.const 4100) (i32.shl (local.get $i) (i32.const 1)))
        (i32.trunc_f64_s (f64.mul (global.get $phase) (f64.const 8000))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $snd (i32.lt_u (local.get $i) (i32.const 800))))))
