#ifndef LOCKJAW_EXIT_H
#define LOCKJAW_EXIT_H

// Registers for exit() and quick_exit(). Called once by the constructor.
void lj_watch_exit(void);

// This process ends well with `code`: says so in the arena and removes its file. Nothing in a vfork child or in a
// forked child that has no arena of its own.
void lj_image_ends(int code);

#endif
