// Where arenas live.
#ifndef LOCKJAW_DIRECTORY_H
#define LOCKJAW_DIRECTORY_H

// Opens (and creates) the arena directory of the user at this moment and fills `lj_process.directory`; the descriptor,
// or -1 with `*why` set to a sentence where there is none that only this user can write to.
int lj_open_directory(const char **why);

// Chooses `lj_process.file_name`, removes the files of earlier images of this process and, when there are many, the
// oldest evidence of dead processes.
void lj_name_file(int directory);

#endif
