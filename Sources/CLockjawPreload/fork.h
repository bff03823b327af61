#ifndef LOCKJAW_FORK_H
#define LOCKJAW_FORK_H

// Makes fork() tell the child's thread how many locks it was born with. Called once by the constructor.
void lj_watch_fork(void);

#endif
