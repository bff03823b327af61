__asm__(".pushsection .swift1_autolink_entries,\"e\",@progbits\n .asciz \"-Wl,--as-needed\"\n .popsection\n");
