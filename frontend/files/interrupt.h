/* interrupt.h: what pcc leaves behind when a signal ends it: nothing.
 *
 * The driver's bodies clean up after themselves whatever way they end; SIGINT, SIGTERM and SIGHUP end the process in
 * the middle of one. */
#ifndef PCC_FRONTEND_INTERRUPT_H
#define PCC_FRONTEND_INTERRUPT_H

#include <sys/types.h>

/* From now on these signals remove what is registered and then end the process as they would have. A signal that the
 * parent had ignored stays so (nohup). */
void interrupt_catch(void);

/* Registers a file or folder to remove; the string must stay until interrupt_forget(). One that is gone, because it was
 * renamed or removed, does no harm. Files of a folder are registered too. */
void interrupt_remove(const char *path);
void interrupt_forget(void); /* all of them */

/* mkstemp() and mkdtemp(), and the registration of what they made: no signal comes between. */
int interrupt_make_file(char *path_template);
char *interrupt_make_folder(char *path_template);

/* posix_spawnp() with this process's environment: a signal is passed on to the child, which ends before its files are
 * removed. Returns the exit status as a shell does, 127 when the command cannot be run. */
int interrupt_run(const char *const *arguments);

#endif
