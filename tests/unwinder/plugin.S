# A library whose one function has the same address and length in both variants
# but another frame: stale unwind rules would misread its frames.
.text
.globl PluginRun
.type PluginRun, @function
PluginRun:
  .cfi_startproc
  sub $FRAME, %rsp
  .cfi_def_cfa_offset FRAME + 8
  mov %rdi, %rax
  mov %rsi, %rdi
  call *%rax
  add $FRAME, %rsp
  .cfi_def_cfa_offset 8
  ret
  .cfi_endproc
.size PluginRun, .-PluginRun
.section .note.GNU-stack, "", @progbits
