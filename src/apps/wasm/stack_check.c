/* Debian's compiler-rt for wasm32 refers to the stack protector's symbols, wasi-libc does not define them. */
unsigned long __stack_chk_guard = 0;
void __stack_chk_fail(void) { __builtin_trap(); }
