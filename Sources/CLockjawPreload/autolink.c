// The Swift driver links this library and would add its runtime to what the library needs. It takes linker flags from
// this section of every object and puts them first; with --as-needed in front, libraries that give nothing are not
// recorded, and libc.so.6 stays the only one (a test checks).
__asm__(".pushsection .swift1_autolink_entries,\"e\",@progbits\n .asciz \"-Wl,--as-needed\"\n .popsection\n");
