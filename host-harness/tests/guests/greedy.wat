  ;; Never returns at a request that has x-spin; wants a GiB at one that has x-grow, and traps if
  ;; it does not get it.
  (data (i32.const 1024) "x-spinx-grow")
  (func $has (param $at i32) (result i32)
    (i32.eqz (call $get_header (i32.const 0) (local.get $at) (i32.const 6) (i32.const 0) (i32.const 4))))
  (func (export "proxy_on_context_create") (param i32 i32))
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (if (call $has (i32.const 1024)) (then (loop $forever (br $forever))))
    (if (call $has (i32.const 1030))
      (then (if (i32.eq (memory.grow (i32.const 16384)) (i32.const -1)) (then unreachable))))
    (i32.const 0))
