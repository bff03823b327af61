// What the arena of a dead process is worth to a person.
#ifndef LOCKJAW_EVIDENCE_H
#define LOCKJAW_EVIDENCE_H

// The more, the later a file is removed.
enum lj_evidence {
  LJ_EVIDENCE_NONE,  // nobody waited, or it is no arena, or the process ended well
  LJ_EVIDENCE_WAIT,  // for something that idle threads wait for too: condition, semaphore, join, futex, barrier
  LJ_EVIDENCE_LOCK,  // for a lock, which another thread must have had
};

// Looks into `name` in `directory`. Takes the slots it read off `*slots_left`; when they are used up, what is not known
// counts as evidence.
enum lj_evidence lj_evidence_in(int directory, const char *name, unsigned *slots_left);

#endif
