/* Symbols inside symbols, without size, of equal place, and code without any. */
        .section .note.GNU-stack, "", @progbits

        .text
        .skip 16, 0x90          /* before the first symbol */
        .globl outer
        .type outer, @function
outer:  .skip 16, 0x90
        .globl inner
        .type inner, @function
inner:  .skip 16, 0x90
        .size inner, 16
        .skip 16, 0x90
        .size outer, 48
        .skip 16, 0x90          /* between two functions */
        .globl twin_of_local
        .type local_twin, @function
local_twin:
        .type twin_of_local, @function
twin_of_local:
        .skip 16, 0x90
        .size local_twin, 16
        .size twin_of_local, 16
        .globl label
label:  .skip 16, 0x90          /* to the next symbol */

        .globl last
        .type last, @function
last:   .skip 16, 0x90
        .size last, 16

        /* At one address: of two lengths, and variables of three bindings. */
        .globl long_one
        .type long_one, @function
        .type short_one, @function
        .text
long_one:
short_one:
        .skip 16, 0x90
        .size short_one, 16
        .skip 16, 0x90
        .size long_one, 32

        .data
        .globl __reserved
        .globl plain
        .type __reserved, @object
        .type plain, @object
        .type local_one, @object
        .type whole, @object
        .type part, @object
__reserved:
plain:
local_one:
        .skip 8
        .size __reserved, 8
        .size plain, 8
        .size local_one, 8
whole:  .skip 8
part:   .skip 8
        .size part, 8
        .skip 8
        .size whole, 24
